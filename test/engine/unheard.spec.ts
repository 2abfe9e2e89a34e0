import { describe, expect, it } from '@jest/globals';
import { Pool, PoolShedError, PoolTimeoutError, type PoolOptions } from '../../src/engine/index.js';
import { failureOf } from '../support/follow.js';
import { ManualClock } from '../support/manual-clock.js';

/** The pools of the other tests all have listeners. */
function unheard(settings: Partial<PoolOptions<object>>): { pool: Pool<object>; clock: ManualClock } {
  const clock = new ManualClock();
  const pool = new Pool<object>({ max: 1, clock, create: () => ({}), ...settings } as PoolOptions<object>);
  return { pool, clock };
}

describe('a pool that nobody listens to', () => {
  it.each(['report', 'destroy'] as const)(
    'ends a lease that is held for too long: %s',
    async maxHoldAction => {
      const { pool, clock } = unheard({ maxHold: 100, maxHoldAction });
      const lease = await pool.acquire();
      await clock.advance(110);
      expect(lease.signal.reason).toBeInstanceOf(PoolTimeoutError);
      lease.release();
      await pool.close();
    },
  );

  it('watches for leaks, which nobody hears of', async () => {
    const { pool, clock } = unheard({ leakThreshold: 100 });
    const lease = await pool.acquire();
    await clock.advance(110);
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1 });
    await pool.close();
  });

  it('sheds', async () => {
    const { pool, clock } = unheard({ shed: { target: 10, interval: 100 }, acquireTimeout: Infinity });
    const work = (): Promise<void> =>
      new Promise(resolve => {
        clock.setTimer(resolve, 50);
      });
    const visits = Array.from({ length: 40 }, () =>
      pool.use(work).then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    while (pool.stats().leased > 0) await clock.advance(50);
    const errors = (await Promise.all(visits)).filter(error => error !== undefined);
    expect(errors.length).toBeGreaterThan(1);
    for (const error of errors) expect(error).toBeInstanceOf(PoolShedError);
    await pool.close();
  });

  it('gives up creates and destroys, fails to create, times out and changes its state', async () => {
    const { pool, clock } = unheard({
      unavailableAfter: 1,
      createTimeout: 100,
      create: () => new Promise<object>(() => undefined),
    });
    const late = failureOf(pool.acquire({ timeout: 50 }));
    await clock.advance(200);
    expect(await late).toBeInstanceOf(PoolTimeoutError);
    expect(pool.stats()).toMatchObject({ state: 'unavailable', abandoned: 1 });
    await clock.advance(1_000);
    const closed = pool.close({ timeout: 0 });
    await clock.advance(1_000);
    await closed;
    expect(clock.timersLeft).toBe(0);
  });
});
