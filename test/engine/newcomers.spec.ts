import { describe, expect, it } from '@jest/globals';
import { KeyedPool, Pool, type PoolListener } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { never, rejects, slow } from '../support/scripted-factory.js';

// What users of other pools are used to.

checkPoolsAfterEach();

describe('minIdle', () => {
  it('keeps so many idle beside what is leased, as far as max allows', async () => {
    const { pool } = scriptedPool({ minIdle: 2, max: 4 });
    const leases = [await pool.acquire()];
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 2 });
    leases.push(await pool.acquire());
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 2, idle: 2 });
    leases.push(await pool.acquire());
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 3, idle: 1 });
    for (const lease of leases) lease.release();
  });

  it('is what idleTimeout leaves, and min if that is more', async () => {
    for (const [min, left] of [
      [0, 2],
      [3, 3],
    ] as const) {
      const { pool, clock, finish } = scriptedPool({ min, minIdle: 2, max: 5, idleTimeout: 1_000 });
      const leases = await Promise.all([1, 2, 3, 4, 5].map(() => pool.acquire()));
      for (const lease of leases) lease.release();
      await clock.advance(5_000);
      expect(pool.stats()).toMatchObject({ idle: left, total: left });
      await finish();
    }
  });

  it('makes nothing before somebody borrows', async () => {
    const { pool } = scriptedPool({ minIdle: 2 });
    await turn();
    expect(pool.stats().total).toBe(0);
  });

  it('is no option of a keyed pool', () => {
    expect(() => new KeyedPool({ maxTotal: 2, create: () => ({}), minIdle: 1 } as never)).toThrow(/minIdle/);
  });
});

describe('lease.finished', () => {
  it('resolves when what was given back has been reset', async () => {
    const { pool, factory } = scriptedPool({ reset: slow });
    const lease = await pool.acquire();
    const finished = follow(lease.finished);
    lease.release();
    await turn();
    expect(finished.state).toBe('pending');
    factory.resets.last.settle();
    await turn();
    expect(finished.state).toBe('fulfilled');
    expect(follow(lease.finished).state).toBe('pending');
    await lease.finished;
  });

  it('resolves when it has been destroyed, or that was given up', async () => {
    const { pool, factory, clock } = scriptedPool({ destroy: slow, destroyTimeout: 1_000 });
    const [one, two] = await Promise.all([pool.acquire(), pool.acquire()]);
    one.destroy();
    const first = follow(one.finished);
    await turn();
    expect(first.state).toBe('pending');
    factory.destroys.last.settle();
    await turn();
    expect(first.state).toBe('fulfilled');
    two.destroy();
    const second = follow(two.finished);
    await clock.advance(1_100);
    expect(second.state).toBe('fulfilled');
  });

  it('does not wait for the borrower that comes after', async () => {
    const { pool } = scriptedPool({ max: 1, reset: slow });
    const first = await pool.acquire();
    const next = follow(pool.acquire());
    first.detach();
    await first.finished;
    await turn();
    expect(next.state).toBe('fulfilled');
    const { pool: plain } = scriptedPool({ max: 1 });
    const one = await plain.acquire();
    const waiting = plain.acquire();
    one.release();
    const two = await waiting;
    await one.finished;
    expect(two.released).toBe(false);
  });
});

describe('destroyIdle', () => {
  it('destroys what is idle now, and waits for it', async () => {
    const { pool, factory } = scriptedPool({ destroy: slow, max: 3 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    leases[0].release();
    leases[1].release();
    const done = follow(pool.destroyIdle());
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 0, leased: 1, closing: 2 });
    expect(done.state).toBe('pending');
    factory.finish();
    await turn();
    expect(done.state).toBe('fulfilled');
    expect(factory.reasons).toEqual(['caller', 'caller']);
    leases[2].release();
    expect(pool.stats().idle).toBe(1);
  });

  it('works by key as well', async () => {
    const pool = new KeyedPool({ maxTotal: 3, create: () => ({}) });
    for (const key of ['a', 'b']) (await pool.acquire(key)).release();
    await pool.destroyIdle({ key: 'a' });
    expect([pool.stats('a'), pool.stats('b')?.idle]).toEqual([undefined, 1]);
    await pool.destroyIdle();
    expect(pool.stats().idle).toBe(0);
    await pool.close();
  });
});

