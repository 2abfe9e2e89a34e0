import { describe, expect, it } from '@jest/globals';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const nothing = { count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 };

describe('stats', () => {
  it('of a new pool show nothing but its limits', () => {
    const { pool } = scriptedPool({ name: 'orders', min: 2, max: 5 });
    expect(pool.stats()).toEqual({
      name: 'orders',
      state: 'ready',
      min: 2,
      max: 5,
      overflow: 0,
      total: 0,
      idle: 0,
      leased: 0,
      creating: 0,
      validating: 0,
      preparing: 0,
      resetting: 0,
      closing: 0,
      abandoned: 0,
      waiting: 0,
      oldestWaitMs: 0,
      failing: undefined,
      totals: {
        acquired: 0,
        released: 0,
        detached: 0,
        waited: 0,
        timedOut: 0,
        aborted: 0,
        shed: 0,
        deadlocked: 0,
        refused: 0,
        created: 0,
        createFailed: 0,
        destroyed: 0,
        destroyedBy: {},
      },
      latency: { wait: nothing, hold: nothing, create: nothing },
    });
  });

  it('show each state of a resource, and who has waited for how long', async () => {
    const { pool, factory, clock } = scriptedPool({
      max: 6,
      create: ok,
      validate: slow,
      reset: slow,
      destroy: slow,
      acquireTimeout: Infinity,
    });
    const leases = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
    leases[0]!.release();
    factory.resets.last.settle();
    await clock.advance(600);
    factory.creates.always(slow);
    leases[1]!.release();
    leases[2]!.destroy();
    for (let i = 0; i < 5; i++) follow(pool.acquire());
    await clock.advance(70);
    expect(pool.stats()).toMatchObject({
      total: 6,
      idle: 0,
      leased: 1,
      creating: 2,
      validating: 1,
      resetting: 1,
      closing: 1,
      waiting: 5,
      oldestWaitMs: 70,
      totals: { acquired: 4, released: 3, waited: 9, created: 4, destroyed: 0 },
    });
  });

  it('count the destroyed by reason', async () => {
    const { pool, factory } = scriptedPool({ maxUses: 1 });
    (await pool.acquire()).release();
    (await pool.acquire()).destroy();
    (await pool.acquire()).destroy();
    await turn();
    expect(pool.stats().totals.destroyedBy).toEqual({ uses: 1, caller: 2 });
    expect(factory.reasons).toHaveLength(3);
  });

  it('are a snapshot, fit for JSON', async () => {
    const { pool } = scriptedPool();
    const before = pool.stats();
    (await pool.acquire()).destroy();
    await turn();
    expect(before.totals).toMatchObject({ acquired: 0, destroyedBy: {} });
    expect(JSON.parse(JSON.stringify(pool.stats()))).toEqual(pool.stats());
  });
});
