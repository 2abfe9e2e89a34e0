import { Module, VERSION_NEUTRAL, Controller, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PoolHealthController } from './pool-health.controller.js';
import { PoolHealthIndicator } from './pool-health.indicator.js';
import { HEALTH_OPTIONS, checkHealthOptions, type PoolHealthModuleOptions } from './pool-health.options.js';

/**
 * Serves `/health/live`, `/health/ready` and `/health/startup` for Kubernetes, with nothing to write:
 *
 * ```ts
 * @Module({ imports: [PoolModule.forRoot({ … }), PoolHealthModule.forRoot({ path: 'health' })] })
 * ```
 *
 * Under a global prefix the routes are below it, unless you exclude them; they have no version. A global guard has to
 * let them through: see `decorators`.
 */
@Module({})
export class PoolHealthModule {
  /** @throws TypeError for a wrong option; the application does not start with the name of a pool that is not there */
  static forRoot(options: PoolHealthModuleOptions = {}): DynamicModule {
    checkHealthOptions(options);
    const { path = 'health', decorators = [] } = options;
    class PoolHealthRoutes extends PoolHealthController {}
    Controller({ path, version: VERSION_NEUTRAL })(PoolHealthRoutes);
    for (const decorate of decorators) decorate(PoolHealthRoutes);
    return {
      module: PoolHealthModule,
      imports: [TerminusModule],
      controllers: [PoolHealthRoutes],
      providers: [PoolHealthIndicator, { provide: HEALTH_OPTIONS, useValue: options }],
    };
  }
}