describe('the number of a resource', () => {
  it('is the same in a lease, in what its create and its destroy are given, and in the events', async () => {
    const seen: Record<string, number> = {};
    const pool = new Pool({
      create: ({ slot }) => {
        seen.create = slot;
        return { slot };
      },
      destroy: (_resource, _reason, { slot }) => {
        seen.destroy = slot;
      },
      listeners: [{ onAcquire: ({ slot }) => void (seen.event = slot) }],
    });
    (await pool.acquire()).destroy();
    const lease = await pool.acquire();
    expect({ ...seen, lease: lease.slot }).toEqual({ create: 2, destroy: 1, event: 2, lease: 2 });
    lease.release();
    await pool.close();
  });
});

describe('listeners', () => {
  it('can be added and removed later, those of the options too', async () => {
    const told: string[] = [];
    const named = (name: string): PoolListener => ({ onAcquire: () => void told.push(name) });
    const [first, second] = [named('first'), named('second')];
    const { pool } = scriptedPool({ listeners: [first] });
    (await pool.acquire()).release();
    const remove = pool.addListener(second);
    pool.addListener(second);
    (await pool.acquire()).release();
    pool.removeListener(first);
    (await pool.acquire()).release();
    remove();
    (await pool.acquire()).release();
    expect(told).toEqual(['first', 'first', 'second', 'second']);
  });

  it('of leaks may come when the pool is in use', async () => {
    const { pool, clock } = scriptedPool({ leakThreshold: 1_000 });
    const stacks: string[] = [];
    pool.addListener({ onLeak: ({ stack }) => void stacks.push(stack) });
    const lease = await pool.acquire();
    await clock.advance(1_100);
    lease.release();
    expect(stacks[0]).toContain('newcomers.spec');
  });

  it('of a keyed pool hear of keys that are there and of those to come', async () => {
    const told: string[] = [];
    const pool = new KeyedPool({ name: 'k', maxTotal: 3, create: () => ({}) });
    (await pool.acquire('a')).release();
    const remove = pool.addListener({ onAcquire: event => void told.push(event.pool) });
    (await pool.acquire('a')).release();
    (await pool.acquire('b')).release();
    remove();
    (await pool.acquire('a')).release();
    (await pool.acquire('c')).release();
    expect(told).toEqual(['k[a]', 'k[b]']);
    await pool.close();
  });
});

describe('propagateCreateError', () => {
  it('gives the error to who has waited longest, and the next acquire an attempt of its own', async () => {
    const down = new Error('connection refused');
    const { pool, factory } = scriptedPool({ create: rejects(down), propagateCreateError: true });
    for (let i = 0; i < 5; i++) await expect(pool.acquire()).rejects.toBe(down);
    expect(factory.creates.calls).toHaveLength(5);
    expect(pool.stats()).toMatchObject({ state: 'ready', failing: undefined, totals: { createFailed: 5 } });
  });

  it('fails nobody else', async () => {
    const down = new Error('connection refused');
    const { pool, factory } = scriptedPool({ create: slow, propagateCreateError: true });
    const waiters = [1, 2, 3].map(() => follow(pool.acquire()));
    factory.creates.calls[1]!.fail(down);
    await turn();
    expect(waiters.map(({ state }) => state)).toEqual(['rejected', 'pending', 'pending']);
    factory.finish();
    await turn();
    expect(waiters.map(({ state }) => state)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  });
});

describe('destroys that hang', () => {
  it('are given up after longer and longer, so that those the other side still sees stay few', async () => {
    const { pool, clock } = scriptedPool({ max: 2, destroy: never, destroyTimeout: 1_000 });
    let served = 0;
    for (let second = 0; second < 1_000; second++) {
      const waiter = follow(pool.acquire({ timeout: 900 }));
      await clock.advance(1_000);
      if (waiter.value) served++;
      waiter.value?.destroy();
    }
    expect(served).toBeGreaterThan(10);
    // Each time two more, the next ones wait twice as long: log2 of 1,000 seconds, and those of the last round.
    expect(pool.stats().abandoned).toBeLessThan(26);
  });
});
