import { describe, expect, it } from '@jest/globals';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, rejects, slow } from '../support/scripted-factory.js';

// Found by random runs of model.spec.ts, kept as the shortest story of each.

checkPoolsAfterEach();

describe('what the model has found', () => {
  it('a pool still creates when a fatal error has recycled the probe of an outage', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 2, recycleOnFatal: true, isFatal: () => true });
    const lease = await pool.acquire();
    factory.creates.next(rejects(new Error('down')), slow);
    const waiting = follow(pool.acquire({ timeout: 5_000 }));
    await clock.advance(200);
    expect(factory.creates.open).toHaveLength(1);
    lease.release(new Error('fatal'));
    factory.creates.last.settle();
    factory.creates.always(ok);
    await clock.advance(2_000);
    expect(waiting.state).toBe('fulfilled');
  });

  it('overflow goes when the last who waited was served by one that was validated', async () => {
    const { pool, factory } = scriptedPool({ max: 1, overflow: 2, validateAfterIdle: 0, validate: slow });
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    pool.suspend();
    void follow(pool.acquire());
    for (const lease of leases) lease.release();
    pool.resume();
    factory.validates.last.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 0 });
  });

  it('a fatal error recycles everything, also when the resource was invalidated first', async () => {
    const { pool, factory } = scriptedPool({ max: 2, recycleOnFatal: true, isFatal: () => true });
    const [a, b] = [await pool.acquire(), await pool.acquire()];
    b.release();
    // As a database client does: the error event first, then the query fails.
    factory.creates.calls[0]!.given.invalidate();
    a.release(new Error('fatal'));
    await turn();
    expect(factory.reasons.sort()).toEqual(['fatal', 'recycled']);
  });

  it('no timer is left when a close whose time is up turns those away for whom another one was to be made', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 2, create: slow, acquireTimeout: 30_000 });
    const holder = follow(pool.acquire());
    await clock.advance(2_000);
    factory.creates.last.settle();
    await turn();
    expect(holder.state).toBe('fulfilled');
    const waiter = follow(pool.acquire());
    const closed = follow(pool.close({ timeout: 100, drain: true }));
    holder.value!.detach();
    await clock.advance(200);
    expect(waiter.error).toMatchObject({ code: 'POOL_CLOSED' });
    expect(closed.state).toBe('fulfilled');
    expect(clock.timersLeft).toBe(0);
  });

  it('when a life ends during a reset, another is made at once for who waited for it', async () => {
    const { pool, factory, clock } = scriptedPool({
      max: 3,
      maxLifetime: 1_000,
      lifetimeJitter: 0,
      reset: slow,
      destroy: slow,
    });
    factory.creates.always(slow);
    const borrower = follow(pool.acquire());
    // As long as this takes all that follows may take without being late.
    await clock.advance(500);
    factory.creates.last.settle();
    await turn();
    const lease = borrower.value!;
    await clock.advance(950);
    lease.release();
    void follow(pool.acquire());
    void follow(pool.acquire());
    await clock.advance(200);
    // One that is being reset, and its replacement that is being created: two are coming, two wait.
    expect(factory.creates.open).toHaveLength(1);
    factory.resets.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect(factory.creates.open).toHaveLength(2);
  });

  it('what is invalidated during its onBorrow is not lent, also when it was recycled first', async () => {
    let done: (() => void) | undefined;
    const { pool, factory } = scriptedPool({
      max: 1,
      onBorrow: () => new Promise<void>(resolve => (done = resolve)),
    });
    const borrower = follow(pool.acquire());
    await turn();
    pool.recycle();
    factory.creates.last.given.invalidate(new Error('socket closed'));
    done?.();
    await turn();
    expect(borrower.error).toMatchObject({ code: 'POOL_RESOURCE_INVALIDATED' });
    expect(factory.reasons).toEqual(['recycled']);
  });
});
