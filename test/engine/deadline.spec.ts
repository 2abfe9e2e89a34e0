import { describe, expect, it } from '@jest/globals';
import { PoolTimeoutError } from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { never, rejects, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('the deadline of an acquire', () => {
  it('ends the wait in the queue, never early and at most 10 ms late', async () => {
    const { pool, clock } = scriptedPool({ max: 1, acquireTimeout: 500 });
    await pool.acquire();
    const waiter = follow(pool.acquire());
    await clock.advance(499);
    expect(waiter.state).toBe('pending');
    await clock.advance(11);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
    expect(pool.stats()).toMatchObject({ waiting: 0, leased: 1 });
  });

  it('ends the wait for a create that hangs', async () => {
    const { pool, clock } = scriptedPool({ create: slow, acquireTimeout: 200, max: 1 });
    const waiter = follow(pool.acquire());
    await clock.advance(210);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
    expect(pool.stats().creating).toBe(1);
  });

  it('ends the wait for a validation that hangs', async () => {
    const { pool, clock } = scriptedPool({
      validate: slow,
      validateAfterIdle: 0,
      acquireTimeout: 200,
      max: 1,
    });
    (await pool.acquire()).release();
    const waiter = follow(pool.acquire());
    await clock.advance(210);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
    expect(pool.stats().validating).toBe(1);
  });

  it('is one over queueing, validating and creating together', async () => {
    const { pool, factory, clock } = scriptedPool({
      max: 1,
      validate: slow,
      validateAfterIdle: 0,
      reset: slow,
      acquireTimeout: 1_000,
    });
    const lease = await pool.acquire();
    const waiter = follow(pool.acquire());
    await clock.advance(300);
    lease.release();
    await clock.advance(300);
    factory.resets.last.fail(new Error('dirty'));
    factory.creates.next(slow);
    await clock.advance(300);
    expect(pool.stats()).toMatchObject({ creating: 1, waiting: 1 });
    await clock.advance(99);
    expect(waiter.state).toBe('pending');
    await clock.advance(21);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
  });

  it('can be given with the acquire, in place of acquireTimeout', async () => {
    const { pool, clock } = scriptedPool({ create: slow, acquireTimeout: 10_000 });
    const short = follow(pool.acquire({ timeout: 50 }));
    const long = follow(pool.acquire());
    await clock.advance(60);
    expect([short.state, long.state]).toEqual(['rejected', 'pending']);
  });

  it('does not fail an acquire that was served in time', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, acquireTimeout: 100 });
    const borrower = follow(pool.acquire());
    await clock.advance(99);
    factory.creates.last.settle();
    await clock.advance(1_000);
    expect(borrower.state).toBe('fulfilled');
    expect(pool.stats().totals).toMatchObject({ timedOut: 0, waited: 1 });
  });

  it('of 0 lends only what is idle now, and has something made for the next one', async () => {
    const { pool } = scriptedPool({ max: 1 });
    await expect(pool.acquire({ timeout: 0 })).rejects.toMatchObject({
      code: 'POOL_TIMEOUT',
      message: expect.stringContaining('nothing was idle'),
    });
    await turn();
    const lease = await pool.acquire({ timeout: 0 });
    expect(lease.resource).toEqual({ id: 1 });
    await expect(pool.acquire({ timeout: 0 })).rejects.toMatchObject({ code: 'POOL_TIMEOUT' });
    expect(pool.stats().totals).toMatchObject({ timedOut: 2, acquired: 1 });
  });

  it('of Infinity never comes', async () => {
    const { pool, factory, clock } = scriptedPool({
      create: slow,
      createTimeout: Infinity,
      acquireTimeout: Infinity,
    });
    const borrower = follow(pool.acquire());
    await clock.advance(2 ** 32);
    expect(borrower.state).toBe('pending');
    factory.creates.last.settle();
    await turn();
    expect(borrower.state).toBe('fulfilled');
  });

  it('leaves the queue in order when somebody in its middle gives up', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const first = follow(pool.acquire());
    const middle = follow(pool.acquire({ timeout: 100 }));
    const last = follow(pool.acquire());
    await clock.advance(110);
    expect(middle.state).toBe('rejected');
    lease.release();
    await turn();
    expect([first.state, last.state]).toEqual(['fulfilled', 'pending']);
    first.value?.release();
    await turn();
    expect(last.state).toBe('fulfilled');
  });

  it('refuses a timeout that is no duration', async () => {
    const { pool } = scriptedPool();
    for (const timeout of [-1, NaN, '5' as unknown as number]) {
      await expect(pool.acquire({ timeout })).rejects.toMatchObject({
        code: 'POOL_OPTIONS',
        message: expect.stringContaining('"timeout"'),
      });
    }
  });
});

