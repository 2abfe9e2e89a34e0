import { describe, expect, it } from '@jest/globals';
import { Pool } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, rejects, slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('a quiet pool', () => {
  it('sets no timer before it is used', () => {
    const { clock } = scriptedPool({ min: 2 });
    expect(clock.timersSet).toBe(0);
  });

  it('has one timer, however many wait, hold and idle', async () => {
    const { pool, clock } = scriptedPool({ max: 50, leakThreshold: 5_000 });
    const leases = await Promise.all(Array.from({ length: 50 }, () => pool.acquire()));
    for (let i = 0; i < 1_000; i++) follow(pool.acquire({ timeout: 100 + i * 7 }));
    await turn();
    expect(pool.stats().waiting).toBe(1_000);
    expect(clock.timersLeft).toBe(1);
    for (const lease of leases.slice(0, 25)) lease.release();
    await clock.advance(3_000);
    expect(clock.timersLeft).toBe(1);
    await clock.advance(10_000);
    expect(pool.stats().waiting).toBe(0);
  });

  it('sets no timers for borrows that find something idle', async () => {
    const { pool, clock } = scriptedPool();
    (await pool.acquire()).release();
    const before = clock.timersSet;
    for (let i = 0; i < 1_000; i++) (await pool.acquire()).release();
    expect(clock.timersSet).toBe(before);
  });

  it('sets no timers for those who wait when there is an earlier one', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    let lease = await pool.acquire();
    const before = clock.timersSet;
    for (let i = 0; i < 100; i++) {
      const next = pool.acquire();
      lease.release();
      lease = await next;
    }
    expect(clock.timersSet).toBe(before);
  });

  it('sets no timer for what is idle and stays', async () => {
    const { pool, clock } = scriptedPool({ min: 1, maxLifetime: Infinity, idleTimeout: 1_000 });
    (await pool.acquire()).release();
    await clock.advance(100);
    expect(clock.timersLeft).toBe(0);
  });

  it.each([{ validate: ok }, { keepAlive: 1_000 }])(
    'sets no timer when it is resumed and nothing is due: %j',
    async options => {
      const { pool, clock } = scriptedPool({ maxLifetime: Infinity, idleTimeout: Infinity, ...options });
      (await pool.acquire()).release();
      await clock.advance(100);
      pool.suspend();
      pool.resume();
      expect(clock.timersLeft).toBe(0);
    },
  );

  it('holds the process exactly while somebody waits for a resource', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    expect(clock.holdsProcess).toBe(false);
    const waiter = follow(pool.acquire());
    expect(clock.holdsProcess).toBe(true);
    lease.release();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    expect(clock.holdsProcess).toBe(false);
    waiter.value!.release();
    expect(clock.holdsProcess).toBe(false);
    factory.creates.always(slow);
    const forever = follow(pool.acquire({ timeout: Infinity }));
    await turn();
    expect(forever.state).toBe('fulfilled');
    expect(clock.holdsProcess).toBe(false);
  });

  it('holds the process for somebody who waits without a deadline', async () => {
    const { pool, clock } = scriptedPool({ create: slow, createTimeout: Infinity });
    const abort = new AbortController();
    follow(pool.acquire({ timeout: Infinity, signal: abort.signal }));
    await clock.advance(2 ** 33);
    expect(clock.holdsProcess).toBe(true);
    abort.abort();
    expect(clock.holdsProcess).toBe(false);
  });

  it('does not hold the process while it probes for a backend that is down', async () => {
    const { pool, clock } = scriptedPool({ create: rejects(new Error('down')), unavailableAfter: 1 });
    follow(pool.acquire());
    await clock.advance(1_000);
    expect(clock.timersLeft).toBe(1);
    expect(clock.holdsProcess).toBe(false);
  });

  it('holds the process until close is done', async () => {
    const { pool, clock } = scriptedPool();
    const lease = await pool.acquire();
    const closed = pool.close();
    expect(clock.holdsProcess).toBe(true);
    lease.release();
    await closed;
    expect(clock.timersLeft).toBe(0);
  });

  it('takes durations beyond what setTimeout takes', async () => {
    const { pool, factory, clock } = scriptedPool({
      idleTimeout: 2 ** 33,
      maxLifetime: 2 ** 34,
      lifetimeJitter: 0,
    });
    (await pool.acquire()).release();
    await clock.advance(2 ** 33 - 1);
    expect(factory.reasons).toEqual([]);
    await clock.advance(2 ** 28);
    expect(factory.reasons).toEqual(['idle']);
  });
});

describe('on the real clock', () => {
  it('a deadline ends the wait by itself', async () => {
    const pool = new Pool<Thing>({ create: () => new Promise(() => undefined), acquireTimeout: 5 });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_TIMEOUT' });
    await pool.close({ timeout: 0 });
  });
});
