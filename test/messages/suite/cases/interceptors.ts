import { expect } from '@jest/globals';
import { turns } from '../rig.js';
import type { Case, Theme } from './case.js';
import { leavesAtWork } from './leaving.js';

/** Where an interceptor works with the thing that is not about a value of the handler's. */
const PLACES = { defers: 'deferred', concludes: 'last' } as const;
type Kind = keyof typeof PLACES;
const KINDS: readonly Kind[] = ['defers', 'concludes'];

const working = (interceptor: Kind, returns?: 'two'): Case => ({
  name: `an interceptor that ${interceptor} has the thing of the message as long as it works, around ${returns ? 'an Observable' : 'a value'}`,
  run: async rig => {
    const client = await rig.client();
    const place = PLACES[interceptor];
    const order = rig.order({ interceptor, uses: [place], stops: [place], ...(returns && { returns }) });
    const reply = client.send('surrounded', order);
    await rig.stage.reached(`${place} ${order.id}`);
    await turns();
    expect(rig.leased).toBe(1);
    rig.stage.open(`${place} ${order.id}`);
    const values = await reply.count(returns && rig.driver.can.includes('streams') ? 2 : 1);
    expect(values.at(-1)).toEqual({ thing: expect.any(Number) });
    await rig.allBack();
    expect(new Set(rig.work.usesOf(order).map(use => use.split(' ')[1])).size).toBe(1);
  },
});

const left = (interceptor: Kind): Case => ({
  name: `the peer leaves while an interceptor that ${interceptor} is at work with the thing: nobody else gets it meanwhile`,
  needs: ['leaving'],
  run: async rig => {
    const client = await rig.client();
    const place = PLACES[interceptor];
    const order = rig.order({ interceptor, uses: [place], stops: [place] });
    client.send('surrounded', order);
    await rig.stage.reached(`${place} ${order.id}`);
    // It is told when the server has noticed.
    const other = rig.order({ stops: ['handler'] });
    client.send('bare', other);
    await rig.stage.reached(`handler ${other.id}`);
    client.leave();
    await rig.stage.reached(`left ${other.id}`);
    await turns();
    expect(rig.leased).toBe(2);
    rig.stage.open(`handler ${other.id}`);
    // Nest gives up what gateways answer, and nobody can tell any more when the interceptor is done.
    if (rig.driver.can.includes('hooks')) rig.expectsDestroyed = ['AbandonedError'];
    else rig.stage.open(`${place} ${order.id}`);
    await rig.allBack();
  },
});

const announcing: Case = {
  name: 'an interceptor says something before the handler has: the thing stays to the end of the Observable',
  needs: ['streams'],
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ interceptor: 'announces', returns: 'two', stops: ['handler', 'half'] });
    const reply = client.send('surrounded', order);
    await rig.stage.reached(`handler ${order.id}`);
    expect(rig.leased).toBe(1);
    rig.stage.open(`handler ${order.id}`);
    await rig.stage.reached(`half ${order.id}`);
    await turns();
    expect(rig.leased).toBe(1);
    rig.stage.open(`half ${order.id}`);
    await rig.stage.reached(`teardown ${order.id}`);
    await reply.count(2);
    await rig.allBack();
  },
};

const leftAnnounced: Case = {
  name: 'the peer leaves when an interceptor has said something: the handler, which is at work, keeps the thing until it has settled',
  needs: ['streams', 'leaving'],
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ interceptor: 'announces', returns: 'endless', stops: ['handler'] });
    client.send('surrounded', order);
    await leavesAtWork(rig, client, order);
  },
};

const sharing = (returns: 'two' | 'endless'): Case => ({
  name: `an interceptor shares the values of an Observable ${returns === 'two' ? 'that ends' : 'without end, and its peer leaves'}: the thing goes back after its teardown`,
  needs: returns === 'two' ? [] : ['streams', 'leaving'],
  run: async rig => {
    const client = await rig.client();
    const order = rig.order({ interceptor: 'shares', returns });
    const reply = client.send('surrounded', order);
    await reply.count(1);
    if (returns === 'endless') {
      expect(rig.leased).toBe(1);
      client.leave();
    }
    await rig.stage.reached(`teardown ${order.id}`);
    await rig.allBack();
  },
});

export const interceptors: Theme = {
  promise:
    'Interceptors with work or values of their own (`defer`, `concat`, `startWith`, `shareReplay`): held until what they make is over',
  cases: [
    ...KINDS.flatMap(kind => [working(kind), working(kind, 'two'), left(kind)]),
    announcing,
    leftAnnounced,
    sharing('two'),
    sharing('endless'),
  ],
};
