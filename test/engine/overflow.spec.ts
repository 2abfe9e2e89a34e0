import { describe, expect, it } from '@jest/globals';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('overflow', () => {
  it('is made for those who wait, and goes with the next return once nobody does', async () => {
    const { pool, factory } = scriptedPool({ max: 2, overflow: 1 });
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    const waiter = follow(pool.acquire());
    expect(pool.stats()).toMatchObject({ leased: 3, waiting: 1, max: 2, overflow: 1 });
    // Somebody waits: what comes back is lent, not destroyed.
    leases[2]?.release();
    await turn();
    expect(waiter.value?.resource).toEqual({ id: 3 });
    expect(factory.reasons).toEqual([]);
    // Whichever comes back first goes; the others were not too many.
    leases[0]?.release();
    leases[1]?.release();
    waiter.value?.release();
    await turn();
    expect(factory.destroys.calls.map(({ given }) => given.resource)).toEqual([{ id: 1 }]);
    expect(factory.reasons).toEqual(['overflow']);
    expect(pool.stats()).toMatchObject({ idle: 2, total: 2 });
  });

  it('is not made for min, nor for borrowers who do not wait', async () => {
    const { pool, factory } = scriptedPool({ min: 1, max: 1, overflow: 2 });
    await pool.start();
    await pool.acquire();
    expect(pool.tryAcquire()).toBeUndefined();
    await expect(pool.acquire({ timeout: 0 })).rejects.toThrow('nothing was idle');
    await turn();
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('is not made while something on its way is for everybody who waits', async () => {
    const { pool, factory } = scriptedPool({ max: 1, overflow: 2, create: slow, reset: slow });
    const first = follow(pool.acquire());
    factory.creates.last.settle();
    await turn();
    first.value?.release();
    const waiter = follow(pool.acquire());
    await turn();
    expect(pool.stats()).toMatchObject({ resetting: 1, creating: 0, waiting: 1 });
    factory.resets.last.settle();
    await turn();
    expect(waiter.value?.resource).toEqual({ id: 1 });
  });

  it('that is ready only after its waiter has left is destroyed, and never idles', async () => {
    const { pool, factory } = scriptedPool({ max: 1, overflow: 1 });
    const lease = await pool.acquire();
    factory.creates.next(slow);
    const abort = new AbortController();
    const waiter = follow(pool.acquire({ signal: abort.signal }));
    abort.abort();
    await turn();
    expect(waiter.state).toBe('rejected');
    factory.creates.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['overflow']);
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 0, total: 1 });
    lease.release();
  });

  it('fills its place while its destroy is running', async () => {
    const { pool, factory } = scriptedPool({ max: 1, overflow: 1, destroy: slow });
    const leases = [await pool.acquire(), await pool.acquire()];
    leases[0]?.release();
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    await turn();
    expect(pool.stats()).toMatchObject({ closing: 1, leased: 1, creating: 0, waiting: 2 });
    leases[1]?.release();
    await turn();
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'pending']);
    factory.destroys.last.settle();
    await turn();
    expect(waiters[1]?.value?.resource).toEqual({ id: 3 });
  });

  it('can be resized: without it those beyond max go, as they come back, although somebody waits', async () => {
    const { pool, factory } = scriptedPool({ max: 1, overflow: 2 });
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    const waiter = follow(pool.acquire());
    pool.resize({ overflow: 0 });
    leases[0]?.release();
    leases[1]?.release();
    await turn();
    expect(factory.reasons).toEqual(['shrink', 'shrink']);
    expect(waiter.state).toBe('pending');
    leases[2]?.release();
    await turn();
    expect(waiter.value?.resource).toEqual({ id: 3 });
    pool.resize({ overflow: 1 });
    const another = follow(pool.acquire());
    await turn();
    expect(another.value?.resource).toEqual({ id: 4 });
    another.value?.release();
    waiter.value?.release();
  });

  it('serves for as long as somebody waits', async () => {
    const { pool, factory } = scriptedPool({ max: 1, overflow: 1, create: ok });
    const served: number[] = [];
    await Promise.all(
      Array.from({ length: 6 }, () =>
        pool.use(async ({ id }) => {
          served.push(id);
          await turn();
        }),
      ),
    );
    expect(served.filter(id => id === 2)).toHaveLength(3);
    expect(factory.creates.calls).toHaveLength(2);
    expect(factory.reasons).toEqual(['overflow']);
  });
});
