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
import { GraphqlEntry } from './graphql-entry.js';
import { HttpEntry } from './http-entry.js';
import { DefaultPoolFilter } from './http-errors.js';
import { PoolLifecycle } from './lifecycle.js';
import {
  checkList,
  type PoolModuleOptions,
  type PoolModuleRootOptions,
  type PoolOptionsFactory,
} from './options.js';
import { PoolRegistry } from './registry.js';
import { checkApplication } from './start-checks.js';
import { DEFINITIONS, ROOT_OPTIONS, getBorrowedToken, getPoolToken } from './tokens.js';

/** One of `useFactory`, `useClass` and `useExisting`. */
export interface PoolModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  useFactory?: (...dependencies: never[]) => PoolModuleOptions | Promise<PoolModuleOptions>;
  /** A class that is made for this, with its dependencies injected. */
  useClass?: Type<PoolOptionsFactory>;
  /** A provider that `imports` export. */
  useExisting?: InjectionToken<PoolOptionsFactory>;
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
    GraphqlEntry,
    PoolLifecycle,
    { provide: APP_FILTER, useClass: DefaultPoolFilter },
  ],
  exports: [PoolRegistry, BorrowScopes],
})
class PoolCoreModule implements OnModuleInit {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly registry: PoolRegistry,
  ) {
    // Nest shuts modules down by their distance from the root, and gives all global ones the same: whoever flushes in
    // another one must still find its pools open.
    for (const module of modules.values()) {
      if (module.metatype === PoolCoreModule) module.distance = Infinity;
    }
  }

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
  /**
   * Once, in the root module: options for all pools of the application, and pools. `imports`: modules whose providers
   * their factories need.
   */
  static forRoot(given: PoolModuleRootOptions = {}): DynamicModule {
    const { pools = [], isGlobal = true, imports = [], ...options } = given;
    return root(pools, isGlobal, imports, [{ provide: ROOT_OPTIONS, useValue: options }]);
  }

  /**
   * As `forRoot`, with options that come from other providers.
   *
   * @throws TypeError when there is not exactly one of `useFactory`, `useClass` and `useExisting`
   */
  static forRootAsync(async: PoolModuleAsyncOptions): DynamicModule {
    const { pools = [], isGlobal = true, imports = [] } = async;
    return root(pools, isGlobal, imports, asyncOptions(async));
  }

  /** Further pools, defined where they are used. `imports`: modules whose providers their factories need. */
  static forFeature(
    pools: readonly KnownPoolDefinition[],
    { imports = [] }: Pick<ModuleMetadata, 'imports'> = {},
  ): DynamicModule {
    return { module: PoolModule, imports: [PoolCoreModule, ...imports], ...poolProviders(pools) };
  }
}

function root(
  pools: readonly KnownPoolDefinition[],
  isGlobal: boolean,
  imports: NonNullable<ModuleMetadata['imports']>,
  options: Provider[],
): DynamicModule {
  const optionsModule: DynamicModule = {
    module: PoolOptionsModule,
    global: true,
    imports,
    providers: options,
    exports: [ROOT_OPTIONS],
  };
  return {
    module: PoolModule,
    global: isGlobal,
    imports: [PoolCoreModule, optionsModule, ...imports],
    ...poolProviders(pools),
  };
}

function asyncOptions(async: PoolModuleAsyncOptions): Provider[] {
  const { inject = [], useFactory, useClass, useExisting } = async;
  const ways = [useFactory, useClass, useExisting].filter(way => way !== undefined);
  if (ways.length !== 1) {
    throw new TypeError(
      'PoolModule.forRootAsync() takes exactly one of useFactory, useClass and useExisting.',
    );
  }
  // Nobody gives undefined for options: forRoot() without any has an object.
  const checked = (options: unknown): unknown => options ?? null;
  if (useFactory) {
    const make = useFactory as (...dependencies: unknown[]) => unknown;
    return [
      {
        provide: ROOT_OPTIONS,
        inject,
        useFactory: async (...dependencies: unknown[]) => checked(await make(...dependencies)),
      },
    ];
  }
  const made: FactoryProvider = {
    provide: ROOT_OPTIONS,
    inject: [useClass ?? useExisting!],
    useFactory: async (factory: PoolOptionsFactory) => checked(await factory.createPoolOptions()),
  };
  return useClass ? [useClass, made] : [made];
}

function poolProviders(
  pools: readonly KnownPoolDefinition[],
): Required<Pick<DynamicModule, 'providers' | 'exports'>> {
  checkList(pools);
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

/** @throws TypeError when the factory of a definition has made nothing */
function madeBy(name: string, made: unknown): PoolOptions<unknown> {
  if (typeof made === 'object' && made !== null) return made as PoolOptions<unknown>;
  throw new TypeError(
    `Pool "${name}": its useFactory gave ${typeof made === 'string' ? 'a string' : String(made)}. It must return what the pool is made of, such as ` +
      '{ create, destroy }, or pgPool({ … }).',
  );
}

function poolProvider(definition: AnyPoolDefinition): FactoryProvider {
  const provide = getPoolToken(definition.name);
  if (definition.useFactory) {
    const make = definition.useFactory as (...dependencies: unknown[]) => unknown;
    return {
      provide,
      inject: [PoolRegistry, ...(definition.inject ?? [])],
      useFactory: async (registry: PoolRegistry, ...dependencies: unknown[]) =>
        registry.register(definition, madeBy(definition.name, await make(...dependencies))),
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
