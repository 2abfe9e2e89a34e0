import type { ModuleMetadata } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { PoolModule, type PoolModuleRootOptions } from '../../../src/index.js';
import { PoolMetricsModule, type PoolMetricsOptions } from '../../../src/prometheus/index.js';
import { serve, type Platform, type RunningApp } from '../../support/nest-app.js';

/** An application as users have it: its pools, their metrics, and somebody else's `/metrics`. */
export function serveMetrics(
  platform: Platform,
  pools: PoolModuleRootOptions,
  options?: PoolMetricsOptions,
  more: ModuleMetadata = {},
): Promise<RunningApp> {
  return serve(platform, {
    ...more,
    imports: [
      PoolModule.forRoot(pools),
      PoolMetricsModule.forRoot(options),
      PrometheusModule.register({ defaultMetrics: { enabled: false } }),
      ...(more.imports ?? []),
    ],
  });
}
