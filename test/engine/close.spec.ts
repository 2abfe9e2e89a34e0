import { describe, expect, it } from '@jest/globals';
import { PoolClosedError, PoolUnavailableError } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { never, ok, rejects, slow, sync } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('close', () => {
  it('destroys what is idle and resolves when every destroy has settled', async () => {
    const { pool, factory, clock } = scriptedPool({ destroy: slow });
    for (const lease of await Promise.all([pool.acquire(), pool.acquire()])) lease.release();
    const closed = follow(pool.close());
    await turn();
    expect(factory.reasons).toEqual(['closed', 'closed']);
    factory.destroys.calls[0]!.settle();
    await turn();
    expect(closed.state).toBe('pending');
    expect(pool.stats()).toMatchObject({ state: 'draining', closing: 1 });
    expect(clock.holdsProcess).toBe(true);
    factory.destroys.calls[1]!.settle();
    await turn();
    expect(closed.state).toBe('fulfilled');
    expect(pool.stats()).toMatchObject({ state: 'closed', total: 0 });
    expect(clock.timersLeft).toBe(0);
  });

  it('resolves at once when there is nothing to close', async () => {
    const { pool, clock } = scriptedPool();
    await pool.close();
    expect(pool.stats().state).toBe('closed');
    expect(clock.timersLeft).toBe(0);
  });

  it('refuses new acquires, at once', async () => {
    const { pool, factory } = scriptedPool({ name: 'orders' });
    const lease = await pool.acquire();
    void pool.close();
    await expect(pool.acquire()).rejects.toBeInstanceOf(PoolClosedError);
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'POOL_CLOSED',
      message: expect.stringContaining('"orders" is closed'),
    });
    await expect(pool.start()).rejects.toBeInstanceOf(PoolClosedError);
    lease.release();
    await turn();
    await expect(pool.use(() => 1)).rejects.toBeInstanceOf(PoolClosedError);
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('refuses those who wait, at once', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    const closed = follow(pool.close());
    await turn();
    expect(waiters.every(one => one.error instanceof PoolClosedError)).toBe(true);
    expect(closed.state).toBe('pending');
    lease.release();
    await turn();
    expect(closed.state).toBe('fulfilled');
  });

  it('tells those who are drained when the backend is gone', async () => {
    const { pool, clock } = scriptedPool({ create: rejects(new Error('down')), unavailableAfter: 1, max: 1 });
    const waiter = follow(pool.acquire({ timeout: Infinity }));
    const closed = follow(pool.close({ drain: true, timeout: Infinity }));
    await clock.advance(1_000);
    expect(waiter.error).toBeInstanceOf(PoolUnavailableError);
    expect(closed.state).toBe('fulfilled');
  });

  it('ends once, also when it is forced and every destroy is synchronous', async () => {
    const { pool, events } = scriptedPool({ destroy: sync });
    (await pool.acquire()).release();
    await pool.close({ timeout: 0 });
    const states = events.flatMap(event => (event.event === 'onStateChange' ? [event.to] : []));
    expect(states).toEqual(['draining', 'closed']);
  });

  it('tells the holder before it destroys the resource under it', async () => {
    const heard: string[] = [];
    const { pool } = scriptedPool({ destroy: call => (heard.push('destroyed'), ok(call)) });
    const lease = await pool.acquire();
    lease.signal.addEventListener('abort', () => heard.push('told'));
    await pool.close({ timeout: 0 });
    expect(heard).toEqual(['told', 'destroyed']);
  });

  it('serves those who wait already when told to drain', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    const closed = follow(pool.close({ drain: true }));
    await expect(pool.acquire()).rejects.toBeInstanceOf(PoolClosedError);
    lease.release();
    await turn();
    expect(waiters.map(one => one.state)).toEqual(['fulfilled', 'pending']);
    waiters[0]!.value!.release();
    await turn();
    expect(waiters[1]!.state).toBe('fulfilled');
    expect(waiters[1]!.value!.resource).toEqual({ id: 1 });
    expect(closed.state).toBe('pending');
    waiters[1]!.value!.release();
    await turn();
    expect(closed.state).toBe('fulfilled');
  });

  it('creates for those who wait while it drains', async () => {
    const { pool, factory } = scriptedPool({ create: slow });
    const waiter = follow(pool.acquire());
    const closed = follow(pool.close({ drain: true }));
    await turn();
    expect(factory.creates.last.given.signal.aborted).toBe(false);
    factory.creates.last.settle();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    waiter.value!.release();
    await turn();
    expect(closed.state).toBe('fulfilled');
  });

  it('refuses at the deadline those it could not drain', async () => {
    const { pool, clock } = scriptedPool({ create: never });
    const waiter = follow(pool.acquire({ timeout: Infinity }));
    const closed = follow(pool.close({ drain: true, timeout: 1_000 }));
    await clock.advance(1_020);
    expect(waiter.error).toBeInstanceOf(PoolClosedError);
    expect(closed.state).toBe('fulfilled');
    expect(pool.stats()).toMatchObject({ abandoned: 1 });
  });

  it('takes leased resources from their holders at the deadline, and tells them by the signal', async () => {
    const { pool, factory, clock } = scriptedPool({ destroy: slow });
    const lease = await pool.acquire();
    const { signal } = lease;
    const closed = follow(pool.close({ timeout: 1_000 }));
    await clock.advance(999);
    expect(signal.aborted).toBe(false);
    expect(lease.resource).toEqual({ id: 1 });
    await clock.advance(21);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBeInstanceOf(PoolClosedError);
    expect(factory.reasons).toEqual(['closed']);
    expect(lease.released).toBe(true);
    expect(() => lease.resource).toThrow('the pool has taken this resource away');
    lease.release();
    expect(closed.state).toBe('pending');
    factory.destroys.last.settle();
    await turn();
    expect(closed.state).toBe('fulfilled');
    expect(pool.stats().totals).toMatchObject({ acquired: 1, released: 1, destroyed: 1 });
  });

  it('waits for leased resources for ever when its timeout is Infinity', async () => {
    const { pool, clock } = scriptedPool();
    const lease = await pool.acquire();
    const closed = follow(pool.close({ timeout: Infinity }));
    await clock.advance(1e9);
    expect(closed.state).toBe('pending');
    expect(clock.holdsProcess).toBe(true);
    lease.release();
    await turn();
    expect(closed.state).toBe('fulfilled');
  });

  it('is idempotent: a further call gives the same promise', async () => {
    const { pool, factory } = scriptedPool({ destroy: slow });
    (await pool.acquire()).release();
    const first = pool.close();
    expect(pool.close()).toBe(first);
    factory.finish();
    await first;
    expect(pool.close()).toBe(first);
    expect(factory.destroys.calls).toHaveLength(1);
  });

  it('is hastened by a further call with less time, and not delayed by one with more', async () => {
    const { pool, clock } = scriptedPool();
    const lease = await pool.acquire();
    const closed = follow(pool.close({ timeout: 10_000 }));
    await clock.advance(1_000);
    void pool.close({ timeout: 60_000 });
    void pool.close({ timeout: 500 });
    await clock.advance(520);
    expect(closed.state).toBe('fulfilled');
    expect(lease.released).toBe(true);
  });

  it('with a timeout of 0 takes everything at once', async () => {
    const { pool, factory } = scriptedPool({ validate: slow, reset: slow, validateAfterIdle: 0, max: 4 });
    const leases = await Promise.all([1, 2, 3].map(() => pool.acquire()));
    leases[1]!.release();
    factory.resets.last.settle();
    await turn();
    factory.resets.always(slow);
    leases[2]!.release();
    const borrower = follow(pool.acquire());
    expect(pool.stats()).toMatchObject({ leased: 1, resetting: 1, validating: 1 });
    await pool.close({ timeout: 0 });
    expect(borrower.error).toBeInstanceOf(PoolClosedError);
    expect(factory.reasons).toEqual(['closed', 'closed', 'closed']);
  });

  it('aborts the creates that are running, and awaits them', async () => {
    const { pool, factory } = scriptedPool({ create: slow });
    const waiter = follow(pool.acquire());
    const closed = follow(pool.close());
    await turn();
    expect(factory.creates.last.given.signal.aborted).toBe(true);
    expect(factory.creates.last.given.signal.reason).toBeInstanceOf(PoolClosedError);
    expect(waiter.error).toBeInstanceOf(PoolClosedError);
    expect(closed.state).toBe('pending');
    factory.creates.last.fail(new Error('aborted'));
    await turn();
    expect(closed.state).toBe('fulfilled');
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('destroys what a create makes while the pool closes', async () => {
    const { pool, factory } = scriptedPool({ create: slow });
    follow(pool.acquire());
    const closed = follow(pool.close());
    factory.creates.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['closed']);
    expect(closed.state).toBe('fulfilled');
  });

  it('destroys what a create makes after the pool was closed without it', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow });
    follow(pool.acquire());
    const closed = follow(pool.close({ timeout: 1_000 }));
    await clock.advance(1_020);
    expect(closed.state).toBe('fulfilled');
    expect(pool.stats()).toMatchObject({ state: 'closed', abandoned: 1 });
    factory.creates.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['late']);
    expect(pool.stats()).toMatchObject({ abandoned: 0 });
  });

  it('gives up a destroy that takes longer than destroyTimeout', async () => {
    const { pool, clock } = scriptedPool({ destroy: never, destroyTimeout: 2_000 });
    (await pool.acquire()).release();
    const closed = follow(pool.close());
    await clock.advance(1_999);
    expect(closed.state).toBe('pending');
    await clock.advance(41);
    expect(closed.state).toBe('fulfilled');
    expect(pool.stats().abandoned).toBe(1);
  });

  it('leaves no timer when what a create makes meanwhile has a destroy that hangs', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, destroy: never, destroyTimeout: 1_000 });
    follow(pool.acquire());
    const closed = follow(pool.close());
    factory.creates.last.settle();
    await clock.advance(1_100);
    expect(closed.state).toBe('fulfilled');
    expect(clock.timersLeft).toBe(0);
  });

  it('gives up a destroy in time although the pool was closed from inside a validation', async () => {
    const { pool, factory, clock } = scriptedPool({
      validate: () => {
        void pool.close({ timeout: 0 });
        return never();
      },
      validateAfterIdle: 0,
      validateTimeout: 10_000,
      destroy: never,
      destroyTimeout: 300,
    });
    (await pool.acquire()).release();
    follow(pool.acquire());
    expect(factory.reasons).toEqual(['closed']);
    const closed = follow(pool.close());
    await clock.advance(310);
    expect(closed.state).toBe('fulfilled');
  });

  it('resolves although destroys fail', async () => {
    const { pool } = scriptedPool({ destroy: rejects(new Error('cannot end')) });
    (await pool.acquire()).release();
    await pool.close();
    expect(pool.stats().totals.destroyed).toBe(1);
  });

  it('ends an unavailable pool and its probing', async () => {
    const { pool, factory, clock } = scriptedPool({
      create: rejects(new Error('down')),
      unavailableAfter: 1,
    });
    follow(pool.acquire());
    await clock.advance(0);
    await pool.close();
    const calls = factory.creates.calls.length;
    await clock.advance(100_000);
    expect(factory.creates.calls).toHaveLength(calls);
  });

  it('does not fill min again', async () => {
    const { pool, factory } = scriptedPool({ min: 2 });
    const lease = await pool.acquire();
    await turn();
    const closed = pool.close();
    lease.release();
    await closed;
    expect(factory.creates.calls).toHaveLength(2);
  });

  it('is what await using calls', async () => {
    const { pool } = scriptedPool();
    {
      await using scope = pool;
      (await scope.acquire()).release();
    }
    expect(pool.stats().state).toBe('closed');
  });

  it('refuses a timeout that is no duration, and stays open', () => {
    const { pool } = scriptedPool();
    expect(() => pool.close({ timeout: -1 })).toThrow(/"timeout" is -1/);
    expect(pool.stats().state).toBe('ready');
  });

  it('refuses at the deadline those who wait for the next try of a create', async () => {
    const { pool, clock } = scriptedPool({
      create: rejects(new Error('down')),
      createBackoff: { initial: 1e6, max: 1e6 },
      unavailableAfter: 100,
    });
    const waiter = follow(pool.acquire({ timeout: Infinity }));
    const closed = follow(pool.close({ drain: true, timeout: 1_000 }));
    await clock.advance(1_020);
    expect(waiter.error).toBeInstanceOf(PoolClosedError);
    expect(closed.state).toBe('fulfilled');
  });

  it('resets nothing that comes back: it is destroyed as it is', async () => {
    const { pool, factory } = scriptedPool({ reset: ok });
    const lease = await pool.acquire();
    void pool.close();
    lease.release();
    expect(factory.resets.calls).toHaveLength(0);
    expect(factory.reasons).toEqual(['closed']);
  });
});
