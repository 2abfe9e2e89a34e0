import { describe, expect, it } from '@jest/globals';
import { nextTurn } from '../../support/borrowing/rig.js';
import { Thing } from '../../support/borrowing/thing.js';
import { GRAPHQL_SERVERS } from '../../support/graphql/servers.js';
import { subscriptionRig } from '../../support/graphql/subscription-rig.js';
import { Call } from '../../support/http-client.js';

describe.each(GRAPHQL_SERVERS)('a subscription of $name', server => {
  const rig = subscriptionRig(server);
  const { borrowing } = rig;
  const totals = (): unknown => borrowing.pool.stats().totals;
  const isIdle = async (acquired: number): Promise<void> => {
    await borrowing.allBack();
    await nextTurn();
    expect(totals()).toMatchObject({ acquired, released: acquired, destroyed: 0 });
  };

  it('has a resource in its subscribe method until that has settled', async () => {
    const received = rig.client().subscribe('subscription { borrows { id } }');
    await borrowing.stage.reached('subscribing');
    expect(borrowing.leased()).toBe(1);
    borrowing.stage.open('subscribing');
    await rig.listening('commented', 1);
    await isIdle(1);
    await rig.publish('commented', 3);
    expect(await received.result(1)).toEqual({ data: { borrows: { id: 3 } } });
    await isIdle(1);
  });

  it('has one resource for each event, and nothing in between', async () => {
    const received = rig.client().subscribe('subscription { commented { lentTo fast } }');
    for (let id = 1; id <= 3; id++) {
      await rig.listening('commented', 1);
      await isIdle(id - 1);
      await rig.publish('commented', id);
      const value = id * 10 + 1;
      expect(await received.result(id)).toEqual({ data: { commented: { lentTo: value, fast: value } } });
    }
    await isIdle(3);
  });

  it('shares the resource of an event among its filter, its resolve function and its fields', async () => {
    borrowing.stage.open('subscribing', 'filter');
    const received = rig.client().subscribe('subscription { filtered { id lentTo fast } }');
    await rig.listening('filtered', 1);
    await isIdle(1);
    await rig.publish('filtered', 2);
    expect(await received.result(1)).toEqual({ data: { filtered: { id: 21, lentTo: 211, fast: 211 } } });
    await isIdle(2);
  });

  it('gives back what a filter has borrowed for an event that does not pass', async () => {
    borrowing.stage.open('subscribing');
    const received = rig.client().subscribe('subscription { filtered { id } }');
    await rig.listening('filtered', 1);
    await isIdle(1);
    await rig.publish('filtered', 1);
    await borrowing.stage.reached('filter');
    expect(borrowing.leased()).toBe(1);
    borrowing.stage.open('filter');
    await isIdle(2);
    await rig.publish('filtered', 2);
    expect(await received.result(1)).toEqual({ data: { filtered: { id: 21 } } });
    await isIdle(3);
  });

  it('has nothing of the request that emits its events', async () => {
    const received = rig.client().subscribe('subscription { write: commented { lentTo } }');
    await rig.listening('commented', 1);
    const answer = new Call(borrowing.url('graphql'), {
      method: 'POST',
      body: { query: 'mutation { write(topic: "commented") }' },
    }).answer();
    expect(JSON.parse((await answer).body)).toEqual({ data: { write: 1 } });
    expect(await received.result(1)).toEqual({ data: { write: { lentTo: 71 } } });
    await isIdle(2);
  });

  it('has its event’s resource until its last resolver is done, also when another has failed it', async () => {
    const received = rig.client().subscribe('subscription { commented { waits fails } }');
    await rig.listening('commented', 1);
    await rig.publish('commented', 1);
    expect(await received.result(1)).toMatchObject({ errors: [{ message: 'fails' }] });
    await nextTurn();
    expect(borrowing.leased()).toBe(1);
    borrowing.stage.open('waits');
    await isIdle(1);
  });

  it('has its event’s resource while the executor waits for a promise that a resolver has returned', async () => {
    const received = rig.client().subscribe('subscription { commented { lentTo later } }');
    await rig.listening('commented', 1);
    const later = [borrowing.stage.pass('later').then(() => 5)];
    await rig.topics.publish('commented', { commented: { id: 1, later } });
    await borrowing.stage.reached('later');
    await nextTurn();
    await nextTurn();
    expect(borrowing.leased()).toBe(1);
    borrowing.stage.open('later');
    expect(await received.result(1)).toEqual({ data: { commented: { lentTo: 11, later: [5] } } });
    await isIdle(1);
  });

  it('is as many as there are clients, each with a resource of its own for the same event', async () => {
    const query = 'subscription { commented { lentTo waits } }';
    const all = [rig.client().subscribe(query), rig.client().subscribe(query)];
    const again = rig.client();
    all.push(again.subscribe(query), again.subscribe(query));
    borrowing.stage.open('waits');
    for (let round = 1; round <= 2; round++) {
      await rig.listening('commented', 4);
      await rig.publish('commented', 1);
      for (const one of all)
        expect(await one.result(round)).toEqual({ data: { commented: { lentTo: 11, waits: 1 } } });
    }
    await isIdle(8);
  });

  it('has its resource for as long as it is an async generator', async () => {
    const received = rig.client().subscribe('subscription { generated { id } }');
    for (let id = 1; id <= 2; id++) {
      await borrowing.stage.reached(`generates ${id}`);
      expect(borrowing.leased()).toBe(1);
      borrowing.stage.open(`generates ${id}`);
      expect(await received.result(id)).toEqual({ data: { generated: { id: id * 10 + 1 } } });
    }
    await borrowing.stage.reached('generates 3');
    received.unsubscribe();
    await borrowing.stage.reached('generator ends');
    expect(borrowing.leased()).toBe(1);
    borrowing.stage.open('generator ends');
    await isIdle(1);
  });

  it('is an async generator that is told when its client has left', async () => {
    const client = rig.client();
    client.subscribe('subscription { generated { id } }');
    await borrowing.stage.reached('generates 1');
    client.lose();
    await borrowing.stage.reached('generator ends');
    expect(borrowing.leased()).toBe(1);
    borrowing.stage.open('generator ends');
    await isIdle(1);
  });

  it('cannot borrow where it waits for its events', async () => {
    const received = rig.client().subscribe('subscription { polled { id } }');
    await received.ended();
    expect(JSON.stringify(received.error)).toMatch(/no borrow scope/);
    await isIdle(0);
  });

  it('is no place for a query, which has a resource of its own', async () => {
    const client = rig.client();
    const received = client.subscribe('subscription { commented { lentTo } }');
    await rig.listening('commented', 1);
    expect(await client.ask('{ deep comment { lentTo fast } }')).toEqual({
      data: { deep: 1, comment: { lentTo: 11, fast: 11 } },
    });
    await isIdle(1);
    expect(await client.ask('mutation { write(topic: "commented") }')).toEqual({ data: { write: 1 } });
    expect(await received.result(1)).toEqual({ data: { commented: { lentTo: 71 } } });
    await isIdle(3);
  });

  it('keeps nothing while its client does not read what it is sent', async () => {
    const client = rig.client();
    client.subscribe('subscription { commented { lentTo long } }');
    await rig.listening('commented', 1);
    client.stopReading();
    await rig.publish('commented', 1);
    await rig.publish('commented', 2);
    await isIdle(1);
    expect(Thing.usedTooLate).toBe(0);
  });
});
