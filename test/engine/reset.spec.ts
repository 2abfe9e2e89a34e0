import { describe, expect, it } from '@jest/globals';
import type { Verdict } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { gives, ok, rejects, slow, sync, throws, type Behaviour } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('reset', () => {
  it('that is synchronous hands the resource over inside release', async () => {
    const { pool, factory } = scriptedPool({ reset: sync });
    const lease = await pool.acquire();
    lease.release();
    expect(factory.resets.calls).toHaveLength(1);
    expect(pool.stats()).toMatchObject({ idle: 1, resetting: 0 });
  });

  it('that is asynchronous keeps the resource from the next borrower until it has settled', async () => {
    const { pool, factory } = scriptedPool({ reset: slow, max: 1 });
    const lease = await pool.acquire();
    const next = follow(pool.acquire());
    lease.release();
    await turn();
    expect(pool.stats()).toMatchObject({ resetting: 1, leased: 0, waiting: 1, total: 1 });
    expect(pool.tryAcquire()).toBeUndefined();
    factory.resets.last.settle();
    await turn();
    expect(next.value?.resource).toEqual({ id: 1 });
  });

  it('is coming supply: nothing is created for the first who waits for it', async () => {
    const { pool, factory } = scriptedPool({ reset: slow, max: 5 });
    const lease = await pool.acquire();
    lease.release();
    follow(pool.acquire());
    await turn();
    expect(factory.creates.calls).toHaveLength(1);
    follow(pool.acquire());
    await turn();
    expect(factory.creates.calls).toHaveLength(2);
  });

  const bad: [string, Behaviour<Verdict>][] = [
    ['answers false', gives<Verdict>(false)],
    ['rejects', rejects(new Error('dirty'))],
    ['throws', throws(new Error('dirty'))],
  ];
  it.each(bad)('that %s has the resource destroyed and replaced', async (_, verdict) => {
    const { pool, factory, events } = scriptedPool({ reset: verdict, max: 1 });
    const lease = await pool.acquire();
    const next = follow(pool.acquire());
    expect(() => lease.release()).not.toThrow();
    await turn();
    expect(next.value?.resource).toEqual({ id: 2 });
    expect(factory.reasons).toEqual(['reset-failed']);
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({ reason: 'reset-failed' });
  });

  it('that takes longer than resetTimeout has the resource destroyed', async () => {
    const { pool, factory, clock, events } = scriptedPool({ reset: slow, resetTimeout: 1_000, max: 1 });
    (await pool.acquire()).release();
    await clock.advance(999);
    expect(factory.reasons).toEqual([]);
    await clock.advance(21);
    expect(factory.reasons).toEqual(['reset-failed']);
    expect(pool.stats().total).toBe(0);
    factory.resets.last.settle();
    await turn();
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({
      cause: { message: 'resetting did not settle in time' },
    });
    expect(pool.stats()).toMatchObject({ idle: 0, total: 0 });
  });

  it('runs once and serves one borrower when the lease is released twice while it runs', async () => {
    const { pool, factory } = scriptedPool({ reset: slow, max: 1 });
    const lease = await pool.acquire();
    const borrowers = [follow(pool.acquire()), follow(pool.acquire())];
    lease.release();
    lease.release();
    lease.destroy();
    factory.resets.last.settle();
    await turn();
    lease.release();
    await turn();
    expect(factory.resets.calls).toHaveLength(1);
    expect(borrowers.map(one => one.state)).toEqual(['fulfilled', 'pending']);
    expect(pool.stats()).toMatchObject({ leased: 1, totals: { released: 1 } });
  });

  it('is spared for a resource that is destroyed anyway', async () => {
    const { pool, factory } = scriptedPool({ reset: ok, maxUses: 1 });
    (await pool.acquire()).release();
    expect(factory.resets.calls).toHaveLength(0);
    expect(factory.reasons).toEqual(['uses']);
  });
});
