import { expect } from '@jest/globals';
import { BACKSTAGE } from '../../../support/failing-pools.js';
import type { PlaceInMessage } from '../order.js';
import { turns } from '../rig.js';
import type { Case, Theme } from './case.js';

/** Where the thing is borrowed first when it is thrown there; the filter uses it too. */
const PLACES: readonly PlaceInMessage[] = ['guard', 'interceptor', 'pipe', 'handler', 'after'];

const filtered = (place: PlaceInMessage, handler: 'surrounded' | 'caught'): Case => ({
  name: `what is thrown at the ${place}, its handler ${handler}, is answered by a filter with the thing of the message, which then goes to who queues for it`,
  run: async rig => {
    const client = await rig.client();
    await rig.leaveOne();
    const order = rig.order({ throws: place, uses: [place, 'filter'], stops: [place, 'filter'] });
    const reply = client.send(handler, order);
    await rig.stage.reached(`${place} ${order.id}`);
    const next = client.send('bare', rig.order());
    await rig.waitingAre(1);
    rig.stage.open(`${place} ${order.id}`);
    await rig.stage.reached(`filter ${order.id}`);
    expect({ leased: rig.leased, waiting: rig.waiting }).toEqual({ leased: 1, waiting: 1 });
    rig.stage.open(`filter ${order.id}`);
    expect(await reply.first()).toEqual({ error: rig.driver.told(`thrown at the ${place}`) });
    expect(await next.first()).toHaveProperty('thing');
    await rig.allBack();
    const users = rig.work.usesOf(order);
    const [first] = users;
    expect(users.at(-1)).toBe(`filter ${first!.split(' ')[1]!}`);
  },
});

const busy = (handler: 'bare' | 'surrounded'): Case => ({
  name: `a pool that is full, and one that is down, are told in the form of the transport by a handler that is ${handler}, and nothing of them`,
  run: async rig => {
    const client = await rig.client();
    for (const [pool, code] of [
      ['full', 8],
      ['down', 14],
    ] as const) {
      const told = (await client.send(handler, rig.order({ pool })).first()) as { error: object };
      expect(told.error).toMatchObject(rig.driver.busy(code) as object);
      expect(JSON.stringify(told)).not.toMatch(BACKSTAGE);
    }
  },
});

export const errors: Theme = {
  promise:
    'Refused, thrown at any place: it goes back when the filter, which has the same resource, has settled',
  cases: [
    {
      name: 'a guard refuses: a filter has the thing that it has borrowed, which then goes back',
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ refused: true, uses: ['guard', 'filter'], stops: ['guard', 'filter'] });
        const reply = client.send('surrounded', order);
        await rig.stage.reached(`guard ${order.id}`);
        expect(rig.leased).toBe(1);
        rig.stage.open(`guard ${order.id}`);
        await rig.stage.reached(`filter ${order.id}`);
        await turns();
        expect(rig.leased).toBe(1);
        rig.stage.open(`filter ${order.id}`);
        expect(await reply.first()).toHaveProperty('error');
        await rig.allBack();
        expect(rig.work.callsOf(order)).toBe(0);
        expect(new Set(rig.work.usesOf(order).map(use => use.split(' ')[1])).size).toBe(1);
      },
    },
    ...PLACES.map(place => filtered(place, 'surrounded')),
    // No interceptor makes an Observable of what is thrown.
    ...(['pipe', 'handler'] as const).map(place => filtered(place, 'caught')),
    {
      name: 'a pipe throws while the parameter beside it queues for a thing: that leaves the queue',
      run: async rig => {
        const client = await rig.client();
        await rig.takeAll();
        const order = rig.order({ throws: 'pipe', stops: ['pipe'] });
        const reply = client.send('surrounded', order);
        await rig.stage.reached(`pipe ${order.id}`);
        await rig.waitingAre(1);
        rig.stage.open(`pipe ${order.id}`);
        expect(await reply.first()).toEqual({ error: rig.driver.told('thrown at the pipe') });
        await rig.waitingAre(0);
        expect(rig.work.callsOf(order)).toBe(0);
      },
    },
    {
      name: 'two messages of one client that fail at once have their own thing in the filter each',
      run: async rig => {
        const client = await rig.client();
        const orders = [1, 2].map(() =>
          rig.order({ throws: 'guard', uses: ['guard', 'filter'], stops: ['guard', 'filter'] }),
        );
        const replies = orders.map(order => client.send('surrounded', order));
        for (const { id } of orders) await rig.stage.reached(`guard ${id}`);
        rig.stage.open(...orders.map(({ id }) => `guard ${id}`));
        for (const { id } of orders) await rig.stage.reached(`filter ${id}`);
        expect(rig.leased).toBe(2);
        rig.stage.open(...orders.map(({ id }) => `filter ${id}`));
        await Promise.all(replies.map(reply => reply.first()));
        for (const order of orders) {
          const [guard, filter] = rig.work.usesOf(order).map(use => use.split(' ')[1]);
          expect(filter).toBe(guard);
        }
        await rig.allBack();
      },
    },
  ],
};

export const capacity: Theme = {
  promise:
    'A pool that cannot serve is answered in the form of the transport, without a word of what is behind it',
  cases: [busy('bare'), busy('surrounded')],
};

export const keys: Theme = {
  promise: 'Pools by key: `get({ key })`; what is missing is said in the log',
  cases: [
    {
      name: 'a key that is named is lent for',
      run: async rig => {
        const client = await rig.client();
        const answers = ['acme', 'globex'].map(key => client.send('keyed', rig.order({ key })).first());
        expect(await Promise.all(answers)).toEqual([{ key: 'acme' }, { key: 'globex' }]);
      },
    },
    {
      name: 'a key that is missing is misuse: the log says what to write, and the client learns nothing of it',
      needs: ['tells'],
      run: async rig => {
        const client = await rig.client();
        const told = (await client.send('keyed', rig.order()).first()) as { error: unknown };
        expect(told.error).toBeDefined();
        if (!rig.driver.tellsErrors) {
          expect(JSON.stringify(told)).not.toMatch(/tenants|key/);
          expect(rig.running.log.join('\n')).toMatch(/"tenants"/);
        }
      },
    },
  ],
};
