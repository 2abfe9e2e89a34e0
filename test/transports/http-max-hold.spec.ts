import { describe, expect, it } from '@jest/globals';
import type { LeakEvent } from '../../src/index.js';
import { byHandControllers } from '../support/borrowing/by-hand.js';
import { borrowingRig } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { PLATFORMS } from '../support/nest-app.js';
import { until } from '../support/until.js';

describe.each(PLATFORMS)(
  'an answer by hand that is never ended, for a client that stays, on %s',
  platform => {
    const leaks: LeakEvent[] = [];
    const listeners = [{ onLeak: (event: LeakEvent) => leaks.push(event) }];
    const reported = (): Promise<LeakEvent> =>
      until(
        () => leaks.shift(),
        event => event !== undefined,
      ) as Promise<LeakEvent>;

    describe.each(WAYS)('borrowed at %s', way => {
      describe('with maxHold', () => {
        const rig = borrowingRig(platform, {
          controllers: byHandControllers,
          pool: { maxHold: 30, listeners },
        });

        it('keeps its resource, which the pool reports', async () => {
          const call = rig.call(way, 'never');
          await rig.stage.reached('left alone');
          expect(await reported()).toMatchObject({ limit: 'maxHold', returned: false });
          expect(rig.leased()).toBe(1);
          call.leave();
          expect(await reported()).toMatchObject({ limit: 'maxHold', returned: true });
        });
      });

      describe('with maxHoldAction "destroy"', () => {
        const rig = borrowingRig(platform, {
          controllers: byHandControllers,
          pool: { maxHold: 30, maxHoldAction: 'destroy', listeners },
        });

        it('loses its resource to the pool, which can serve others', async () => {
          const call = rig.call(way, 'never');
          await rig.stage.reached('left alone');
          expect(await reported()).toMatchObject({ limit: 'maxHold', returned: false });
          await rig.allBack();
          expect(rig.pool.stats().totals.destroyedBy).toEqual({ held: 1 });
          const other = await rig.pool.acquire();
          expect(other.resource.id).toBe(2);
          other.release();
          call.leave();
          await rig.clientsGone();
          leaks.length = 0;
        });
      });
    });
  },
);
