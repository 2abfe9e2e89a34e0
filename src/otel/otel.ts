import type { PoolTelemetry } from '../module/telemetry.js';
import { asAny, checkOptions, type OtelOptions } from './options.js';
import { Watching } from './watching.js';

/**
 * Metrics and traces of OpenTelemetry for all pools of an application:
 *
 * ```ts
 * PoolModule.forRoot({ telemetry: otel(), pools: [pgPool({ name: 'orders-db', max: 10 })] })
 * ```
 *
 * A pool that {@link instrumentPools} sees as well counts once. Several pools of one name and target, as of two applications
 * in a process, are added up: give them names of their own where you want to tell them apart.
 *
 * @throws PoolOptionsError naming the option and what is allowed
 */
export function otel(options: OtelOptions = {}): PoolTelemetry {
  checkOptions('otel', options);
  const watching = new Watching(options);
  for (const pool of options.pools ?? []) watching.watch(asAny(pool));
  return {
    watch: pool => watching.watch(pool),
  };
}
