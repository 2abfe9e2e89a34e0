import { describe, expect, it } from '@jest/globals';
import type { Lease } from '../../src/engine/index.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { ok, slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('a round of upkeep', () => {
  /** From the time a ManualClock begins with to the next second: where a deadline comes exactly in time. */
  const EXACT = 996.75;

  it('leaves min of those that have all been idle for as long', async () => {
    const { pool, factory, clock } = scriptedPool({ min: 1, max: 3, idleTimeout: 1_000 });
    for (const lease of await Promise.all([1, 2, 3].map(() => pool.acquire()))) lease.release();
    await clock.advance(1_100);
    expect(factory.reasons).toEqual(['idle', 'idle']);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 3 });
  });

  it('leaves to its borrower what the destroy of another has borrowed', async () => {
    let lease: Lease<Thing> | undefined;
    const { pool, factory, clock } = scriptedPool({
      idleTimeout: 1_000,
      destroy: call => {
        lease ??= pool.tryAcquire();
        return ok(call);
      },
    });
    for (const one of await Promise.all([pool.acquire(), pool.acquire()])) one.release();
    await clock.advance(1_100);
    expect(factory.reasons).toEqual(['idle']);
    expect(lease?.resource).toEqual({ id: 2 });
  });

  it('takes what has been idle for exactly as long as it may', async () => {
    const { pool, factory, clock } = scriptedPool({ idleTimeout: EXACT });
    (await pool.acquire()).release();
    await clock.advance(EXACT);
    expect(factory.reasons).toEqual(['idle']);
  });

  it('takes what is exactly at the end of its life, and says so', async () => {
    const { pool, factory, clock } = scriptedPool({ maxLifetime: EXACT, lifetimeJitter: 0 });
    (await pool.acquire()).release();
    // The one that is to replace it is late.
    factory.creates.always(slow);
    await clock.advance(EXACT);
    expect(factory.reasons).toEqual(['lifetime']);
  });

  it('has a replacement made exactly when the last tenth of a life begins', async () => {
    const { pool, factory, clock } = scriptedPool({ maxLifetime: EXACT / 0.9, lifetimeJitter: 0 });
    await pool.acquire();
    await clock.advance(EXACT);
    expect(factory.creates.calls).toHaveLength(2);
  });

  it('validates what has not been seen in good health for exactly as long', async () => {
    const { pool, factory, clock } = scriptedPool({ keepAlive: EXACT, validate: ok });
    (await pool.acquire()).release();
    await clock.advance(EXACT);
    expect(factory.validates.calls).toHaveLength(1);
  });

  it('comes every 50 ms, no more often, while validations keep what is due waiting', async () => {
    const { pool, factory, clock } = scriptedPool({
      keepAlive: 1_000,
      validate: slow,
      validateTimeout: 5_000,
    });
    for (const lease of await Promise.all([pool.acquire(), pool.acquire()])) lease.release();
    await clock.advance(1_100);
    expect(factory.validates.open).toHaveLength(1);
    const before = clock.timersSet;
    await clock.advance(1_000);
    expect(clock.timersSet - before).toBeGreaterThanOrEqual(15);
    expect(clock.timersSet - before).toBeLessThanOrEqual(20);
  });
});
