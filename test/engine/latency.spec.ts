import { describe, expect, it } from '@jest/globals';
import { Pool, type LatencySummary } from '../../src/engine/index.js';
import { Latency } from '../../src/engine/reports/latency.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { ManualClock } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';
import { slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

/** By nearest rank: so many took no longer. */
function truth(sorted: readonly number[], share: number): number {
  // 0.95 × 20 is more than 19 to a computer.
  return sorted[Math.ceil(share * sorted.length - 1e-9) - 1]!;
}

function recordAll(values: readonly number[]): Latency {
  const latency = new Latency();
  for (const value of values) latency.record(value);
  return latency;
}

function expectRight(summary: LatencySummary, values: readonly number[]): void {
  const sorted = [...values].sort((a, b) => a - b);
  expect(summary.count).toBe(sorted.length);
  expect(summary.maxMs).toBe(sorted.at(-1));
  expect(summary.meanMs).toBeCloseTo(sorted.reduce((sum, value) => sum + value, 0) / sorted.length, 6);
  for (const [share, shown] of [
    [0.5, summary.p50Ms],
    [0.95, summary.p95Ms],
    [0.99, summary.p99Ms],
  ] as const) {
    const right = truth(sorted, share);
    expect(shown).toBeGreaterThanOrEqual(right * (1 - 1e-12));
    // What is shorter than a microsecond counts as one.
    expect(shown).toBeLessThanOrEqual(Math.max(1.1 * right, 0.001));
    expect(shown).toBeLessThanOrEqual(summary.maxMs);
  }
}

/** Durations of many kinds, from a number between 0 and 1. */
const kinds: [string, (random: () => number) => number][] = [
  ['uniform', random => 1_000 * random()],
  ['exponential', random => -20 * Math.log(1 - random())],
  ['over all sizes alike', random => 10 ** (9 * random() - 4)],
  ['heavy-tailed', random => 0.5 / (1 - random()) ** 1.5],
  ['fast or slow', random => (random() < 0.97 ? 1 + random() : 5_000 + 1_000 * random())],
  ['whole milliseconds', random => Math.floor(30 * random())],
  ['all alike', () => 17],
  ['just at the bounds of the buckets', random => 0.001 * 2 ** (Math.floor(280 * random()) / 8)],
];

describe('percentiles', () => {
  it.each(kinds)('are within 10 %% and never below the truth: %s', (_, draw) => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = randomFrom(seed);
      const values = Array.from({ length: [1, 2, 3, 20, 100, 101, 999, 5_000][seed % 8]! }, () =>
        draw(random),
      );
      expectRight(recordAll(values).summary(), values);
    }
  });

  it.each([
    ['zeros', [0, 0, 0]],
    ['less than a microsecond', [1e-9, 1e-6, 5e-4]],
    ['days', [1, 3 * 86_400_000, 30 * 86_400_000]],
    ['all sizes', [0, 1e-7, 1e-3, 1, 1e3, 1e6, 4e9]],
  ])('hold for extremes: %s', (_, values) => {
    expectRight(recordAll(values).summary(), values);
  });

  it('of what takes months are not below the truth either', () => {
    const { p50Ms, p99Ms, maxMs } = recordAll([1, 1e10, 1e10, 2e11]).summary();
    expect([p50Ms, p99Ms, maxMs]).toEqual([2e11, 2e11, 2e11]);
  });

  it('of up to six weeks are right beside what takes months', () => {
    const values = [3.6e9, 3.6e9, 3.6e9, 2e11];
    expectRight(recordAll(values).summary(), values);
  });

  it('of nothing are zero', () => {
    const nothing = { count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 };
    expect(new Latency().summary()).toEqual(nothing);
  });

  it('count those that took no time and were not recorded', () => {
    const values = [3, 5, 8];
    for (const zeros of [1, 2, 3, 4, 60, 1_000]) {
      const all = [...new Array<number>(zeros).fill(0), ...values];
      expectRight(recordAll(values).summary(zeros), all);
    }
    expect(recordAll(values).summary(57)).toMatchObject({ p50Ms: 0, p95Ms: 0, count: 60 });
  });

  it('of two together are those of what both have recorded', () => {
    const random = randomFrom(5);
    const [, [, exponential], , [, heavy]] = kinds as [
      unknown,
      (typeof kinds)[0],
      unknown,
      (typeof kinds)[0],
    ];
    const one = Array.from({ length: 700 }, () => exponential(random));
    const two = Array.from({ length: 400 }, () => heavy(random));
    const sum = recordAll(one);
    sum.add(recordAll(two));
    expectRight(sum.summary(), [...one, ...two]);
    expect(sum.recorded).toBe(1_100);
    sum.add(new Latency());
    // As it is with keys that have gone: what is added up is added to others.
    const [some, all] = [new Latency(), new Latency()];
    some.add(sum);
    all.add(some);
    expect(all.histogram()).toEqual(sum.histogram());
    expect(all.summary()).toEqual(sum.summary());
    expectRight(sum.summary(), [...one, ...two]);
  });
});

