import { expect } from '@jest/globals';
import type { Client } from '../driver.js';
import type { Order } from '../order.js';
import { turns, type SuiteRig } from '../rig.js';
import type { Case, Theme } from './case.js';

const HANDLERS = ['bare', 'surrounded'] as const;

/** The peer leaves while the handler is at work, which keeps its thing until it has settled. */
export async function leavesAtWork(rig: SuiteRig, client: Client, order: Order): Promise<void> {
  await rig.stage.reached(`handler ${order.id}`);
  client.leave();
  await rig.stage.reached(`left ${order.id}`);
  await turns();
  expect(rig.leased).toBe(1);
  rig.stage.open(`handler ${order.id}`);
  await rig.allBack();
}

const atWork = (handler: (typeof HANDLERS)[number]): Case => ({
  name: `whoever has sent a message leaves: its handler, ${handler}, is told by its signal, and keeps its thing until it has settled`,
  needs: ['leaving'],
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ stops: ['handler'] });
    client.send(handler, order);
    await leavesAtWork(rig, client, order);
  },
});

const queueing = (handler: (typeof HANDLERS)[number] | 'deep'): Case => ({
  name: `a message that queues for a thing, ${handler}, leaves the queue with whoever has sent it`,
  needs: ['leaving'],
  run: async rig => {
    const client = await rig.client();
    await rig.takeAll();
    const order = rig.order();
    client.send(handler, order);
    await rig.waitingAre(1);
    client.leave();
    await rig.waitingAre(0);
  },
});

const endless = (handler: (typeof HANDLERS)[number]): Case => ({
  name: `an Observable without end, of a handler that is ${handler}, is ended when its listener leaves, and its teardown has the thing`,
  needs: ['leaving', 'streams'],
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ returns: 'endless' });
    const reply = client.send(handler, order);
    await reply.count(1);
    expect(rig.leased).toBe(1);
    client.leave();
    await rig.stage.reached(`teardown ${order.id}`);
    await rig.allBack();
  },
});

const between = (handler: (typeof HANDLERS)[number]): Case => ({
  name: `the listener leaves before the Observable of a handler that is ${handler} is there: nobody subscribes, and the thing goes back`,
  needs: ['leaving', 'streams'],
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ returns: 'endless', stops: ['handler'] });
    client.send(handler, order);
    await rig.stage.reached(`handler ${order.id}`);
    client.leave();
    await rig.stage.reached(`left ${order.id}`);
    expect(rig.leased).toBe(1);
    rig.stage.open(`handler ${order.id}`);
    await rig.allBack();
  },
});

export const leaving: Theme = {
  promise:
    'The peer leaves: what queues gives up, what is at work keeps its resource; `@BorrowSignal()` tells',
  cases: [
    ...(['bare', 'deep', 'surrounded'] as const).map(queueing),
    ...HANDLERS.map(atWork),
    {
      name: 'a guard and a filter that are at work keep the thing when whoever has sent the message leaves',
      needs: ['leaving'],
      run: async rig => {
        for (const place of ['guard', 'filter'] as const) {
          const client = await rig.client();
          const order = rig.order({ throws: 'guard', uses: ['guard', 'filter'], stops: [place] });
          client.send('surrounded', order);
          await rig.stage.reached(`${place} ${order.id}`);
          client.leave();
          await turns();
          expect(rig.leased).toBe(1);
          rig.stage.open(`${place} ${order.id}`);
          await rig.allBack();
        }
      },
    },
  ],
};

export const endlessness: Theme = {
  promise: 'The peer leaves an `Observable` without end: it is completed, and goes back after its teardown',
  cases: [...HANDLERS.map(endless), ...HANDLERS.map(between)],
};

export const events: Theme = {
  promise: 'Events: processed whoever leaves; each of several handlers has a scope of its own',
  cases: [
    {
      name: 'whoever has told of an event leaves: both handlers of it are at work with a thing each, until they have settled',
      needs: ['events'],
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ uses: ['guard'], stops: ['handler'] });
        await client.tell(order);
        await rig.stage.reached(`handler ${order.id}`);
        await rig.stage.reached(`handler ${order.id} again`);
        expect(rig.leased).toBe(2);
        client.leave();
        await turns();
        expect(rig.leased).toBe(2);
        rig.stage.open(`handler ${order.id}`, `handler ${order.id} again`);
        await rig.allBack();
      },
    },
    {
      name: 'whoever has told of an event leaves while it queues: it is processed all the same',
      needs: ['events'],
      run: async rig => {
        const client = await rig.client();
        await rig.takeAll();
        const order = rig.order();
        await client.tell(order);
        await rig.waitingAre(2);
        client.leave();
        await turns();
        expect(rig.waiting).toBe(2);
        rig.giveOneBack();
        await rig.stage.reached(`handler ${order.id}`);
        await rig.stage.reached(`handler ${order.id} again`);
        await rig.allBack();
      },
    },
    ...(['fail', 'are refused'] as const).map<Case>(how => ({
      name: `two handlers of one event that ${how} at once have their own thing in the filter each`,
      needs: ['events'],
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({
          ...(how === 'fail' ? { throws: 'guard' } : { refused: true }),
          uses: ['guard', 'filter'],
          stops: ['guard', 'filter'],
        });
        await client.tell(order);
        await rig.used(order, 2);
        rig.stage.open(`guard ${order.id}`);
        await rig.used(order, 4);
        expect(rig.leased).toBe(2);
        rig.stage.open(`filter ${order.id}`);
        await rig.allBack();
        expect(rig.thingsOf(order, 'filter')).toEqual(rig.thingsOf(order, 'guard'));
      },
    })),
  ],
};
