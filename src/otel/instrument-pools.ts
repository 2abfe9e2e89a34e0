import type { MeterProvider } from '@opentelemetry/api';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { opened } from '../engine/reports/channels.js';
import type { AnyPool } from '../scope/index.js';
import { asAny, checkOptions, checkProvider, type OtelOptions } from './options.js';
import { Watching } from './watching.js';
import { WeakPools } from './weak-pools.js';

/**
 * Metrics and traces of OpenTelemetry for every pool that is made from now on, in whatever way, and for those of
 * `options.pools`. For the file that a process loads first (`node --import ./instrumentation.js`), before or after the SDK
 * has been started there:
 *
 * ```ts
 * instrumentPools();
 * ```
 *
 * Several pools of one name and target, as of two applications in a process, are added up: give them names of their own where
 * you want to tell them apart. A pool that `otel()` sees as well counts once.
 *
 * @param meterProvider as that of the options, which it comes before
 * @returns ends it: nothing is watched any longer
 * @throws PoolOptionsError naming the option and what is allowed
 */
export function instrumentPools(meterProvider?: MeterProvider, options: OtelOptions = {}): () => void {
  checkProvider(meterProvider);
  checkOptions('instrumentPools', options);
  const all = meterProvider === undefined ? options : { ...options, meterProvider };
  checkOptions('instrumentPools', all);
  const watching = new Watching(all);
  const ends = new WeakPools<() => void>();
  const watch = (pool: AnyPool<unknown>): void => {
    ends.set(pool, watching.watch(pool));
  };
  const made = (message: unknown): void => {
    watch((message as { pool: AnyPool<unknown> }).pool);
  };
  subscribe(opened.name, made);
  for (const pool of new Set(all.pools ?? [])) watch(asAny(pool));
  return () => {
    unsubscribe(opened.name, made);
    for (const [, end] of ends.take()) end();
  };
}
