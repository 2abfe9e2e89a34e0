import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import { PoolRegistry, type Pool, type PoolStats } from '../../../src/index.js';
import { PLATFORMS, forgetLoggers, type RunningApp } from '../../support/nest-app.js';
import { Stage } from '../../support/stage.js';
import { until } from '../../support/until.js';
import { Exposition } from './exposition.js';
import { lint } from './lint.js';
import { serveMetrics } from './serve.js';

const POOL = { pool: 'items' };

/** Everything that a pool can tell of. */
const METRICS = {
  resources: 'gauge',
  limit: 'gauge',
  min: 'gauge',
  server_limit: 'gauge',
  abandoned: 'gauge',
  keys: 'gauge',
  state: 'gauge',
  pending_requests: 'gauge',
  oldest_wait_seconds: 'gauge',
  acquires_total: 'counter',
  waits_total: 'counter',
  acquires_failed_total: 'counter',
  creates_total: 'counter',
  create_failures_total: 'counter',
  destroys_total: 'counter',
  leaks_total: 'counter',
  wait_seconds: 'histogram',
  create_seconds: 'histogram',
  use_seconds: 'histogram',
};

describe.each(PLATFORMS)('metrics of pools on %s', platform => {
  let running: RunningApp | undefined;
  let stage: Stage;
  let failing: boolean;

  beforeEach(async () => {
    stage = new Stage();
    failing = false;
    running = await serveMetrics(
      platform,
      {
        log: false,
        pools: [
          {
            name: 'items',
            create: () => {
              if (failing) throw new Error('no more of them');
              return {};
            },
            capacity: () => ({ limit: 100, reserved: 3 }),
            max: 3,
            min: 1,
            overflow: 1,
            maxWaiting: 4,
            leakThreshold: 10,
          },
          { name: 'by-key', create: () => ({}), max: 1, maxTotal: 5 },
        ],
      },
      { histograms: { use: true } },
    );
  });

  afterEach(async () => {
    stage.openAll();
    await running?.app.close();
    register.clear();
    forgetLoggers();
  });

  const items = (): Pool<object> => running!.app.get(PoolRegistry).get('items') as Pool<object>;

  /** Leases, failures and destroys of several kinds; nobody borrows anything any more when it is over. */
  const load = async (): Promise<void> => {
    const pool = items();
    const working = Array.from({ length: 8 }, (_, i) =>
      pool.use(() => stage.pass('working'), { owner: { name: `job ${i}` } }),
    );
    const refused = await Promise.allSettled([pool.acquire(), pool.acquire()]);
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    stage.open('working');
    await Promise.all(working);
    const held = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
    await expect(pool.acquire({ timeout: 5 })).rejects.toMatchObject({ code: 'POOL_TIMEOUT' });
    const leaving = new AbortController();
    const left = pool.acquire({ signal: leaving.signal });
    leaving.abort();
    await expect(left).rejects.toThrow();
    held[0]!.destroy();
    held[1]!.release(Object.assign(new Error('gone'), { code: 'ECONNRESET' }));
    for (const lease of held.slice(2)) lease.release();
    await pool.use(async () => undefined);
  };

  it('have all that there is, with a help and a type', async () => {
    await load();
    const { families, text } = await Exposition.of(running!.url);
    expect(Object.fromEntries(families.map(({ name, type }) => [name, type]))).toEqual(
      Object.fromEntries(Object.entries(METRICS).map(([name, type]) => [`nestjs_pool_${name}`, type])),
    );
    for (const name of Object.keys(METRICS))
      expect(text).toMatch(new RegExp(`^# HELP nestjs_pool_${name} \\S`, 'm'));
  });

  it('say what stats() says, under load', async () => {
    await load();
    const seen = await Exposition.of(running!.url);
    const stats = items().stats();
    expect(stats.totals).toMatchObject({ refused: 2, timedOut: 1, aborted: 1, waited: expect.any(Number) });
    expectEqual(seen, stats);
  });

  it('say what goes on now', async () => {
    const pool = items();
    const held = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
    const waiting = [pool.acquire(), pool.acquire()];
    const { oldestWaitMs } = pool.stats();
    const seen = await Exposition.of(running!.url);
    expect(seen.by('state', 'nestjs_pool_resources', POOL)).toMatchObject({ leased: 4, idle: 0 });
    expect(seen.value('nestjs_pool_pending_requests', POOL)).toBe(2);
    expect(seen.value('nestjs_pool_oldest_wait_seconds', POOL)).toBeGreaterThanOrEqual(oldestWaitMs / 1_000);
    expect(seen.value('nestjs_pool_oldest_wait_seconds', POOL)).toBeLessThanOrEqual(
      pool.stats().oldestWaitMs / 1_000,
    );
    expect(seen.value('nestjs_pool_limit', POOL)).toBe(4);
    expect(seen.value('nestjs_pool_min', POOL)).toBe(1);
    expect(seen.value('nestjs_pool_server_limit', POOL)).toBe(97);
    for (const lease of held) lease.release();
    for (const lease of await Promise.all(waiting)) lease.release();
  });

  it('count a lease that is held for too long, once, also when it comes back', async () => {
    const leaks = async (): Promise<unknown> =>
      (await Exposition.of(running!.url)).by('threshold', 'nestjs_pool_leaks_total', POOL);
    expect(await leaks()).toEqual({ leak_threshold: 0, max_hold: 0, close: 0 });
    const lease = await items().acquire();
    await until(leaks, seen => (seen as { leak_threshold: number }).leak_threshold === 1);
    lease.release();
    expect(await leaks()).toEqual({ leak_threshold: 1, max_hold: 0, close: 0 });
  });

  it('have one of the states', async () => {
    const state = async (): Promise<unknown> =>
      (await Exposition.of(running!.url)).by('state', 'nestjs_pool_state', POOL);
    const none = { starting: 0, ready: 0, unavailable: 0, suspended: 0, draining: 0 };
    expect(await state()).toEqual({ ...none, ready: 1 });
    items().suspend();
    expect(await state()).toEqual({ ...none, suspended: 1 });
    items().resume();
    failing = true;
    await expect(items().acquire()).rejects.toThrow();
    expect(await state()).toEqual({ ...none, unavailable: 1 });
    // It goes on trying meanwhile.
    const failures = (await Exposition.of(running!.url)).value('nestjs_pool_create_failures_total', POOL);
    expect(failures).toBeGreaterThan(0);
  });

  it('have histograms of the same events as stats()', async () => {
    await load();
    const seen = await Exposition.of(running!.url);
    const { wait, hold, create } = items().histograms();
    for (const [name, truth] of Object.entries({ wait, use: hold, create })) {
      const { count, sum, buckets } = seen.histogram(`nestjs_pool_${name}_seconds`, POOL)!;
      expect(count).toBe(truth.count);
      expect(sum).toBeCloseTo(truth.sumMs / 1_000, 12);
      expect(buckets.at(-1)).toEqual([Infinity, truth.count]);
      expect(buckets.map(([, number]) => number).slice(0, -1)).toEqual(
        truth.buckets.map(bucket => bucket.count),
      );
      for (const [i, { upToMs }] of truth.buckets.entries())
        expect(buckets[i]![0]).toBeCloseTo(upToMs / 1_000, 12);
    }
    expect(wait.count).toBe(items().stats().totals.acquired);
    expect(hold.count).toBe(items().stats().totals.released);
  });

  it('keep to what Prometheus asks of metrics', async () => {
    await load();
    expect(lint(await Exposition.of(running!.url))).toEqual([]);
  });
});

