import { afterEach, describe, expect, it } from '@jest/globals';
import { Module, type ModuleMetadata } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { spawnSync } from 'node:child_process';
import { Gauge, Registry, register } from 'prom-client';
import { Pool, PoolModule, PoolRegistry, getPoolToken, type PoolDefinition } from '../../../src/index.js';
import { PoolMetricsModule, collectPools, type PoolMetricsOptions } from '../../../src/prometheus/index.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { Exposition } from './exposition.js';
import { serveMetrics } from './serve.js';

const STATE = Symbol.for('nestjs-pool.prometheus.watched');

const running: RunningApp[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ app }) => app.close()));
  register.clear();
  forgetLoggers();
});

const items = (more: Partial<PoolDefinition> = {}): PoolDefinition =>
  ({ name: 'items', create: () => ({}), max: 2, ...more }) as PoolDefinition;

async function boot(
  options?: PoolMetricsOptions,
  pool = items(),
  more: ModuleMetadata = {},
): Promise<RunningApp> {
  const app = await serveMetrics(
    PLATFORMS[running.length % 2]!,
    { log: false, pools: [pool] },
    options,
    more,
  );
  running.push(app);
  return app;
}

const poolOf = ({ app }: RunningApp, name = 'items'): Pool<object> =>
  app.get(PoolRegistry).get(name) as Pool<object>;

async function use(app: RunningApp, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await poolOf(app).use(async () => undefined);
}

const scraped = async (): Promise<Exposition> => new Exposition(await register.metrics());

/** How many pools the registry still knows. */
const remembered = (): number => {
  const state = (register as { [STATE]?: Map<string, Set<unknown>> })[STATE];
  return [...(state?.values() ?? [])].reduce((sum, { size }) => sum + size, 0);
};

describe('metrics of applications that come and go', () => {
  it('are those of the new application after a reload, and of no other', async () => {
    await use(await boot(), 3);
    await running.pop()!.app.close();
    const again = await boot();
    await use(again, 1);
    const seen = await Exposition.of(again.url);
    expect(seen.value('nestjs_pool_acquires_total', { pool: 'items' })).toBe(1);
    expect(seen.value('nestjs_pool_limit', { pool: 'items' })).toBe(2);
  });

  it('add up pools of one name in one registry, and take the longer of two waits', async () => {
    const [one, two] = [await boot(), await boot()];
    await use(one, 3);
    await use(two, 4);
    const held = await Promise.all([one, one, two, two].map(app => poolOf(app).acquire()));
    const waiting = [poolOf(one).acquire(), poolOf(two).acquire()];
    const before = poolOf(one).stats().oldestWaitMs;
    const seen = await Exposition.of(two.url);
    expect(seen.value('nestjs_pool_acquires_total')).toBe(11);
    expect(seen.value('nestjs_pool_limit')).toBe(4);
    expect(seen.by('state', 'nestjs_pool_state')).toMatchObject({ ready: 2 });
    const wait = seen.histogram('nestjs_pool_wait_seconds', { pool: 'items' })!;
    expect([wait.count, wait.buckets.at(-1)]).toEqual([11, [Infinity, 11]]);
    const oldest = seen.value('nestjs_pool_oldest_wait_seconds')!;
    expect(oldest).toBeGreaterThanOrEqual(before / 1_000);
    expect(oldest).toBeLessThanOrEqual(poolOf(one).stats().oldestWaitMs / 1_000);
    for (const lease of held) lease.release();
    for (const lease of await Promise.all(waiting)) lease.release();
  });

  it('are told apart by labels', async () => {
    await use(await boot({ labels: { app: 'shop' } }), 1);
    const other = await boot({ labels: { app: 'office', zone: 'a"\n\\b' } });
    await use(other, 2);
    const seen = await Exposition.of(other.url);
    expect(seen.by('app', 'nestjs_pool_acquires_total')).toEqual({ shop: 1, office: 2 });
    expect(seen.value('nestjs_pool_acquires_total', { zone: 'a"\n\\b' })).toBe(2);
    expect(seen.family('nestjs_pool_wait_seconds')!.histograms.map(({ labels }) => labels)).toEqual([
      { pool: 'items', app: 'shop' },
      { pool: 'items', app: 'office', zone: 'a"\n\\b' },
    ]);
  });

  it('show a pool once that two imports of the module watch', async () => {
    const app = await boot({}, items(), { imports: [PoolMetricsModule.forRoot()] });
    await use(app, 1);
    expect((await Exposition.of(app.url)).value('nestjs_pool_acquires_total')).toBe(1);
  });

  it('show use_seconds of a pool that two watch when either of them wants it', async () => {
    const imports = [PoolMetricsModule.forRoot({ histograms: { use: true } })];
    const app = await boot({}, items(), { imports });
    await use(app, 100);
    const seen = await Exposition.of(app.url);
    expect(seen.value('nestjs_pool_acquires_total')).toBe(100);
    expect(seen.histogram('nestjs_pool_use_seconds', { pool: 'items' })!.count).toBe(100);
  });

  it('forget a pool when it is closed, and an application', async () => {
    const [one, two] = [await boot({}, items({ name: 'first' })), await boot({}, items({ name: 'second' }))];
    const pools = async (): Promise<string[]> =>
      Object.keys((await scraped()).by('pool', 'nestjs_pool_limit'));
    expect(await pools()).toEqual(['first', 'second']);
    await poolOf(one, 'first').close();
    expect(await pools()).toEqual(['second']);
    expect(remembered()).toBe(1);
    await two.app.close();
    expect(remembered()).toBe(0);
    expect(
      (await scraped()).families.flatMap(({ series, histograms }) => [...series, ...histograms]),
    ).toEqual([]);
  });

  it('come back after a clear() of the registry with the next application, those of all pools', async () => {
    await boot({}, items({ name: 'first' }));
    register.clear();
    await boot({}, items({ name: 'second' }));
    expect((await scraped()).by('pool', 'nestjs_pool_limit')).toEqual({ first: 2, second: 2 });
  });

  it('do not show the pools of an application that could not start', async () => {
    const broken = items({
      start: 'required',
      startTimeout: 1,
      create: () => {
        throw new Error('no');
      },
    });
    await expect(boot({}, broken)).rejects.toThrow('cannot start');
    const failing = {
      providers: [{ provide: 'late', useFactory: () => Promise.reject(new Error('not today')) }],
    };
    await expect(boot({}, items(), failing)).rejects.toThrow('not today');
    expect(remembered()).toBe(0);
  });

  it('have the pools of modules that are loaded later, and measure their leases', async () => {
    const { app, url } = await boot({ histograms: { use: true } });
    class Later {}
    Module({ imports: [PoolModule.forFeature([items({ name: 'later' })])] })(Later);
    const loaded = await app.get(LazyModuleLoader, { strict: false }).load(() => Later);
    const later: Pool<object> = loaded.get(getPoolToken('later'), { strict: false });
    for (let i = 0; i < 100; i++) await later.use(async () => undefined);
    const seen = await Exposition.of(url);
    expect(seen.by('pool', 'nestjs_pool_acquires_total')).toEqual({ items: 0, later: 100 });
    expect(seen.histogram('nestjs_pool_use_seconds', { pool: 'later' })!.count).toBe(100);
  });

  it('have no use_seconds, which would be a sample, unless it is asked for', async () => {
    const { url } = await boot();
    expect((await Exposition.of(url)).family('nestjs_pool_use_seconds')).toBeUndefined();
    // Of those in one registry, only those that are asked for it measure every lease.
    await boot({ histograms: { use: true } }, items({ name: 'measured' }));
    expect((await Exposition.of(url)).family('nestjs_pool_use_seconds')!.histograms).toMatchObject([
      { labels: { pool: 'measured' } },
    ]);
  });

  it('take their options from other providers', async () => {
    class Config {
      readonly app = 'shop';
    }
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}
    const metrics = PoolMetricsModule.forRootAsync({
      imports: [ConfigModule],
      inject: [Config],
      useFactory: async ({ app }: Config) => ({ labels: { app }, prefix: 'shop_pool_' }),
    });
    const imports = [PoolModule.forRoot({ pools: [items()] }), metrics];
    const prometheus = PrometheusModule.register({ defaultMetrics: { enabled: false } });
    running.push(await serve('fastify', { imports: [...imports, prometheus] }));
    expect((await Exposition.of(running[0]!.url)).value('shop_pool_limit', { app: 'shop' })).toBe(2);
  });
});