describe('the error of an acquire that took too long', () => {
  it('is one for each, with the same facts for those whose time is up at the same moment', async () => {
    const { pool, clock } = scriptedPool({ max: 1, acquireTimeout: 100 });
    const holder = await pool.acquire();
    const late = Array.from({ length: 3 }, () => follow(pool.acquire()));
    const later = follow(pool.acquire({ timeout: 200 }));
    await clock.advance(110);
    const errors = late.map(({ error }) => error as PoolTimeoutError);
    expect(new Set(errors).size).toBe(3);
    expect(errors.map(({ stats }) => stats?.waiting)).toEqual([4, 4, 4]);
    expect(new Set(errors.map(({ message }) => message)).size).toBe(1);
    await clock.advance(100);
    expect((later.error as PoolTimeoutError).stats?.waiting).toBe(1);
    expect((later.error as PoolTimeoutError).message).toMatch(/within 200 ms/);
    holder.release();
  });

  it('has the stack of the borrower, not that of the timer', async () => {
    const { pool, clock } = scriptedPool({ max: 1, acquireTimeout: 100 });
    await pool.acquire();
    async function myCaller(): Promise<void> {
      await pool.acquire();
    }
    const waiter = follow(myCaller());
    await clock.advance(110);
    expect((waiter.error as Error).stack).toContain('myCaller');
  });

  it('tells the counts of that moment and what to change', async () => {
    const { pool, clock } = scriptedPool({ max: 1, acquireTimeout: 100, name: 'reports' });
    await pool.acquire();
    const waiters = [follow(pool.acquire()), follow(pool.acquire({ timeout: 5_000 }))];
    await clock.advance(110);
    expect(waiters[0]!.error).toMatchObject({
      name: 'PoolTimeoutError',
      pool: 'reports',
      message: expect.stringMatching(
        /"reports".*100 ms.*1 leased, 0 idle of max 1, 2 waiting.*leakThreshold/,
      ),
      stats: { leased: 1, waiting: 2, max: 1 },
    });
    expect((waiters[0]!.error as Error).cause).toBeUndefined();
  });

  it('has the last create error as its cause', async () => {
    const refused = new Error('ECONNREFUSED');
    const { pool, clock } = scriptedPool({
      create: rejects(refused),
      acquireTimeout: 50,
      unavailableAfter: Infinity,
    });
    const waiter = follow(pool.acquire());
    await clock.advance(60);
    expect(waiter.error).toMatchObject({
      code: 'POOL_TIMEOUT',
      cause: refused,
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('is told to the listeners', async () => {
    const { pool, clock, events } = scriptedPool({ create: never, acquireTimeout: 100, name: 'reports' });
    const error = failureOf(pool.acquire());
    await clock.advance(110);
    await error;
    const timeouts = events.filter(one => one.event === 'onTimeout');
    expect(timeouts).toHaveLength(1);
    expect(timeouts[0]).toMatchObject({ pool: 'reports' });
    expect(timeouts[0]!.waitedMs).toBeGreaterThanOrEqual(100);
    expect(timeouts[0]!.waitedMs).toBeLessThanOrEqual(110);
    expect(pool.stats().totals.timedOut).toBe(1);
  });
});
