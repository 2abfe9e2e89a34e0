import { describe, expect, it } from '@jest/globals';
import { KeyedPool, Pool } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { ManualClock, turn } from '../support/manual-clock.js';
import { ok, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

class Visitor {
  constructor(private readonly path: string) {}
  toString(): string {
    return `GET ${this.path}`;
  }
}

describe('resources()', () => {
  it('tells each one in its state, how old it is, since when it is lent or idle, and to whom', async () => {
    const { pool, clock, factory } = scriptedPool({ max: 4, create: ok, reset: slow });
    const [held, idle, cleaned] = await Promise.all([
      pool.acquire({ owner: new Visitor('/orders') }),
      pool.acquire(),
      pool.acquire(),
    ]);
    await clock.advance(100);
    factory.resets.next(ok);
    idle.release();
    await turn();
    cleaned.release();
    factory.creates.next(slow);
    const more = [follow(pool.acquire()), follow(pool.acquire())];
    await clock.advance(400);
    const seen = pool.resources().map(({ slot, state, owner }) => ({ slot, state, owner }));
    expect(seen).toEqual([
      { slot: 1, state: 'leased', owner: 'GET /orders' },
      { slot: 2, state: 'leased', owner: undefined },
      { slot: 3, state: 'resetting', owner: undefined },
      { slot: 4, state: 'creating', owner: undefined },
    ]);
    const [first, second, third, fourth] = pool.resources();
    expect(first).toMatchObject({ uses: 1, key: undefined });
    expect(first!.ageMs).toBeCloseTo(500, -1);
    expect(first!.forMs).toBeCloseTo(500, -2);
    expect(second!.forMs).toBeCloseTo(400, -2);
    expect(third!.forMs).toBeUndefined();
    expect(fourth).toMatchObject({ ageMs: undefined, forMs: undefined, uses: 0 });
    held.release();
    factory.creates.last.settle();
    await turn();
    expect(more.filter(({ state }) => state === 'fulfilled')).toHaveLength(2);
    for (const { value } of more) value?.release();
  });

  it('knows of every holder for how long, though nobody listens, within 50 ms', async () => {
    const clock = new ManualClock();
    const pool = new Pool({ create: () => ({}), max: 100, clock });
    // Those that are measured anyway.
    for (let i = 0; i < 65; i++) (await pool.acquire()).release();
    const lease = await pool.acquire();
    await clock.advance(1_000);
    const [holder] = pool.holders();
    expect(Math.abs(holder!.heldMs - 1_000)).toBeLessThanOrEqual(50);
    expect(pool.resources()[0]!.forMs).toBe(holder!.heldMs);
    lease.release();
    await pool.close();
  });
});

describe('waiters()', () => {
  it('tells those who wait, the oldest first, whatever their priority', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const first = follow(pool.acquire({ priority: 'low', owner: new Visitor('/a') }));
    await clock.advance(20);
    const second = follow(pool.acquire({ priority: 'high' }));
    await clock.advance(5);
    expect(pool.waiters()).toEqual([
      { key: undefined, waitedMs: 25, priority: 'low', owner: 'GET /a' },
      { key: undefined, waitedMs: 5, priority: 'high', owner: undefined },
    ]);
    lease.release();
    await turn();
    second.value!.release();
    await turn();
    first.value!.release();
    expect(pool.waiters()).toEqual([]);
  });
});

describe('histograms()', () => {
  it('tell of the same events as the latencies do, those who did not wait included', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const waiting = pool.acquire();
    await clock.advance(10);
    lease.release();
    (await waiting).release();
    const { wait, hold, create } = pool.histograms();
    expect([wait.count, hold.count, create.count]).toEqual([2, 2, 1]);
    expect(wait.sumMs).toBe(10);
    const within = (upToMs: number): number | undefined =>
      wait.buckets.find(bucket => bucket.upToMs === upToMs)?.count;
    expect([1.024, 8.192, 16.384, 33_554.432].map(within)).toEqual([1, 1, 2, 2]);
    expect(wait.buckets[0]!.upToMs).toBe(1.024);
  });
});

describe('a keyed pool', () => {
  it('tells what all keys have, who waits for which, and their histograms, those that have gone included', async () => {
    const clock = new ManualClock();
    const pool = new KeyedPool<string, object>({
      name: 'tenants',
      maxTotal: 2,
      idleTimeout: 1_000,
      create: () => ({}),
      clock,
    });
    await pool.use('gone', () => undefined);
    await clock.advance(2_000);
    const a = await pool.acquire('a', { owner: new Visitor('/a') });
    const b = await pool.acquire('b');
    const waiting = follow(pool.acquire('c'));
    await clock.advance(30);
    expect(pool.resources().map(({ key, state, owner }) => [key, state, owner])).toEqual([
      ['a', 'leased', 'GET /a'],
      ['b', 'leased', undefined],
    ]);
    expect(pool.waiters()).toEqual([{ key: 'c', waitedMs: 30, priority: 'normal', owner: undefined }]);
    expect(pool.holders().map(({ owner }) => owner)).toEqual(['GET /a', undefined]);
    expect(pool.histograms().create.count).toBe(3);
    expect(pool.histograms().wait.count).toBe(3);
    a.release();
    await turn();
    waiting.value!.release();
    b.release();
    await pool.close();
  });
});

describe('target', () => {
  it('is what the factory says, of a pool and of a keyed one', () => {
    const target = { system: 'postgresql', namespace: 'shop', host: 'db', port: 5432 };
    expect(new Pool({ create: () => ({}), target }).target).toEqual(target);
    expect(new Pool({ factory: { create: () => ({}), target } }).target).toEqual(target);
    expect(new KeyedPool({ create: () => ({}), maxTotal: 1, target }).target).toEqual(target);
    expect(new Pool({ create: () => ({}) }).target).toBeUndefined();
  });

  it('is refused when it is no object, without what it says', () => {
    const wrong = { create: () => ({}), target: 'postgres://app:secret@db/shop' } as never;
    expect(() => new Pool(wrong)).toThrow(/"target" is a string; it must be \{ system/);
  });
});
