import {
  Controller,
  Module,
  SetMetadata,
  UseGuards,
  VERSION_NEUTRAL,
  type CanActivate,
  type DynamicModule,
  type FactoryProvider,
} from '@nestjs/common';
import { PoolDashboardController } from './dashboard.controller.js';
import { DashboardFeed } from './feed.js';
import {
  DASHBOARD_OPTIONS,
  checkAsync,
  checkStatic,
  settingsOf,
  type PoolDashboardAsyncOptions,
  type PoolDashboardOptions,
  type Settings,
} from './options.js';

/** As `@ApiExcludeController()` of `@nestjs/swagger` says it, which is not imported for that. */
const NOT_IN_SWAGGER = SetMetadata('swagger/apiExcludeController', [true]);

/**
 * A live page of all pools of the application, at `/pools`:
 *
 * ```ts
 * @Module({ imports: [PoolModule.forRoot({ … }), PoolDashboardModule.forRoot({ guard: OperatorsGuard })] })
 * ```
 *
 * It is closed by default: without a `guard`, or `open: true`, the application does not start. It shows, and does nothing, unless
 * `actions` says so. It listens to no borrow: once a second it asks each pool for its counts.
 */
@Module({})
export class PoolDashboardModule {
  /** @throws TypeError for a wrong option, or where nothing says who may see the page */
  static forRoot(options: PoolDashboardOptions = {}): DynamicModule {
    checkStatic(options);
    const { open, actions, title, history } = options;
    const settings = settingsOf({ open, actions, title, history }, options.guard !== undefined);
    return mount(options, { provide: DASHBOARD_OPTIONS, useFactory: () => settings });
  }

  /**
   * As {@link forRoot}, where some of it is known only when the application starts. What decides which routes there are, and who
   * guards them, is said at once: `path`, `guard`, `decorators`.
   *
   * @throws TypeError for a wrong option; the application does not start where nothing says who may see the page
   */
  static forRootAsync(options: PoolDashboardAsyncOptions): DynamicModule {
    checkAsync(options);
    const { useFactory, inject = [], guard } = options;
    return mount(options, {
      provide: DASHBOARD_OPTIONS,
      inject,
      useFactory: async (...dependencies: unknown[]): Promise<Settings> =>
        settingsOf(await useFactory(...(dependencies as never[])), guard !== undefined),
    });
  }
}

function mount(
  {
    path = 'pools',
    guard = [],
    imports = [],
    decorators = [],
  }: Omit<PoolDashboardAsyncOptions, 'useFactory'>,
  settings: FactoryProvider<Settings>,
): DynamicModule {
  const segments = path.split('/').filter(segment => segment !== '');
  class PoolDashboardRoutes extends PoolDashboardController {
    protected readonly lastSegment = segments.at(-1)!;
  }
  Controller({ path: segments.join('/'), version: VERSION_NEUTRAL })(PoolDashboardRoutes);
  const guards = [guard].flat() as CanActivate[];
  if (guards.length > 0) UseGuards(...guards)(PoolDashboardRoutes);
  NOT_IN_SWAGGER(PoolDashboardRoutes);
  for (const decorate of decorators) decorate(PoolDashboardRoutes);
  return {
    module: PoolDashboardModule,
    imports: [...imports],
    controllers: [PoolDashboardRoutes],
    providers: [settings, DashboardFeed],
  };
}
