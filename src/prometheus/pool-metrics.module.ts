import {
  Inject,
  Injectable,
  Module,
  Optional,
  type DynamicModule,
  type FactoryProvider,
  type InjectionToken,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OptionalFactoryDependency,
  type Provider,
} from '@nestjs/common';
import { PoolRegistry } from '../module/registry.js';
import { requireRegistry } from '../module/require-registry.js';
import { checkMetricsOptions, type PoolMetricsOptions } from './options.js';
import { PoolMetrics } from './pool-metrics.js';

const OPTIONS = Symbol('nestjs-pool.metrics-options');

export interface PoolMetricsAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  useFactory: (...dependencies: never[]) => PoolMetricsOptions | Promise<PoolMetricsOptions>;
}

/** The metrics of the application's pools, from its bootstrap until they are closed. */
@Injectable()
class ApplicationMetrics implements OnApplicationBootstrap {
  private readonly pools: PoolRegistry;
  private readonly metrics: PoolMetrics;

  constructor(
    @Optional() @Inject(PoolRegistry) pools: PoolRegistry | undefined,
    @Inject(OPTIONS) options: PoolMetricsOptions,
  ) {
    this.pools = requireRegistry(pools, 'PoolMetricsModule');
    this.metrics = new PoolMetrics(options);
  }

  /** Not before: an application that cannot start is never closed, and its pools would be shown for ever. */
  onApplicationBootstrap(): void {
    this.pools.telemetry.join(this.metrics, this.pools.list());
  }
}

/**
 * Metrics of all pools of the application for Prometheus, with prom-client:
 *
 * ```ts
 * @Module({ imports: [PoolModule.forRoot({ … }), PoolMetricsModule.forRoot(), PrometheusModule.register()] })
 * ```
 *
 * They are read from the pools when a scrape comes, and cost nothing between scrapes. A pool by key is one set of series, never
 * one for each key. It serves no route: what serves the registry does, such as `PrometheusModule` of
 * `@willsoto/nestjs-prometheus`. Applications that share a registry share the metrics; pools of the same name are added up,
 * unless `labels` tells them apart.
 */
@Module({})
export class PoolMetricsModule {
  /**
   * @throws TypeError for a wrong option; the application does not start where the registry has another metric of the name of one
   * of these
   */
  static forRoot(options: PoolMetricsOptions = {}): DynamicModule {
    checkMetricsOptions(options);
    return dynamic({ provide: OPTIONS, useValue: options }, []);
  }

  /** As `forRoot`, with options that come from other providers; wrong ones keep the application from starting. */
  static forRootAsync({ imports = [], inject = [], useFactory }: PoolMetricsAsyncOptions): DynamicModule {
    const make = useFactory as FactoryProvider['useFactory'];
    return dynamic({ provide: OPTIONS, inject, useFactory: make }, imports);
  }
}

function dynamic(options: Provider, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
  return { module: PoolMetricsModule, imports, providers: [options, ApplicationMetrics] };
}
