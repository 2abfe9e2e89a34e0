import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { setMaxListeners } from 'node:events';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import {
  KeyedPool,
  Pool,
  type KeyedPoolOptions,
  type PoolOptions,
  type PoolSettings,
} from '../engine/index.js';
import type { AnyPool, KeyRule, ScopeHost, TransactionPlan } from '../scope/index.js';
import { timeLeftBy, type TimeLeft } from './deadline.js';
import {
  MODULE_KEYS,
  checkDefinition,
  checkKeyed,
  type AnyPoolDefinition,
  type ModuleSettings,
} from './definition.js';
import { DuplicatePoolError, UnknownPoolError } from './errors.js';
import { poolFilter } from './http-errors.js';
import { classesOf, instancesOf, isAmong } from './inventory.js';
import { logListener } from './log-listener.js';
import { checkModuleOptions, type PoolModuleOptions } from './options.js';
import { TransactionPlans } from './orders.js';
import type { PoolName, PoolOf } from './pools.js';
import { Telemetry } from './telemetry.js';
import { DEFINITIONS, ROOT_OPTIONS, getPoolToken, type Definitions } from './tokens.js';

type RegisteredModule = NonNullable<ReturnType<ModulesContainer['get']>>;

/** A pool as the application knows it. */
export interface RegisteredPool {
  readonly pool: AnyPool<unknown>;
  readonly definition: AnyPoolDefinition;
  readonly start: NonNullable<ModuleSettings['start']>;
  readonly startTimeout: number;
  /** Has what its start mode asks for been reached, at some time? */
  started: boolean;
}

/**
 * The pools of one application: lists them and finds them by name. It belongs to the application, never to the
 * process, so two applications in one process do not meet.
 */
@Injectable()
export class PoolRegistry implements ScopeHost {
  /** By name: of all pools, those included that a test has put others in the place of. */
  private readonly definitions = new Map<string, AnyPoolDefinition>();
  /**
   * As they are written down, undefined until they are made: in which order Nest makes providers depends on its version, and
   * on what they wait for.
   */
  private readonly registered = new Map<string, RegisteredPool | undefined>();
  private readonly resolved = new Map<string, AnyPool<unknown>>();
  private readonly stop = new AbortController();
  private readonly silence = new AbortController();
  /** @internal */
  readonly filter = poolFilter();
  private readonly plans = new TransactionPlans(this);
  /** @internal */
  readonly telemetry: Telemetry;
  /** @internal */
  readonly timeLeft: TimeLeft | undefined;
  /** Set when the application begins to shut down: readiness is down from then on. */
  shuttingDown = false;

  /** @throws TypeError for a wrong definition, DuplicatePoolError for a name that is used twice */
  constructor(
    private readonly modules: ModulesContainer,
    private readonly moduleRef: ModuleRef,
    @Optional() @Inject(ROOT_OPTIONS) private readonly options: PoolModuleOptions = {},
  ) {
    checkModuleOptions(options);
    this.telemetry = new Telemetry(options.telemetry);
    this.timeLeft = timeLeftBy(options.deadline);
    // One listener for each subscription: many are no leak.
    setMaxListeners(0, this.stop.signal, this.silence.signal);
    this.refuseDuplicates();
  }

  /** @internal */
  get shutdownTimeout(): number {
    return this.options.shutdownTimeout ?? 10_000;
  }

  /** @internal */
  get abandonedTimeout(): number | undefined {
    return this.options.abandonedTimeout;
  }

  /** Aborted when subscriptions that would keep the application from stopping have to end. */
  get stopping(): AbortSignal {
    return this.stop.signal;
  }

  /** @internal */
  get silenced(): AbortSignal {
    return this.silence.signal;
  }

  /** @internal */
  transactionsOf(handler: object, instance: object): TransactionPlan | undefined {
    return this.plans.of(handler, instance);
  }

  /** @internal */
  owns(instance: object): boolean {
    return isAmong(this.modules, instance);
  }

  /** @internal What they are made by. */
  classes(): readonly unknown[] {
    return classesOf(this.modules);
  }

  /** @internal What there is of the application's providers, once each. */
  instances(): Iterable<object> {
    return instancesOf(this.modules);
  }

  /** The names of all pools, in the order of {@link list}. */
  names(): string[] {
    return this.list().map(pool => pool.name);
  }

  /** All pools, in the order in which modules list them. */
  list(): AnyPool<unknown>[] {
    return this.entries().map(entry => entry.pool);
  }

  /**
   * The pool of this name, as injection sees it: with a test's `overrideProvider`, the overriding one.
   *
   * @throws UnknownPoolError
   */
  get<N extends PoolName>(name: N): PoolOf<N> {
    return this.require(name) as unknown as PoolOf<N>;
  }

  /** As {@link get}, for a name that is only known at run time; `undefined` when there is no such pool. */
  find(name: string): AnyPool<unknown> | undefined {
    const known = this.resolved.get(name);
    if (known) return known;
    let pool: AnyPool<unknown>;
    try {
      pool = this.moduleRef.get<AnyPool<unknown>>(getPoolToken(name), { strict: false });
    } catch {
      return undefined;
    }
    this.resolved.set(name, pool);
    return pool;
  }

