import {
  Global,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type InjectionToken,
  type ModuleMetadata,
  type OnModuleInit,
  type OptionalFactoryDependency,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, ModulesContainer } from '@nestjs/core';
import type { PoolOptions, ResourceFactory } from '../engine/index.js';
import { Borrowed, type AnyPool } from '../scope/index.js';
import { BorrowScopes } from './borrow-scopes.js';
import type { AnyPoolDefinition, KnownPoolDefinition } from './definition.js';
import { HttpEntry } from './http-entry.js';
import { PoolExceptionFilter } from './http-errors.js';
import { PoolLifecycle } from './lifecycle.js';
import type { PoolModuleOptions, PoolModuleRootOptions } from './options.js';
import { PoolRegistry } from './registry.js';
import { checkApplication } from './start-checks.js';
import { DEFINITIONS, ROOT_OPTIONS, getBorrowedToken, getPoolToken } from './tokens.js';

export interface PoolModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  useFactory: (...dependencies: never[]) => PoolModuleOptions | Promise<PoolModuleOptions>;
  /** Names stay static, so that injection works; what a pool is made of may come from its own `useFactory`. */
  pools?: readonly KnownPoolDefinition[];
  isGlobal?: boolean;
}

/** What an application has once, however many modules define pools. Global, so the last to be shut down. */
@Global()
@Module({
  providers: [
    PoolRegistry,
    BorrowScopes,
    HttpEntry,
    PoolLifecycle,
    { provide: APP_FILTER, useClass: PoolExceptionFilter },
  ],
  exports: [PoolRegistry, BorrowScopes],
})
class PoolCoreModule implements OnModuleInit {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly registry: PoolRegistry,
  ) {}

  onModuleInit(): void {
    checkApplication(this.modules, this.registry);
  }
}

/** Carries the options of `forRoot`; global even where the pools are not, so that defaults reach every pool. */
@Module({})
class PoolOptionsModule {}

/**
 * Registers pools as injectable providers.
 *
 * ```ts
 * PoolModule.forRoot({
 *   defaults: { acquireTimeout: 2_000 },
 *   pools: [{ name: 'renderer', create: () => chromium.launch(), destroy: b => b.close(), max: 2 }],
 * })
 * ```
 */
@Module({})
export class PoolModule {
  /** Once, in the root module: options for all pools of the application, and pools. */
  static forRoot({ pools = [], isGlobal = true, ...options }: PoolModuleRootOptions = {}): DynamicModule {
    return root(pools, isGlobal, [], { provide: ROOT_OPTIONS, useValue: options });
  }

  /** As `forRoot`, with options that come from other providers. */
  static forRootAsync(async: PoolModuleAsyncOptions): DynamicModule {
    const { pools = [], isGlobal = true, imports = [], inject = [], useFactory } = async;
    return root(pools, isGlobal, imports, {
      provide: ROOT_OPTIONS,
      inject,
      useFactory: useFactory as AnyFactory,
    });
  }

  /** Further pools, defined where they are used. `imports`: modules whose providers their factories need. */
  static forFeature(
    pools: readonly KnownPoolDefinition[],
    { imports = [] }: Pick<ModuleMetadata, 'imports'> = {},
  ): DynamicModule {
    return { module: PoolModule, imports: [PoolCoreModule, ...imports], ...poolProviders(pools) };
  }
}

type AnyFactory = (...dependencies: unknown[]) => unknown;

function root(
  pools: readonly KnownPoolDefinition[],
  isGlobal: boolean,
  imports: NonNullable<ModuleMetadata['imports']>,
  options: Provider,
): DynamicModule {
  const optionsModule: DynamicModule = {
    module: PoolOptionsModule,
    global: true,
    imports,
    providers: [options],
    exports: [ROOT_OPTIONS],
  };
  return {
    module: PoolModule,
    global: isGlobal,
    imports: [PoolCoreModule, optionsModule, ...imports],
    ...poolProviders(pools),
  };
}

function poolProviders(
  pools: readonly KnownPoolDefinition[],
): Required<Pick<DynamicModule, 'providers' | 'exports'>> {
  const shared = pools.flatMap<FactoryProvider>(definition => [
    poolProvider(definition),
    {
      provide: getBorrowedToken(definition.name),
      inject: [getPoolToken(definition.name), PoolRegistry],
      useFactory: (pool: AnyPool<unknown>, registry: PoolRegistry) =>
        new Borrowed(pool, registry, registry.keyRule(definition.name)),
    },
  ]);
  const classes = pools.flatMap<Type>(definition => definition.useClass ?? []);
  return {
    providers: [{ provide: DEFINITIONS, useValue: pools }, ...classes, ...shared],
    exports: shared.map(provider => provider.provide),
  };
}

function poolProvider(definition: AnyPoolDefinition): FactoryProvider {
  const provide = getPoolToken(definition.name);
  if (definition.useFactory) {
    const make = definition.useFactory as (...dependencies: unknown[]) => unknown;
    return {
      provide,
      inject: [PoolRegistry, ...(definition.inject ?? [])],
      useFactory: async (registry: PoolRegistry, ...dependencies: unknown[]) =>
        registry.register(definition, (await make(...dependencies)) as PoolOptions<unknown>),
    };
  }
  if (definition.useClass) {
    return {
      provide,
      inject: [PoolRegistry, definition.useClass],
      useFactory: (registry: PoolRegistry, factory: ResourceFactory<unknown>) =>
        registry.register(definition, { factory }),
    };
  }
  return {
    provide,
    inject: [PoolRegistry],
    useFactory: (registry: PoolRegistry) => registry.register(definition, {}),
  };
}
