import { describe, expect, it } from '@jest/globals';
import { eventControllers } from '../support/borrowing/events.js';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { Thing } from '../support/borrowing/thing.js';
import { PLATFORMS } from '../support/nest-app.js';

describe.each(PLATFORMS)('server-sent events on %s', platform => {
  const rig = borrowingRig(platform, { controllers: eventControllers });

  describe.each(WAYS)('borrowed at %s', way => {
    it('have their resource until they are complete', async () => {
      rig.stage.open('setup');
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'sse');
      await rig.stage.reached('subscribed');
      await call.response;
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('complete');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
    });

    it('have their resource until the subscriber has left, and their teardown has run', async () => {
      rig.stage.open('setup');
      const call = rig.call(way, 'sse');
      expect(await call.firstBytes()).toContain('\n');
      await rig.stage.reached('subscribed');
      expect(rig.leased()).toBe(1);
      call.leave();
      // The teardown uses the resource: one that was back too early would be counted.
      await rig.stage.reached('unsubscribed');
      await nextTurn();
      expect(rig.leased()).toBe(0);
    });

    it('have their resource while they are still being set up for a subscriber that has left', async () => {
      const call = rig.call(way, 'sse');
      await rig.stage.reached('setup');
      call.leave();
      await rig.clientsGone();
      expect(rig.leased()).toBe(1);
      rig.stage.open('setup');
      await nextTurn();
      expect(rig.leased()).toBe(0);
    });

    it('give their resource back when their set-up fails for a subscriber that has left', async () => {
      const call = rig.call(way, 'sse', { headers: { 'x-fails': 'setup' } });
      await rig.stage.reached('setup');
      call.leave();
      await rig.clientsGone();
      expect(rig.leased()).toBe(1);
      rig.stage.open('setup');
      await nextTurn();
      expect(rig.leased()).toBe(0);
      expect(Thing.reported).toEqual([expect.objectContaining({ message: 'no events today' })]);
    });

    it('have their resource until the reply is handed over when their set-up fails', async () => {
      const handedOver = rig.handedOver();
      const answer = rig.call(way, 'sse', { headers: { 'x-fails': 'setup' } }).answer();
      rig.stage.open('setup');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await answer).status).toBe(500);
    });

    it('show the pool the error that ends them', async () => {
      rig.stage.open('setup', 'complete');
      const call = rig.call(way, 'sse', { headers: { 'x-fails': 'events' } });
      (await call.response).resume();
      await rig.allBack();
      expect(Thing.reported).toEqual([expect.objectContaining({ message: 'no more events' })]);
    });

    it('give their resource back to a HEAD request, which subscribes and leaves', async () => {
      rig.stage.open('setup');
      const handedOver = rig.handedOver();
      await rig.call(way, 'sse', { method: 'HEAD' }).answer();
      await rig.stage.reached('unsubscribed');
      expect((await handedOver).after).toBe(0);
    });
  });
});
