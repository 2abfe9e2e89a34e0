import { describe, expect, it } from '@jest/globals';
import { byHandControllers, nextControllers } from '../support/borrowing/by-hand.js';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { PLATFORMS } from '../support/nest-app.js';

describe.each(PLATFORMS)('an answer by hand on %s', platform => {
  const rig = borrowingRig(platform, { controllers: byHandControllers });

  describe.each(WAYS)('borrowed at %s', way => {
    it.each(['by-hand', 'sent-by-hand', 'stream-by-hand'])(
      'has its resource until the response has finished (%s)',
      async path => {
        const exchange = rig.nextExchange();
        const answer = rig.call(way, path).answer();
        await rig.stage.reached('by-hand');
        await nextTurn();
        expect(rig.leased()).toBe(1);
        rig.stage.open('by-hand');
        const { handedOver, finished } = await exchange;
        expect(await handedOver).toEqual({ before: 1, after: 1 });
        expect(await finished).toEqual({ before: 1, after: 0 });
        expect((await answer).status).toBe(200);
      },
    );

    it('has its resource while a slow reader has not read all of it', async () => {
      const exchange = rig.nextExchange();
      const call = rig.call(way, 'big-by-hand');
      await call.firstBytes();
      await nextTurn();
      expect(rig.leased()).toBe(1);
      await call.rest();
      expect(await (await exchange).finished).toEqual({ before: 1, after: 0 });
    });

    it('gives its resource back when all has been handed over and its client leaves half-way', async () => {
      const call = rig.call(way, 'big-by-hand');
      await call.firstBytes();
      await nextTurn();
      expect(rig.leased()).toBe(1);
      call.leave();
      await rig.clientsGone();
      expect(rig.leased()).toBe(0);
    });

    it('has its resource until it is ended also when its client has left half-way', async () => {
      const call = rig.call(way, 'by-hand');
      await call.firstBytes();
      call.leave();
      await rig.clientsGone();
      expect(rig.leased()).toBe(1);
      rig.stage.open('by-hand');
      await rig.allBack();
      expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed: 0 });
    });

    it.each(['piped-by-hand', 'pipeline-by-hand'])(
      'has its resource until what is piped into it has closed when its client leaves half-way (%s)',
      async path => {
        const call = rig.call(way, path);
        await call.firstBytes();
        call.leave();
        await rig.stage.reached('source');
        await nextTurn();
        expect(rig.leased()).toBe(1);
        rig.stage.open('source');
        await rig.stage.reached('closed');
        await rig.allBack();
        expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed: 0 });
      },
    );

    it('has its resource until the response has finished that a filter gives for its error', async () => {
      const exchange = rig.nextExchange();
      expect((await rig.call(way, 'throw-by-hand').answer()).status).toBe(500);
      expect(await (await exchange).finished).toEqual({ before: 1, after: 0 });
    });
  });
});

describe.each(PLATFORMS)('an answer by hand on %s that is never ended', platform => {
  const rig = borrowingRig(platform, { controllers: byHandControllers, abandonedTimeout: 50 });

  it.each(WAYS)(
    'has its resource destroyed, and never lent to anybody, when its client leaves (%s)',
    async way => {
      const call = rig.call(way, 'never');
      await rig.stage.reached('left alone');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      call.leave();
      await rig.allBack();
      expect(rig.pool.stats().totals.destroyedBy).toEqual({ caller: 1 });
      expect(rig.logged).toContainEqual(
        expect.stringMatching(/^warn: GET \/\w+\/never: the client has left, .*scopes\.until/),
      );
    },
  );
});

describe('a handler on Express that calls next()', () => {
  const rig = borrowingRig('express', { controllers: nextControllers });

  describe.each(WAYS)('borrowed at %s', way => {
    it('shares its resource with the handler that comes next, and as long as that one needs it', async () => {
      const exchange = rig.nextExchange();
      const answer = rig.call(way, 'next').answer();
      await rig.stage.reached('handler');
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      expect(await (await exchange).handedOver).toEqual({ before: 1, after: 0 });
      expect((await answer).body).toBe('{"id":1}');
      expect(rig.pool.stats().totals.acquired).toBe(1);
    });

    it('has its resource until the response has finished when there is nobody next', async () => {
      const exchange = rig.nextExchange();
      rig.stage.open('handler');
      expect((await rig.call(way, 'next-to-nobody').answer()).status).toBe(404);
      expect(await (await exchange).finished).toEqual({ before: 1, after: 0 });
    });
  });
});
