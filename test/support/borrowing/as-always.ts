import { describe, expect, it } from '@jest/globals';
import type { Platform } from '../nest-app.js';
import { streamed } from './bodies.js';
import type { BorrowingRig } from './rig.js';
import { WAYS } from './services.js';
import type { Call } from '../http-client.js';

/** What holds for every request, whatever else there is in the application. */
export function itLendsAsAlways(rig: BorrowingRig, platform: Platform): void {
  const leased = (): number => rig.leased();
  const allBack = (): Promise<void> => rig.allBack();

  describe.each(WAYS)('to a handler that borrows at %s', way => {
    const call = (path: string): Call => rig.call(way, path);
    const leave = async (leaving: Call): Promise<void> => {
      leaving.leave();
      await rig.clientsGone();
    };

    it('lends while it runs, and has it back when its reply has been handed over', async () => {
      const { stage } = rig;
      const json = call('json');
      await stage.reached('handler');
      expect(leased()).toBe(1);
      stage.open('handler');
      expect(await json.answer()).toMatchObject({ status: 200, body: '{"id":1}' });
      await allBack();
    });

    it('lends until it has settled, though its client has left', async () => {
      const { stage } = rig;
      const json = call('json');
      await stage.reached('handler');
      await leave(json);
      expect(leased()).toBe(1);
      stage.open('handler');
      await allBack();
    });

    it('lends also to the interceptors after it', async () => {
      const { stage } = rig;
      const commit = call('commit');
      stage.open('handler');
      await stage.reached('commit');
      expect(leased()).toBe(1);
      stage.open('commit');
      expect((await commit.answer()).body).toBe('{"committed":1,"value":1}');
      await allBack();
    });

    it('lends also to the filter that takes its error', async () => {
      const { stage } = rig;
      const failing = call('filtered');
      stage.open('handler');
      await stage.reached('filter');
      expect(leased()).toBe(1);
      stage.open('filter');
      expect((await failing.answer()).body).toBe('{"filtered":"from the handler","thing":1}');
      await allBack();
    });

    it.each(streamed(platform, ['file', 'generator']))(
      'lends until the source of its %s has closed',
      async kind => {
        const { stage } = rig;
        const answer = call(kind).answer();
        await stage.reached('source');
        expect(leased()).toBe(1);
        stage.open('source');
        expect((await answer).body).toHaveLength(200 * 64 * 1024);
        await allBack();
      },
    );

    it.each(streamed(platform, ['file', 'generator']))(
      'lends until the source of its %s has closed, though its client has left half-way',
      async kind => {
        const { stage } = rig;
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
      const { stage } = rig;
      const byHand = call('by-hand');
      await stage.reached('by-hand');
      expect(leased()).toBe(1);
      stage.open('by-hand');
      expect((await byHand.answer()).body).toBe('begundone');
      await allBack();
    });

    it('lends until its server-sent events complete', async () => {
      const { stage } = rig;
      stage.open('setup');
      const sse = call('sse');
      await stage.reached('subscribed');
      expect(leased()).toBe(1);
      stage.open('complete');
      await sse.response;
      await allBack();
    });

    it('lends until the subscriber of its server-sent events leaves, and its teardown has run', async () => {
      const { stage } = rig;
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
      const { stage } = rig;
      const sse = call('sse');
      await stage.reached('setup');
      await leave(sse);
      expect(leased()).toBe(1);
      stage.open('setup');
      await allBack();
    });

    it('lends the same to middleware, guards, services and itself', async () => {
      rig.stage.open('middleware', 'commit');
      const post = await rig
        .call(way, 'post/pears', { method: 'POST', body: { n: 7 }, headers: { 'x-middleware': 'goes on' } })
        .answer();
      expect(post.status).toBe(201);
      expect(post.headers['x-middleware']).toBe('middleware 1');
      expect(JSON.parse(post.body)).toEqual({
        committed: 1,
        value: { n: 7, used: ['guard 1', 'pipe: pears of 1', 'handler 1'] },
      });
      expect((await call('twice').answer()).body).toBe('{"same":true}');
      expect(rig.pool.stats().totals.acquired).toBe(2);
    });

    it('lets go of the place in the queue of a client that leaves', async () => {
      const { stage } = rig;
      const first = call('json');
      await stage.reached('handler');
      const second = call('json');
      await rig.waitingAre(1);
      second.leave();
      await rig.waitingAre(0);
      expect(leased()).toBe(1);
      stage.open('handler');
      await first.answer();
    });
  });
}
