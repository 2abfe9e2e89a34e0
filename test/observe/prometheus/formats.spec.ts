import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AggregatorRegistry,
  Registry,
  type OpenMetricsContentType,
  type RegistryContentType,
} from 'prom-client';
import { KeyedPool, Pool } from '../../../src/index.js';
import { collectPools } from '../../../src/prometheus/index.js';
import { Exposition } from './exposition.js';
import { lint } from './lint.js';

let pool: Pool<object>;

beforeEach(async () => {
  pool = new Pool({ name: 'items', create: () => ({}), max: 2 });
  await pool.use(async () => undefined);
});

afterEach(() => pool.close());

describe('OpenMetrics', () => {
  it('names counters without _total, and their series with it', async () => {
    const registry = new Registry<OpenMetricsContentType>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    collectPools({ pools: [pool], registry });
    // Names do not wear off.
    for (const text of [await registry.metrics(), await registry.metrics()]) {
      expect(text).toContain(
        '# HELP nestjs_pool_acquires Leases given.\n# TYPE nestjs_pool_acquires counter\nnestjs_pool_acquires_total{pool="items"} 1\n',
      );
      expect(text).toContain('nestjs_pool_wait_seconds_bucket{pool="items",le="0.001024"}');
      expect(text).toMatch(/\n# EOF\n$/);
      expect(text).not.toContain('_total_total');
      expect(text).not.toMatch(/^# TYPE \S+_total /m);
    }
  });

  it('changes nothing for who asks for the other format next, or comes next', async () => {
    const registry = new Registry<RegistryContentType>();
    collectPools({ pools: [pool], registry: registry });
    const before = await registry.metrics();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    await registry.metrics();
    collectPools({ pools: [pool], registry: registry });
    registry.setContentType(Registry.PROMETHEUS_CONTENT_TYPE);
    expect(await registry.metrics()).toBe(before);
  });
});

describe('a registry', () => {
  it('adds up what the processes of a cluster tell', async () => {
    const registries = [new Registry(), new Registry()];
    for (const registry of registries) collectPools({ pools: [pool], registry });
    const told = await Promise.all(registries.map(registry => registry.getMetricsAsJSON()));
    const seen = new Exposition(await AggregatorRegistry.aggregate(told).metrics());
    expect(seen.value('nestjs_pool_acquires_total', { pool: 'items' })).toBe(2);
    expect(seen.value('nestjs_pool_limit', { pool: 'items' })).toBe(4);
    expect(seen.histogram('nestjs_pool_wait_seconds', { pool: 'items' })).toMatchObject({ count: 2 });
    expect(lint(seen)).toEqual([]);
  });

  it('puts its own labels on all series, but in the place of none', async () => {
    const registry = new Registry();
    registry.setDefaultLabels({ zone: 'a', pool: 'swimming' });
    collectPools({ pools: [pool], registry });
    const seen = new Exposition(await registry.metrics());
    expect(seen.value('nestjs_pool_limit', { pool: 'items', zone: 'a' })).toBe(2);
    expect(seen.histogram('nestjs_pool_wait_seconds', { pool: 'items', zone: 'a' })!.count).toBe(1);
    expect((await registry.getMetricsAsJSON())[1]).toMatchObject({
      values: [{ labels: { pool: 'items', zone: 'a' }, value: 2 }],
    });
  });

  it('reads each pool once in a scrape, so that its numbers fit together', async () => {
    const registry = new Registry();
    collectPools({ pools: [pool], registry });
    let read = 0;
    const stats = pool.stats.bind(pool);
    pool.stats = () => (read++, stats());
    await registry.metrics();
    expect(read).toBe(1);
    await Promise.all([registry.metrics(), registry.getMetricsAsJSON()]);
    await pool.use(async () => undefined);
    expect(new Exposition(await registry.metrics()).value('nestjs_pool_acquires_total')).toBe(2);
  });
});

describe('a pool by key', () => {
  it('is one set of series, however many and hostile its keys', async () => {
    await using tenants = new KeyedPool<string, object>({
      name: 'tenants',
      create: () => ({}),
      max: 1,
      maxTotal: 1_000,
    });
    const registry = new Registry();
    collectPools({ pools: [tenants], registry, histograms: { use: true } });
    const hostile = [
      '__proto__',
      'constructor',
      '"} 1\nfake_metric 1',
      'a\\',
      '\u0000',
      '{le="1"}',
      'x'.repeat(10_000),
    ];
    const before = (await registry.metrics()).split('\n').length;
    const keys = [...hostile, ...Array.from({ length: 1_000 - hostile.length }, (_, i) => `key-${i}`)];
    const held = await Promise.all(keys.map(key => tenants.acquire(key)));
    const text = await registry.metrics();
    expect(text.split('\n')).toHaveLength(before);
    const seen = new Exposition(text);
    expect(seen.value('nestjs_pool_keys', { pool: 'tenants' })).toBe(1_000);
    expect(seen.by('state', 'nestjs_pool_resources', { pool: 'tenants' })).toMatchObject({ leased: 1_000 });
    expect(seen.value('nestjs_pool_limit')).toBe(1_000);
    expect(seen.series('nestjs_pool_min')).toEqual([]);
    for (const key of keys) expect(text).not.toContain(key);
    for (const lease of held) lease.release();
    expect(new Exposition(await registry.metrics()).histogram('nestjs_pool_use_seconds')!.count).toBe(1_000);
    expect(lint(seen)).toEqual([]);
  });
});