describe('the latencies of a pool', () => {
  it('wait: of every acquire that was served, those that found something idle included', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    for (let i = 0; i < 7; i++) (await pool.acquire()).release();
    pool.tryAcquire()!.release();
    const lease = await pool.acquire();
    const waiter = follow(pool.acquire());
    const late = follow(pool.acquire({ timeout: 100 }));
    await clock.advance(500);
    expect(late.state).toBe('rejected');
    lease.release();
    await clock.advance(0);
    waiter.value!.release();
    const { wait } = pool.stats().latency;
    expectRight(wait, [...new Array<number>(9).fill(0), 500]);
    expect(waiter.value!.waitedMs).toBe(500);
  });

  it('wait: not the time in which the pool was suspended', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    const waiter = follow(pool.acquire({ timeout: Infinity }));
    pool.suspend();
    await clock.advance(10_000);
    pool.resume();
    await clock.advance(0);
    expect(waiter.state).toBe('fulfilled');
    expectRight(pool.stats().latency.wait, [0]);
  });

  it('create: of every create that succeeded', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow });
    const leases = [300, 20, 70].map(async ms => {
      const acquired = pool.acquire();
      const call = factory.creates.last;
      await clock.advance(ms);
      call.settle();
      return acquired;
    });
    await leases[0];
    await leases[1];
    await leases[2];
    // They overlap: each took as long as it took.
    const took = factory.creations.map(({ tookMs }) => tookMs);
    expect(took).toHaveLength(3);
    expectRight(pool.stats().latency.create, took);
    factory.creates.next(() => Promise.reject(new Error('down')));
    follow(pool.acquire());
    await clock.advance(0);
    expect(pool.stats().latency.create.count).toBe(3);
  });

  it('hold: of every lease, when somebody listens to onRelease', async () => {
    const told: number[] = [];
    const { pool, clock } = scriptedPool({ listeners: [{ onRelease: ({ heldMs }) => told.push(heldMs) }] });
    for (let i = 0; i < 40; i++) {
      const lease = await pool.acquire();
      await clock.advance(i);
      if (i % 3 === 0) lease.destroy();
      else lease.release();
    }
    expect(told).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expectRight(pool.stats().latency.hold, told);
  });

  it('hold: of the first 64 leases and then of one in 64, when nobody does', async () => {
    const clock = new ManualClock();
    const pool = new Pool({ clock, create: () => ({}) });
    for (let i = 0; i < 640; i++) {
      const lease = await pool.acquire();
      await clock.advance(i < 64 || i % 64 === 0 ? 10 : 3);
      lease.release();
    }
    expectRight(pool.stats().latency.hold, new Array<number>(64 + 9).fill(10));
    await pool.close();
  });

  it('are plain data, and a snapshot', async () => {
    const { pool } = scriptedPool();
    const { latency } = pool.stats();
    (await pool.acquire()).release();
    expect(latency.wait.count).toBe(0);
    expect(JSON.parse(JSON.stringify(pool.stats().latency))).toEqual(pool.stats().latency);
  });
});
