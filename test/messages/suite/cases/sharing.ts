import { expect } from '@jest/globals';
import type { Theme } from './case.js';

const HANDLERS = ['bare', 'deep', 'surrounded'] as const;

export const sharing: Theme = {
  promise: 'One resource for everybody in a message, another one for the next message',
  cases: [
    {
      name: 'a guard, an interceptor, a pipe, the handler and two services share one thing, which is back when the answer is there',
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ uses: ['guard', 'interceptor', 'pipe', 'after'], stops: ['handler'] });
        const reply = client.send('surrounded', order);
        await rig.stage.reached(`handler ${order.id}`);
        expect(rig.leased).toBe(1);
        rig.stage.open(`handler ${order.id}`);
        const { thing } = (await reply.first()) as { thing: number };
        expect(rig.leased).toBe(0);
        const users = ['guard', 'interceptor', 'pipe', 'handler', 'service', 'after'];
        expect(rig.work.usesOf(order)).toEqual(users.map(user => `${user} ${thing}`));
      },
    },
    {
      name: 'the thing and the signal reach a handler as they are, past a pipe that copies what decorators give',
      run: async rig => {
        const client = await rig.client();
        const order = rig.order();
        const { thing } = (await client.send('surrounded', order).first()) as { thing: number };
        expect(rig.work.usesOf(order)).toEqual([`handler ${thing}`, `service ${thing}`]);
      },
    },
    {
      name: 'the thing that a guard has borrowed stays with its message on the way to the handler: nobody who queues is lent it',
      run: async rig => {
        const client = await rig.client();
        await rig.leaveOne();
        const order = rig.order({ uses: ['guard'], stops: ['guard', 'handler'] });
        const reply = client.send('surrounded', order);
        await rig.stage.reached(`guard ${order.id}`);
        const next = client.send('bare', rig.order());
        await rig.waitingAre(1);
        rig.stage.open(`guard ${order.id}`);
        await rig.stage.reached(`handler ${order.id}`);
        expect(rig.waiting).toBe(1);
        rig.stage.open(`handler ${order.id}`);
        expect(await next.first()).toEqual(await reply.first());
      },
    },
    ...HANDLERS.map(handler => ({
      name: `the thing of a handler that is ${handler} stays until it has settled`,
      run: async (rig: Parameters<Theme['cases'][0]['run']>[0]) => {
        const client = await rig.client();
        const order = rig.order({ stops: ['handler'] });
        const reply = client.send(handler, order);
        await rig.stage.reached(`handler ${order.id}`);
        expect(rig.leased).toBe(1);
        rig.stage.open(`handler ${order.id}`);
        expect(await reply.first()).toEqual({ thing: expect.any(Number) });
        expect(rig.leased).toBe(0);
      },
    })),
    {
      name: 'two messages of one client at once have a thing each',
      run: async rig => {
        const client = await rig.client();
        const orders = [rig.order({ stops: ['handler'] }), rig.order({ stops: ['handler'] })];
        const replies = orders.map(order => client.send('surrounded', order));
        for (const { id } of orders) await rig.stage.reached(`handler ${id}`);
        expect(rig.leased).toBe(2);
        rig.stage.open(...orders.map(({ id }) => `handler ${id}`));
        const answers = await Promise.all(replies.map(reply => reply.first()));
        expect(answers.map(answer => (answer as { thing: number }).thing).sort()).toEqual([1, 2]);
      },
    },
    {
      name: 'messages of two clients at once have a thing each, and the next has one again',
      run: async rig => {
        const clients = [await rig.client(), await rig.client()];
        const orders = [rig.order({ stops: ['handler'] }), rig.order({ stops: ['handler'] })];
        const replies = orders.map((order, i) => clients[i]!.send('deep', order));
        for (const { id } of orders) await rig.stage.reached(`handler ${id}`);
        const third = rig.order();
        const late = clients[0]!.send('deep', third);
        await rig.waitingAre(1);
        rig.stage.open(`handler ${orders[0]!.id}`);
        await replies[0]!.first();
        expect(await late.first()).toEqual(await replies[0]!.first());
        rig.stage.open(`handler ${orders[1]!.id}`);
        await replies[1]!.first();
      },
    },
    ...(['inherited', 'renamed', 'scoped'] as const).map(handler => ({
      name: `a handler that is ${handler} has the thing of its message`,
      needs: handler === 'scoped' ? (['scoped'] as const) : [],
      run: async (rig: Parameters<Theme['cases'][0]['run']>[0]) => {
        const client = await rig.client();
        const order = rig.order({ uses: ['guard', 'after'], stops: ['handler'] });
        const reply = client.send(handler, order);
        await rig.stage.reached(`handler ${order.id}`);
        expect(rig.leased).toBe(1);
        rig.stage.open(`handler ${order.id}`);
        const { thing } = (await reply.first()) as { thing: number };
        const around = handler === 'scoped';
        expect(rig.work.usesOf(order)).toEqual([
          ...(around ? [`guard ${thing}`] : []),
          `handler ${thing}`,
          `service ${thing}`,
          ...(around ? [`after ${thing}`] : []),
        ]);
        expect(rig.leased).toBe(0);
      },
    })),
  ],
};
