import { describe, expect, it } from '@jest/globals';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { Thing } from '../support/borrowing/thing.js';
import { valueControllers } from '../support/borrowing/values.js';
import { PLATFORMS } from '../support/nest-app.js';

describe.each(PLATFORMS)('a value as the answer on %s', platform => {
  const rig = borrowingRig(platform, { controllers: valueControllers });

  describe.each(WAYS)('borrowed at %s', way => {
    it('has its resource while the handler runs, and until the reply is handed over', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'json');
      await rig.stage.reached('handler');
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect(await call.answer()).toMatchObject({ status: 200, body: '{"id":1}' });
    });

    it.each([
      ['json', 'HEAD', 200],
      ['nothing', 'GET', 200],
      ['redirect', 'GET', 301],
      ['redirect-to', 'GET', 307],
      ['cached', 'GET', 200],
      ['throw', 'GET', 500],
    ])('has its resource until the reply is handed over: %s, %s', async (path, method, status) => {
      rig.stage.open('handler');
      const handedOver = rig.handedOver();
      const answer = rig.call(way, path, { method }).answer();
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await answer).status).toBe(status);
    });

    it('has told where to go, as its resource had it, when it redirects', async () => {
      expect((await rig.call(way, 'redirect').answer()).headers.location).toBe('/elsewhere');
      expect((await rig.call(way, 'redirect-to').answer()).headers.location).toBe('/things/1');
    });

    it('has its resource until a 304 is handed over, which has no body', async () => {
      const { headers } = await rig.call(way, 'cached').answer();
      const handedOver = rig.handedOver();
      const answer = await rig.call(way, 'cached', { headers: { 'if-none-match': headers.etag } }).answer();
      expect(answer).toMatchObject({ status: 304, body: '' });
      expect(await handedOver).toEqual({ before: 1, after: 0 });
    });

    it('gives its resource back before a slow reader has it', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'big');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await call.response).complete).toBe(false);
      call.leave();
    });

    it('leaves the resource to a handler whose client is gone until it has settled', async () => {
      const exchange = rig.nextExchange();
      const call = rig.call(way, 'json');
      await rig.stage.reached('handler');
      call.leave();
      await rig.clientsGone();
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      expect(await (await exchange).handedOver).toEqual({ before: 1, after: 0 });
    });

    it('shows the error of the handler to the pool', async () => {
      rig.stage.open('handler');
      await rig.call(way, 'throw').answer();
      expect(Thing.reported).toEqual([expect.objectContaining({ message: 'from the handler' })]);
    });

    it('has nothing left of a borrow that it threw beside', async () => {
      expect((await rig.call(way, 'throw-at-once').answer()).status).toBe(500);
      await nextTurn();
      expect(rig.leased()).toBe(0);
    });

    it('is the last of an Observable, whose resource is there until the reply is handed over', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'observable');
      await rig.stage.reached('running');
      expect(rig.leased()).toBe(1);
      rig.stage.open('running');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await call.answer()).body).toBe('{"id":1}');
    });

    it('takes the resource from an Observable whose client has left when its teardown has run', async () => {
      const call = rig.call(way, 'observable');
      await rig.stage.reached('running');
      expect(rig.leased()).toBe(1);
      call.leave();
      await rig.stage.reached('unsubscribed');
      await rig.allBack();
      await rig.stage.reached('over');
    });
  });
});

describe('a value as the answer on Express', () => {
  const rig = borrowingRig('express', { controllers: valueControllers });

  it.each(WAYS)('has its resource until Express has found that the client knows it (%s)', async way => {
    rig.stage.open('handler');
    const { headers } = await rig.call(way, 'json').answer();
    const handedOver = rig.handedOver();
    const answer = await rig.call(way, 'json', { headers: { 'if-none-match': headers.etag } }).answer();
    expect(answer.status).toBe(304);
    expect(await handedOver).toEqual({ before: 1, after: 0 });
  });
});
