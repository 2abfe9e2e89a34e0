import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Thing, type BorrowingApp } from './borrowing-app.js';
import { Call, get } from './http-client.js';
import { forgetLoggers } from './nest-app.js';
import { socketClosed } from './socket-closed.js';
import { until } from './until.js';

/** The application of the test that is running. */
export interface Rig {
  readonly app: BorrowingApp;
  readonly leased: () => number;
  readonly allBack: () => Promise<number>;
}

/** An application for each test, which has to give everything back, once and in time, by its end. */
export function rigOf(start: () => Promise<BorrowingApp>): Rig {
  let app: BorrowingApp | undefined;
  const rig: Rig = {
    get app() {
      return app!;
    },
    leased: () => rig.app.pool.stats().leased,
    allBack: () => until(rig.leased, n => n === 0),
  };
  beforeEach(async () => {
    Thing.reported.length = 0;
    Thing.lentTwice = Thing.usedTooLate = 0;
    app = await start();
  });
  afterEach(async () => {
    rig.app.stage.openAll();
    await rig.allBack();
    const { lentTwice, usedTooLate } = Thing;
    expect({ lentTwice, usedTooLate }).toEqual({ lentTwice: 0, usedTooLate: 0 });
    expect(rig.app.pool.stats()).toMatchObject({ leased: 0, waiting: 0, abandoned: 0 });
    await rig.app.app.close();
    forgetLoggers();
  });
  return rig;
}

/** What holds for every request, whatever else there is in the application. */
export function itLendsAsAlways(rig: Rig): void {
  const { leased, allBack } = rig;

  describe.each(['parameter', 'deep'])('to a handler that borrows at %s', way => {
    const call = (path: string): Call => new Call(`${rig.app.url}/${way}/${path}`);
    const leave = async (leaving: Call): Promise<void> => {
      leaving.leave();
      await socketClosed(rig.app);
    };

    it('lends while it runs, and has it back when its reply has been handed over', async () => {
      const { stage } = rig.app;
      const json = call('json');
      await stage.reached('handler');
      expect(leased()).toBe(1);
      stage.open('handler');
      expect(await json.answer()).toMatchObject({ status: 200, body: '{"id":1}' });
      await allBack();
    });

    it('lends until it has settled, though its client has left', async () => {
      const { stage } = rig.app;
      const json = call('json');
      await stage.reached('handler');
      await leave(json);
      expect(leased()).toBe(1);
      stage.open('handler');
      await allBack();
    });

    it('lends also to the interceptors after it', async () => {
      const { stage } = rig.app;
      const commit = call('commit');
      stage.open('handler');
      await stage.reached('commit');
      expect(leased()).toBe(1);
      stage.open('commit');
      expect((await commit.answer()).body).toBe('{"committed":1,"value":1}');
      await allBack();
    });

    it('lends also to the filter that takes its error', async () => {
      const { stage } = rig.app;
      const failing = call('throw');
      stage.open('handler');
      await stage.reached('filter');
      expect(leased()).toBe(1);
      stage.open('filter');
      expect((await failing.answer()).body).toBe('{"filtered":"from the handler","thing":1}');
      await allBack();
    });

    it.each(['file', 'generator'])('lends until the source of its %s has closed', async kind => {
      const { stage } = rig.app;
      const answer = call(kind).answer();
      await stage.reached('source');
      expect(leased()).toBe(1);
      stage.open('source');
      expect((await answer).body).toHaveLength(200 * 64 * 1024);
      await allBack();
    });

    it.each(['file', 'generator'])(
      'lends until the source of its %s has closed, though its client has left half-way',
      async kind => {
        const { stage } = rig.app;
        const half = call(kind);
        await half.firstBytes();
        await leave(half);
        await stage.reached('source');
        expect(leased()).toBe(1);
        stage.open('source');
        await allBack();
      },
    );

    it('lends until an answer by hand has finished', async () => {
      const { stage } = rig.app;
      const byHand = call('by-hand');
      await stage.reached('by-hand');
      expect(leased()).toBe(1);
      stage.open('by-hand');
      expect((await byHand.answer()).body).toBe('begundone');
      await allBack();
    });

    it('lends until its server-sent events complete', async () => {
      const { stage } = rig.app;
      stage.open('setup');
      const sse = call('sse');
      await stage.reached('subscribed');
      expect(leased()).toBe(1);
      stage.open('complete');
      await sse.response;
      await allBack();
    });

    it('lends until the subscriber of its server-sent events leaves, and its teardown has run', async () => {
      const { stage } = rig.app;
      stage.open('setup');
      const sse = call('sse');
      expect(await sse.firstBytes()).toContain('\n');
      await stage.reached('subscribed');
      expect(leased()).toBe(1);
      sse.leave();
      await stage.reached('unsubscribed');
      await allBack();
    });

    it('lends until the set-up of server-sent events has settled whose subscriber has left', async () => {
      const { stage } = rig.app;
      const sse = call('sse');
      await stage.reached('setup');
      await leave(sse);
      expect(leased()).toBe(1);
      stage.open('setup');
      await allBack();
    });

    it('lends the same to middleware, guards, services and itself', async () => {
      const post = await new Call(`${rig.app.url}/${way}/post`, {
        method: 'POST',
        body: { n: 7 },
        headers: { 'x-middleware': '1' },
      }).answer();
      expect(post).toMatchObject({ status: 201, body: '{"n":7,"id":1}' });
      expect(post.headers['x-middleware']).toBe('1');
      expect((await get(`${rig.app.url}/${way}/twice`)).body).toBe('{"same":true}');
      expect(rig.app.pool.stats().totals.acquired).toBe(2);
    });

    it('lets go of the place in the queue of a client that leaves', async () => {
      const { stage, pool } = rig.app;
      const waiting = (n: number) =>
        until(
          () => pool.stats().waiting,
          seen => seen === n,
        );
      const first = call('json');
      await stage.reached('handler');
      const second = call('json');
      await waiting(1);
      second.leave();
      await waiting(0);
      expect(leased()).toBe(1);
      stage.open('handler');
      await first.answer();
    });
  });
}
