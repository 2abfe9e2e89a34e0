import { expect } from '@jest/globals';
import type { Case, Theme } from './case.js';

const HANDLERS = ['bare', 'surrounded'] as const;

const held = (handler: (typeof HANDLERS)[number]): Case => ({
  name: `an Observable of a handler that is ${handler} has its thing from its subscription to its end, teardown included`,
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ returns: 'two', stops: ['half'] });
    const reply = client.send(handler, order);
    await rig.stage.reached(`half ${order.id}`);
    if (rig.driver.can.includes('streams')) expect(await reply.count(1)).toHaveLength(1);
    expect(rig.leased).toBe(1);
    rig.stage.open(`half ${order.id}`);
    await rig.stage.reached(`teardown ${order.id}`);
    await rig.allBack();
    const values = await reply.count(rig.driver.can.includes('streams') ? 2 : 1);
    expect(values.at(-1)).toEqual({ thing: expect.any(Number) });
  },
});

const failing = (handler: (typeof HANDLERS)[number]): Case => ({
  name: `an Observable of a handler that is ${handler} fails half-way: its thing goes back, and the filter has it before`,
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ returns: 'half', uses: ['filter'], stops: ['filter'] });
    const reply = client.send(handler, order);
    if (handler === 'surrounded') {
      await rig.stage.reached(`filter ${order.id}`);
      expect(rig.leased).toBe(1);
      rig.stage.open(`filter ${order.id}`);
    }
    await rig.stage.reached(`teardown ${order.id}`);
    await rig.allBack();
    if (handler === 'bare' && !rig.driver.can.includes('tells')) return;
    await reply.finished();
    if (handler === 'surrounded') expect(reply.error).toEqual(rig.driver.told('thrown half-way'));
    else expect(reply.error).toBeDefined();
  },
});

const empty = (handler: (typeof HANDLERS)[number]): Case => ({
  name: `an Observable of nothing, of a handler that is ${handler}, has its thing back`,
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ returns: 'none' });
    client.send(handler, order);
    await rig.stage.reached(`handler ${order.id}`);
    await rig.allBack();
  },
});

const lazy = (handler: (typeof HANDLERS)[number] | 'deep'): Case => ({
  name: `an Observable of a handler that is ${handler} borrows when it is subscribed to`,
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ returns: 'lazy' });
    expect(await client.send(handler, order).first()).toEqual({ thing: expect.any(Number) });
    await rig.allBack();
  },
});

export const observables: Theme = {
  promise: 'An `Observable`: held from subscription to its end, its teardown included',
  cases: [
    ...HANDLERS.map(held),
    ...HANDLERS.map(failing),
    ...HANDLERS.map(empty),
    ...(['bare', 'deep', 'surrounded'] as const).map(lazy),
  ],
};

export const givingUp: Theme = {
  promise: 'Given up by an interceptor (`timeout()`): held until the handler has really settled',
  cases: [
    {
      name: 'an interceptor gives up: the thing stays until the handler has settled',
      needs: ['tells'],
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ interceptor: 'gives up', stops: ['handler'] });
        const told = (await client.send('surrounded', order).first()) as { error: unknown };
        expect(told.error).toBeDefined();
        expect(rig.leased).toBe(1);
        rig.stage.open(`handler ${order.id}`);
        await rig.allBack();
      },
    },
    {
      name: 'an interceptor calls the handler again: both calls have the thing of the message',
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ interceptor: 'retries', throws: 'handler', uses: ['filter'] });
        expect(await client.send('surrounded', order).first()).toEqual({
          error: rig.driver.told('thrown at the handler'),
        });
        await rig.allBack();
        expect(rig.work.callsOf(order)).toBe(2);
        expect(new Set(rig.work.usesOf(order).map(use => use.split(' ')[1])).size).toBe(1);
      },
    },
  ],
};