/** All that is told of a pool is what its stats() say. */
function expectEqual(seen: Exposition, { totals, ...stats }: PoolStats): void {
  const name = (of: string): string => `nestjs_pool_${of}`;
  const { idle, leased, creating, validating, preparing, resetting, closing } = stats;
  expect(seen.by('state', name('resources'), POOL)).toEqual({
    ...{ idle, leased, creating, validating, preparing, resetting, closing },
  });
  expect(seen.by('state', name('state'), POOL)).toMatchObject({ [stats.state]: 1 });
  expect(seen.value(name('abandoned'), POOL)).toBe(stats.abandoned);
  expect(seen.value(name('pending_requests'), POOL)).toBe(stats.waiting);
  expect(seen.value(name('acquires_total'), POOL)).toBe(totals.acquired);
  expect(seen.value(name('waits_total'), POOL)).toBe(totals.waited);
  expect(seen.value(name('creates_total'), POOL)).toBe(totals.created);
  expect(seen.value(name('create_failures_total'), POOL)).toBe(totals.createFailed);
  expect(seen.by('reason', name('acquires_failed_total'), POOL)).toEqual({
    timeout: totals.timedOut,
    refused: totals.refused,
    shed: totals.shed,
    aborted: totals.aborted,
    deadlocked: totals.deadlocked,
  });
  const destroyed = Object.entries(seen.by('reason', name('destroys_total'), POOL));
  expect(Object.fromEntries(destroyed.filter(([, count]) => count > 0))).toEqual(totals.destroyedBy);
}