describe('a registry', () => {
  it('with another metric of one of their names keeps the application from starting, and is left as it was', async () => {
    new Gauge({ name: 'nestjs_pool_leaks_total', help: 'Of somebody else.' });
    await expect(boot()).rejects.toThrow(
      'Metrics of pools: the registry has another metric nestjs_pool_leaks_total already. Give these another prefix.',
    );
    expect(register.getMetricsAsArray()).toHaveLength(1);
    const { url } = await boot({ prefix: 'shop_pool_' });
    expect((await Exposition.of(url)).value('shop_pool_limit')).toBe(2);
  });

  it('of its own is filled, and the global one is not', async () => {
    const registry = new Registry();
    await boot({ registry });
    expect(new Exposition(await registry.metrics()).value('nestjs_pool_limit')).toBe(2);
    expect(register.getMetricsAsArray()).toEqual([]);
  });

  it('is shared by two copies of this package', () => {
    const { stdout, stderr } = spawnSync(process.execPath, ['test/fixtures/prometheus-copies.mjs'], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    const seen = new Exposition(stdout);
    expect(seen.by('pool', 'nestjs_pool_acquires_total')).toEqual({ ours: 1, theirs: 1 });
    expect(seen.value('nestjs_pool_limit', { pool: 'theirs' })).toBe(3);
  });
});

describe('collectPools', () => {
  it('shows pools without NestJS until it is ended', async () => {
    await using pool = new Pool({ name: 'alone', create: () => ({}), max: 7 });
    const registry = new Registry();
    const end = collectPools({ pools: [pool], registry, labels: { app: 'script' } });
    const limit = async (): Promise<number | undefined> =>
      new Exposition(await registry.metrics()).value('nestjs_pool_limit', { pool: 'alone', app: 'script' });
    expect(await limit()).toBe(7);
    end();
    expect(await limit()).toBeUndefined();
  });

  it('asks a pool once for each scrape, however many metrics there are', async () => {
    await using pool = new Pool({ name: 'asked', create: () => ({}) });
    let asked = 0;
    const watched: Pool<object> = Object.assign(Object.create(pool) as Pool<object>, {
      stats: () => {
        asked++;
        return pool.stats();
      },
    });
    const registry = new Registry();
    const end = collectPools({ pools: [watched], registry });
    await registry.metrics();
    expect(asked).toBe(1);
    await registry.metrics();
    expect(asked).toBe(2);
    end();
  });
});
