import { describe, expect, it } from '@jest/globals';
import { borrowingMiddleware } from '../support/borrowing/around.js';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { sharingControllers, sharingProviders } from '../support/borrowing/sharing.js';
import { PLATFORMS } from '../support/nest-app.js';

describe.each(PLATFORMS)('everything around a handler on %s', platform => {
  const rig = borrowingRig(platform, {
    controllers: sharingControllers,
    providers: sharingProviders,
    prepare: app => app.use(borrowingMiddleware(app)),
  });

  describe.each(WAYS)('borrowed at %s', way => {
    it('shares one lease: middleware, guards, pipes, interceptors, the handler and its services', async () => {
      rig.stage.open('middleware', 'commit');
      const answer = await rig
        .call(way, 'post/pears', { method: 'POST', body: { n: 7 }, headers: { 'x-middleware': 'goes on' } })
        .answer();
      expect(answer.status).toBe(201);
      expect(answer.headers['x-middleware']).toBe('middleware 1');
      expect(JSON.parse(answer.body)).toEqual({
        committed: 1,
        value: { n: 7, used: ['guard 1', 'pipe: pears of 1', 'handler 1'] },
      });
      expect((await rig.call(way, 'twice').answer()).body).toBe('{"same":true}');
      expect(rig.pool.stats().totals.acquired).toBe(2);
    });

    it('shares it also when the body arrives long after the head', async () => {
      rig.stage.open('commit');
      const arrived = rig.nextExchange().then(nextTurn);
      const call = rig.call(way, 'post/figs', { method: 'POST', body: { n: 7 }, bodyAfter: arrived });
      expect((await call.answer()).body).toContain('"handler 1"');
      expect(rig.pool.stats().totals.acquired).toBe(1);
    });

    it('leaves it to an interceptor after the handler, until the reply is handed over', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'commit');
      rig.stage.open('handler');
      await rig.stage.reached('commit');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('commit');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await call.answer()).body).toBe('{"committed":1,"value":1}');
    });

    it('leaves it to an interceptor after the handler also when the client has left meanwhile', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'commit');
      await rig.stage.reached('handler');
      call.leave();
      await rig.clientsGone();
      rig.stage.open('handler');
      await rig.stage.reached('commit');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('commit');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect(rig.loggedErrors).toEqual([]);
    });

    it('leaves it to an interceptor after what a handler’s Observable has emitted', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'commit-observed');
      rig.stage.open('handler');
      await rig.stage.reached('commit');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('commit');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await call.answer()).body).toBe('{"committed":1,"value":1}');
    });

    it('leaves it to a handler that an outer timeout() has given up, until it has really settled', async () => {
      const handedOver = rig.handedOver();
      const answer = await rig.call(way, 'timeout').answer();
      expect(answer.status).toBe(500);
      expect(await handedOver).toEqual({ before: 1, after: 1 });
      rig.stage.open('handler');
      await nextTurn();
      expect(rig.leased()).toBe(0);
    });

    it('leaves it to an exception filter, until that has settled', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'filtered');
      rig.stage.open('handler');
      await rig.stage.reached('filter');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('filter');
      expect(await handedOver).toMatchObject({ before: 1 });
      await nextTurn();
      expect(rig.leased()).toBe(0);
      expect((await call.answer()).body).toBe('{"filtered":"from the handler","thing":1}');
      expect(rig.pool.stats().totals.acquired).toBe(1);
    });

    it('leaves it to an exception filter also when the client has left meanwhile', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'filtered');
      rig.stage.open('handler');
      await rig.stage.reached('filter');
      call.leave();
      await rig.clientsGone();
      expect(rig.leased()).toBe(1);
      rig.stage.open('filter');
      expect(await handedOver).toMatchObject({ before: 1 });
      await nextTurn();
      expect(rig.leased()).toBe(0);
      expect(rig.pool.stats().totals.destroyed).toBe(0);
    });

    it('gives it back when the exception filter itself fails', async () => {
      const handedOver = rig.handedOver();
      expect((await rig.call(way, 'badly-filtered').answer()).status).toBe(500);
      expect(await handedOver).toEqual({ before: 1, after: 0 });
    });

    it.each([
      ['false', 403],
      ['error', 500],
    ])('gives it back when a guard that has it refuses (%s)', async (refusal, status) => {
      const handedOver = rig.handedOver();
      const answer = rig.call(way, 'guarded', { headers: { 'x-refuse': refusal } }).answer();
      await rig.stage.reached('guard');
      expect(rig.leased()).toBe(1);
      rig.stage.open('guard');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await answer).status).toBe(status);
    });

    it('leaves the queue when a guard refuses beside a pending borrow', async () => {
      const other = await rig.pool.acquire();
      const answer = rig.call(way, 'hastily-guarded').answer();
      await rig.stage.reached('guard');
      expect(rig.waiting()).toBe(1);
      rig.stage.open('guard');
      await rig.stage.reached('BorrowScopeEndedError');
      expect(rig.waiting()).toBe(0);
      expect((await answer).status).toBe(500);
      other.release();
      expect(rig.pool.stats().totals.acquired).toBe(1);
    });

    it('leaves the queue when a pipe throws beside a pending borrow', async () => {
      const other = await rig.pool.acquire();
      const handedOver = rig.handedOver();
      const answer = rig.call(way, 'piped/a/b').answer();
      await rig.stage.reached('pipe');
      await rig.waitingAre(1);
      rig.stage.open('pipe');
      await handedOver;
      await nextTurn();
      expect(rig.waiting()).toBe(0);
      expect((await answer).status).toBe(500);
      other.release();
      expect(rig.pool.stats().totals.acquired).toBe(1);
    });

    it('gives it back when a pipe throws beside one that has it', async () => {
      const handedOver = rig.handedOver();
      const answer = rig.call(way, 'piped/a/b').answer();
      await rig.stage.reached('pipe');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('pipe');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await answer).status).toBe(500);
    });

    it('gives it back when a middleware answers itself', async () => {
      const handedOver = rig.handedOver();
      const answer = rig.call(way, 'twice', { headers: { 'x-middleware': 'answers' } }).answer();
      await rig.stage.reached('middleware');
      expect(rig.leased()).toBe(1);
      rig.stage.open('middleware');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await answer).body).toBe('1');
    });

    it('does not lend it to a middleware before the body has come', async () => {
      let send = (): void => undefined;
      const sent = new Promise<void>(resolve => (send = resolve));
      const call = rig.call(way, 'post/plums', {
        method: 'POST',
        headers: { 'x-middleware': 'goes on', expect: '100-continue', 'content-type': 'application/json' },
        body: { n: 7 },
        bodyAfter: sent,
      });
      await call.mayContinue;
      await nextTurn();
      expect(rig.pool.stats()).toMatchObject({ leased: 0, waiting: 0 });
      send();
      await rig.stage.reached('middleware');
      expect(rig.leased()).toBe(1);
      rig.stage.openAll();
      expect((await call.answer()).status).toBe(201);
    });

    it('lends it to no middleware whose client leaves before the body has come', async () => {
      const exchange = rig.nextExchange();
      const call = rig.call(way, 'post/plums', {
        method: 'POST',
        headers: { 'x-middleware': 'goes on', expect: '100-continue', 'content-type': 'application/json' },
        body: { n: 7 },
        bodyAfter: new Promise(() => undefined),
      });
      await call.mayContinue;
      call.leave();
      await (
        await exchange
      ).handedOver;
      expect(rig.pool.stats().totals.acquired).toBe(0);
      expect(rig.loggedErrors).toEqual([]);
    });

    it('lends it to a middleware that answers without asking for the body', async () => {
      rig.server.once('checkContinue', (request, response) => rig.server.emit('request', request, response));
      rig.stage.open('middleware');
      const call = rig.call(way, 'post/plums', {
        method: 'POST',
        headers: { 'x-middleware': 'answers', expect: '100-continue', 'content-type': 'application/json' },
        body: { n: 7 },
        bodyAfter: new Promise(() => undefined),
      });
      expect((await call.answer()).body).toBe('1');
      await rig.allBack();
      call.leave();
    });

    it('cannot have it after the request is over', async () => {
      await rig.call(way, 'unawaited').answer();
      rig.stage.open('afterwards');
      await rig.stage.reached('BorrowScopeEndedError');
    });
  });
});
