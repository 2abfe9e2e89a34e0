import { describe, expect, it } from '@jest/globals';
import type { Lease } from '../../../src/engine/index.js';
import { nextTurn } from '../../support/borrowing/rig.js';
import type { Thing } from '../../support/borrowing/thing.js';
import type { GraphqlClient, Received } from '../../support/graphql/client.js';
import { GRAPHQL_SERVERS } from '../../support/graphql/servers.js';
import { subscriptionRig } from '../../support/graphql/subscription-rig.js';

const WAYS = ['unsubscribes', 'vanishes'] as const;

describe.each(GRAPHQL_SERVERS)('a client of $name that leaves', server => {
  let context: { subscriptions?: object; extra?: { socket: NodeJS.EventEmitter } } = {};
  const keepContext = (given: object): object => {
    context = given;
    return { req: given };
  };
  const rig = subscriptionRig(
    server,
    server.isApollo ? { subscriptions: { 'graphql-ws': { context: keepContext } } } : {},
  );
  const { borrowing } = rig;

  const leave = (how: (typeof WAYS)[number], client: GraphqlClient, received: Received): void => {
    if (how === 'vanishes') client.lose();
    else received.unsubscribe();
  };
  const isIdle = async (acquired: number): Promise<void> => {
    await borrowing.allBack();
    await nextTurn();
    expect(borrowing.pool.stats()).toMatchObject({
      waiting: 0,
      totals: { acquired, released: acquired, destroyed: 0 },
    });
  };
  const withTheOnlyThingLent = async (work: (lease: Lease<Thing>) => Promise<void>): Promise<void> => {
    const lease = await borrowing.pool.acquire();
    try {
      await work(lease);
    } finally {
      lease.release();
    }
  };

  describe.each(WAYS)('(%s)', how => {
    it.each(['borrows', 'filtered'])(
      'while it waits for what is being subscribed to is not waited for: %s',
      async field => {
        await withTheOnlyThingLent(async () => {
          const client = rig.client();
          const received = client.subscribe(`subscription { ${field} { id } }`);
          await borrowing.waitingAre(1);
          leave(how, client, received);
          await borrowing.waitingAre(0);
        });
        await isIdle(1);
        expect(rig.topics.listening('commented') + rig.topics.listening('filtered')).toBe(0);
      },
    );

    it('while its subscribe method runs leaves it what it has borrowed', async () => {
      const client = rig.client();
      const received = client.subscribe('subscription { borrows { id } }');
      await borrowing.stage.reached('subscribing');
      leave(how, client, received);
      await (how === 'vanishes' ? borrowing.clientsGone() : client.ask('{ __typename }'));
      expect(borrowing.leased()).toBe(1);
      borrowing.stage.open('subscribing');
      await isIdle(1);
      // Mercurius subscribes all the same, for as long as there is a connection.
      if (!server.isApollo) client.lose();
      await rig.listening('commented', 0);
    });

    it('while an event is resolved leaves that what it has borrowed', async () => {
      const client = rig.client();
      const received = client.subscribe('subscription { commented { waits } }');
      await rig.listening('commented', 1);
      await rig.publish('commented', 1);
      await borrowing.stage.reached('waits');
      leave(how, client, received);
      await rig.listening('commented', 0);
      expect(borrowing.leased()).toBe(1);
      borrowing.stage.open('waits');
      await isIdle(1);
    });

    it('while the executor waits for a promise, which nobody can see the end of, destroys what the event has', async () => {
      const client = rig.client();
      const received = client.subscribe('subscription { commented { lentTo later } }');
      await rig.listening('commented', 1);
      const later = [borrowing.stage.pass('later').then(() => 5)];
      await rig.topics.publish('commented', { commented: { id: 1, later } });
      await borrowing.stage.reached('later');
      leave(how, client, received);
      await rig.listening('commented', 0);
      await borrowing.allBack();
      expect(borrowing.pool.stats().totals).toMatchObject({ acquired: 1, destroyed: 1 });
      borrowing.stage.open('later');
    });

    it('while an event waits for a resource is not waited for', async () => {
      const client = rig.client();
      const received = client.subscribe('subscription { commented { fast } }');
      await rig.listening('commented', 1);
      await withTheOnlyThingLent(async () => {
        await rig.publish('commented', 1);
        await borrowing.waitingAre(1);
        leave(how, client, received);
        await borrowing.waitingAre(0);
      });
      await isIdle(1);
    });

    it('between two events leaves nothing', async () => {
      const client = rig.client();
      const received = client.subscribe('subscription { commented { lentTo } }');
      await rig.listening('commented', 1);
      await rig.publish('commented', 1);
      await received.result(1);
      leave(how, client, received);
      await rig.listening('commented', 0);
      await isIdle(1);
    });
  });

  it('while a query runs leaves that what it has borrowed', async () => {
    const client = rig.client();
    void client.ask('{ slow }').catch(() => undefined);
    await borrowing.stage.reached('slow');
    client.lose();
    await borrowing.clientsGone();
    expect(borrowing.leased()).toBe(1);
    borrowing.stage.open('slow');
    await isIdle(1);
  });

  it('of two that wait on one connection leaves the other alone', async () => {
    let received: Received | undefined;
    await withTheOnlyThingLent(async () => {
      const client = rig.client();
      const first = client.subscribe('subscription { borrows { id } }');
      await borrowing.waitingAre(1);
      received = client.subscribe('subscription { borrows { lentTo } }');
      await borrowing.waitingAre(2);
      first.unsubscribe();
      await client.ask('{ __typename }');
      // Which of them it was is not told everywhere.
      expect(borrowing.waiting()).toBeGreaterThanOrEqual(1);
    });
    borrowing.stage.open('subscribing');
    await borrowing.allBack();
    await rig.listening('commented', 1);
    await rig.publish('commented', 1);
    expect(await received!.result(1)).toEqual({ data: { borrows: { lentTo: 11 } } });
  });

  it('again and again adds no listeners to its connection', async () => {
    const connected = new Promise<NodeJS.EventEmitter>(resolve => {
      borrowing.server.once('connection', resolve);
    });
    const client = rig.client();
    await client.ask('{ __typename }');
    const socket = await connected;
    const counts = (): unknown =>
      [socket, context.extra?.socket].map(one => [
        one?.listenerCount('close'),
        one?.listenerCount('message'),
      ]);
    const round = async (): Promise<void> => {
      await withTheOnlyThingLent(async () => {
        const received = client.subscribe('subscription { borrows { id } }');
        await borrowing.waitingAre(1);
        received.unsubscribe();
        await borrowing.waitingAre(0);
      });
      const received = client.subscribe('subscription { commented { fast } }');
      await rig.listening('commented', 1);
      await rig.publish('commented', 1);
      await received.result(1);
      received.unsubscribe();
      await rig.listening('commented', 0);
    };
    await round();
    const before = counts();
    for (let times = 0; times < 20; times++) await round();
    expect(counts()).toEqual(before);
  });
});
