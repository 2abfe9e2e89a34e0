import { describe, expect, it } from '@jest/globals';
import type { Lease } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('acquire and release', () => {
  it('creates a resource for the first borrower', async () => {
    const { pool, factory } = scriptedPool();
    const lease = await pool.acquire();
    expect(lease.resource).toEqual({ id: 1 });
    expect(factory.creates.calls).toHaveLength(1);
    lease.release();
  });

  it('lends a returned resource again instead of creating another', async () => {
    const { pool, factory } = scriptedPool();
    const first = await pool.acquire();
    const { resource } = first;
    first.release();
    const second = await pool.acquire();
    expect(second.resource).toBe(resource);
    expect(second.waitedMs).toBe(0);
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('creates no more than max, however many acquire at once', async () => {
    const { pool, factory } = scriptedPool({ max: 3 });
    const borrowers = Array.from({ length: 20 }, () => follow(pool.acquire()));
    await turn();
    expect(borrowers.filter(one => one.state === 'fulfilled')).toHaveLength(3);
    expect(factory.peak).toBe(3);
    expect(pool.stats()).toMatchObject({ leased: 3, waiting: 17, total: 3 });
    while (pool.stats().leased > 0) {
      for (const one of borrowers) one.value?.release();
      await turn();
    }
    expect(borrowers.every(one => one.state === 'fulfilled')).toBe(true);
    expect(factory.creates.calls).toHaveLength(3);
  });

  it('serves those who wait in the order in which they came', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const served: number[] = [];
    const borrow = async (nr: number): Promise<void> => {
      const own = await pool.acquire();
      served.push(nr);
      own.release();
    };
    const all = [1, 2, 3, 4, 5].map(borrow);
    await turn();
    lease.release();
    await Promise.all(all);
    expect(served).toEqual([1, 2, 3, 4, 5]);
  });

  it('lets nobody pass a waiter when a resource has just been released', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const waiter = follow(pool.acquire());
    await turn();
    lease.release();
    const newcomer = follow(pool.acquire());
    expect(pool.tryAcquire()).toBeUndefined();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    expect(newcomer.state).toBe('pending');
    waiter.value?.release();
    await turn();
    expect(newcomer.state).toBe('fulfilled');
  });

  it('lets nobody pass a waiter whose resource is being validated', async () => {
    const { pool, factory } = scriptedPool({ max: 1, validate: slow, validateAfterIdle: 0 });
    (await pool.acquire()).release();
    const waiter = follow(pool.acquire());
    const newcomer = follow(pool.acquire());
    expect(pool.tryAcquire()).toBeUndefined();
    factory.validates.last.settle();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    expect(newcomer.state).toBe('pending');
  });

  it('lets nobody pass a waiter although something else is fit and idle', async () => {
    const settings = { order: 'fifo', max: 2, validate: slow, validateAfterIdle: 500 } as const;
    const { pool, clock } = scriptedPool(settings);
    const leases = await Promise.all([pool.acquire(), pool.acquire()]);
    leases[0].release();
    await clock.advance(400);
    leases[1].release();
    await clock.advance(200);
    const waiter = follow(pool.acquire());
    expect(pool.stats()).toMatchObject({ validating: 1, idle: 1, waiting: 1 });
    expect(pool.tryAcquire()).toBeUndefined();
    const newcomer = follow(pool.acquire());
    await turn();
    expect([waiter.state, newcomer.state]).toEqual(['fulfilled', 'pending']);
  });

  it('tells how long the borrower waited', async () => {
    const { pool, clock, events } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const waiter = follow(pool.acquire());
    await clock.advance(250);
    lease.release();
    await turn();
    expect(waiter.value?.waitedMs).toBe(250);
    expect(events.filter(one => one.event === 'onAcquire').at(-1)).toMatchObject({ waitedMs: 250 });
  });

  it('lends the most recently used resource first, or with order fifo the least recently used', async () => {
    for (const order of ['lifo', 'fifo'] as const) {
      const { pool } = scriptedPool({ order, max: 3 });
      const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
      const resources = leases.map(lease => lease.resource);
      for (const lease of leases) lease.release();
      const next = await pool.acquire();
      expect(next.resource).toBe(resources[order === 'lifo' ? 2 : 0]);
    }
  });

  it('hands a resource that comes back early to the waiter, and keeps the one being created as a spare', async () => {
    const { pool, factory } = scriptedPool({ max: 2 });
    const lease = await pool.acquire();
    factory.creates.next(slow);
    const waiter = follow(pool.acquire());
    await turn();
    expect(factory.creates.calls).toHaveLength(2);
    const { resource } = lease;
    lease.release();
    await turn();
    expect(waiter.value?.resource).toBe(resource);
    factory.creates.last.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 1, creating: 0 });
    expect(factory.reasons).toEqual([]);
  });

  it('refuses acquires beyond maxWaiting at once', async () => {
    const { pool } = scriptedPool({ max: 1, maxWaiting: 2, name: 'orders' });
    const lease = await pool.acquire();
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    await expect(pool.acquire()).rejects.toMatchObject({
      name: 'PoolQueueFullError',
      code: 'POOL_QUEUE_FULL',
      pool: 'orders',
      message: expect.stringMatching(/"orders".*2 acquires.*maxWaiting.*1 leased/),
      stats: { waiting: 2, leased: 1 },
    });
    expect(pool.stats().totals.refused).toBe(1);
    lease.release();
    await turn();
    expect(waiters.map(one => one.state)).toEqual(['fulfilled', 'pending']);
  });

  it.each([0, 3])('counts only those who wait for others, with a maxWaiting of %i', async maxWaiting => {
    const { pool, factory } = scriptedPool({ max: 10, maxWaiting, create: slow });
    const come = (): Promise<Lease<Thing>> => pool.acquire();
    const borrowers = Array.from({ length: 10 + maxWaiting }, come);
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_QUEUE_FULL' });
    factory.finish();
    const leases = await Promise.all(borrowers.slice(0, 10));
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_QUEUE_FULL' });
    for (const lease of leases) lease.release();
    for (const lease of await Promise.all(borrowers.slice(10))) lease.release();
  });
});