  /** @internal As {@link get}, without the types. */
  require(name: string): AnyPool<unknown> {
    const pool = this.find(name);
    if (!pool) throw new UnknownPoolError(name, this.knownNames());
    return pool;
  }

  /** @internal */
  entries(): RegisteredPool[] {
    return [...this.registered.values()].filter(entry => entry !== undefined);
  }

  /** @internal Every name that a module of this application provides a pool for. */
  knownNames(): string[] {
    const prefix = getPoolToken('');
    const names = new Set<string>();
    for (const module of this.modules.values()) {
      for (const token of module.providers.keys()) {
        if (typeof token === 'string' && token.startsWith(prefix)) names.add(token.slice(prefix.length));
      }
    }
    return [...names];
  }

  /**
   * @internal Makes the pool of a definition, once: the same definition reached through two imports is one pool.
   *
   * @param made what the definition's own way of making resources has given
   */
  register(
    definition: AnyPoolDefinition,
    made: Partial<PoolOptions<unknown> | KeyedPoolOptions<unknown, unknown>>,
  ): AnyPool<unknown> {
    const known = this.registered.get(definition.name);
    if (known) return known.pool;
    const { defaults = {}, log = true } = this.options;
    const own = withoutModuleKeys(definition);
    const factorys = withoutModuleKeys(made);
    const keyed = 'maxTotal' in own || 'maxTotal' in factorys;
    checkKeyed(definition, keyed);
    const { min, ...common } = withoutModuleKeys(defaults);
    const all: PoolSettings = {
      ...common,
      // A key goes when it is idle: how many the others keep is nothing to a pool by key.
      ...(min !== undefined && !keyed && { min }),
      ...factorys,
      ...own,
      name: definition.name,
    };
    const watching = [...(defaults.listeners ?? []), ...(made.listeners ?? []), ...(own.listeners ?? [])];
    const itself = (): AnyPool<unknown> | undefined => this.registered.get(definition.name)?.pool;
    const listeners = log ? [logListener(new Logger('PoolModule'), itself), ...watching] : watching;
    const options: unknown = { ...all, listeners };
    const pool = keyed
      ? new KeyedPool(options as KeyedPoolOptions<unknown, unknown>)
      : new Pool(options as PoolOptions<unknown>);
    const start = keyed ? 'lazy' : (definition.start ?? defaults.start ?? 'lazy');
    this.telemetry.made(pool);
    this.registered.set(definition.name, {
      pool,
      definition,
      start,
      startTimeout: definition.startTimeout ?? defaults.startTimeout ?? 10_000,
      started: start === 'lazy',
    });
    return pool;
  }

  /** @internal How the pool of this name finds its key in a request. */
  keyRule(name: string): KeyRule | undefined {
    const definition = this.definitions.get(name);
    return definition?.key ? (definition as KeyRule) : undefined;
  }

  /** @internal Whether any pool may be one by key, of which some are known only when they are made. */
  get mayHaveKeys(): boolean {
    const telling = ({ maxTotal, key, useFactory }: AnyPoolDefinition): unknown =>
      maxTotal ?? key ?? useFactory;
    return [...this.definitions.values()].some(definition => telling(definition) !== undefined);
  }

  /** @internal */
  endSubscriptions(): void {
    this.stop.abort();
  }

  /** @internal Nothing listens any more: what is still to be sent has nobody to go to. */
  endAnswers(): void {
    this.silence.abort();
  }

  /** Where the pools of a module are defined, as users know it. All modules import one that is global. */
  private placesOf(definitions: RegisteredModule): string[] {
    if (definitions.isGlobal) return ['PoolModule.forRoot()'];
    const importers = [...this.modules.values()].filter(({ imports }) => imports.has(definitions));
    return importers.map(({ metatype }) => metatype.name);
  }

  /** All definitions are known before the first pool is made, so nothing has to be undone. */
  private refuseDuplicates(): void {
    const roots = [...this.modules.values()].filter(module => module.providers.has(ROOT_OPTIONS));
    if (roots.length > 1) {
      throw new Error(
        'PoolModule.forRoot() is imported more than once. Import it in the root module, and PoolModule.forFeature([…]) ' +
          'where else pools are defined.',
      );
    }
    const owners = new Map<string, { definition: AnyPoolDefinition; modules: string[] }>();
    for (const module of this.modules.values()) {
      const definitions = (module.providers.get(DEFINITIONS)?.instance ?? []) as unknown as Definitions;
      for (const definition of definitions) {
        checkDefinition(definition);
        const modules = this.placesOf(module);
        this.definitions.set(definition.name, definition);
        this.registered.set(definition.name, undefined);
        const owner = owners.get(definition.name);
        if (!owner) owners.set(definition.name, { definition, modules });
        else if (owner.definition !== definition) {
          throw new DuplicatePoolError(definition.name, [...owner.modules, ...modules]);
        }
      }
    }
  }
}

function withoutModuleKeys(settings: object): PoolSettings {
  return Object.fromEntries(
    Object.entries(settings).filter(
      ([key, value]) => value !== undefined && !(MODULE_KEYS as readonly string[]).includes(key),
    ),
  );
}
