import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import { Registry, type OpenMetricsContentType } from 'prom-client';
import { Pool } from '../../../src/engine/index.js';
import {
  PoolMetricsModule,
  collectPools,
  type MetricsRegistry,
  type PoolMetricsOptions,
} from '../../../src/prometheus/index.js';

const NAMES = 'letters, digits and underscores';

describe('options of metrics', () => {
  it.each<[string, unknown, string]>([
    ['no object', null, 'its options are null; they must be an object'],
    [
      'an unknown one',
      { prefx: 'a_' },
      'unknown option "prefx"; known are registry, prefix, labels, histograms',
    ],
    ['no registry', { registry: {} }, 'registry is an object; it must be a Registry of prom-client'],
    ['a prefix with a dash', { prefix: 'my-pool_' }, `prefix is "my-pool_"; it must be ${NAMES}`],
    ['a prefix that runs into the name', { prefix: 'shop' }, `prefix is "shop"; it must be ${NAMES}`],
    ['a prefix that begins with a digit', { prefix: '1_' }, `prefix is "1_"; it must be ${NAMES}`],
    ['no prefix at all', { prefix: '' }, `prefix is ""; it must be ${NAMES}`],
    ['labels that are none', { labels: ['a'] }, 'labels is an array; it must be an object'],
    ['a label of ours', { labels: { state: 'a' } }, 'labels has "state", which series have of their own'],
    ['the label of a pool', { labels: { pool: 'a' } }, 'labels has "pool", which series have of their own'],
    ['the label of buckets', { labels: { le: '1' } }, 'labels has "le", which series have of their own'],
    [
      'a label with a wrong name',
      { labels: { 'app-name': 'a' } },
      `labels has "app-name"; names must be ${NAMES}`,
    ],
    ['a label of Prometheus', { labels: { __name__: 'a' } }, `labels has "__name__"; names must be ${NAMES}`],
    [
      'a label without a value',
      { labels: { app: undefined } },
      'labels["app"] is undefined; it must be a string',
    ],
    ['a number for a label', { labels: { app: 1 } }, 'labels["app"] is 1; it must be a string'],
    ['histograms that are none', { histograms: true }, 'histograms is true; it must be an object'],
    [
      'an unknown histogram',
      { histograms: { hold: true } },
      'unknown option "histograms.hold"; known are histograms.use',
    ],
    [
      'a histogram that is no switch',
      { histograms: { use: 1 } },
      'histograms.use is 1; it must be true or false',
    ],
  ])('are refused when there is %s', (_what, options, message) => {
    expect(() => PoolMetricsModule.forRoot(options as PoolMetricsOptions)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        message: expect.stringContaining(`Metrics of pools: ${message}`),
      }),
    );
  });

  it('may be left out, or undefined', () => {
    for (const options of [undefined, {}, { registry: undefined, prefix: undefined, histograms: {} }]) {
      expect(PoolMetricsModule.forRoot(options as PoolMetricsOptions)).toMatchObject({
        module: PoolMetricsModule,
      });
    }
  });

  it('have types', () => {
    expectTypeOf(new Registry()).toExtend<MetricsRegistry>();
    expectTypeOf(new Registry<OpenMetricsContentType>()).toExtend<MetricsRegistry>();
    expectTypeOf(collectPools).returns.toEqualTypeOf<() => void>();
    PoolMetricsModule.forRoot({ labels: { app: 'shop' }, histograms: { use: false } });
    PoolMetricsModule.forRootAsync({
      inject: [Date],
      useFactory: (date: Date) => ({ labels: { at: date.toJSON() } }),
    });
    const wrong = (make: () => unknown): void => expect(make).toThrow(TypeError);
    // @ts-expect-error -- a label is a text
    wrong(() => PoolMetricsModule.forRoot({ labels: { app: 1 } }));
    // @ts-expect-error -- there is no such histogram
    wrong(() => PoolMetricsModule.forRoot({ histograms: { hold: true } }));
    // @ts-expect-error -- there is no such option
    wrong(() => collectPools({ pools: [], path: 'metrics' }));
    // @ts-expect-error -- what makes the options returns some
    PoolMetricsModule.forRootAsync({ useFactory: () => ({ prefix: 1 }) });
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'its options are undefined; they must be an object'],
    ['no pools', {}, 'pools is undefined; it must be an array of pools'],
    ['a pool that is in no array', { pools: new Pool({ create: () => ({}) }) }, 'pools is an object'],
    ['something else among them', { pools: [new Pool({ create: () => ({}) }), {}] }, 'pools is an array'],
  ])('of collectPools are refused when there is %s, and nothing is registered', (_what, options, message) => {
    const registry = new Registry();
    const given = options && { registry, ...options };
    expect(() => collectPools(given as never)).toThrow(`Metrics of pools: ${message}`);
    expect(registry.getMetricsAsArray()).toEqual([]);
  });
});
