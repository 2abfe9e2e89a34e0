import type { InjectionToken, OptionalFactoryDependency, Type } from '@nestjs/common';
import type {
  KeyedPool,
  KeyedPoolOptions,
  KeyedResourceFactory,
  KeyedSessionHooks,
  PoolOptions,
  PoolSettings,
  ResourceFactory,
  SessionHooks,
} from '../engine/index.js';
import type { KeyRule } from '../scope/index.js';
import type { PoolName, Pools } from './pools.js';

/**
 * When a pool begins:
 * - `lazy`: with its first borrow
 * - `warm`: with the application, which waits at most `startTimeout` for `min` resources, and no longer than until creates
 *   keep failing (`unavailableAfter`), and then boots all the same, not ready, while the pool goes on trying
 * - `required`: with the application, which waits for `startTimeout` as long as trying is of use, and does not boot
 *   without at least one resource
 */
export type StartMode = 'lazy' | 'warm' | 'required';

/** The settings of a pool in an application. */
export interface ModuleSettings extends Omit<PoolSettings, 'name'> {
  /** Default `lazy`. */
  start?: StartMode;
  /** Milliseconds that the boot waits for a `warm` or `required` pool. Default 10 000. */
  startTimeout?: number;
}

/** What a `useFactory` may return: the members of a factory (or a `factory`), and settings. */
export type FactoryResult<T> = PoolOptions<T>;

interface ByMembers {
  factory?: never;
  useFactory?: never;
  useClass?: never;
  inject?: never;
}
interface ByObject<F> {
  factory: F;
  create?: never;
  useFactory?: never;
  useClass?: never;
  inject?: never;
}
interface ByFactory<R> {
  /** Makes the factory and settings of the pool; gets what `inject` names. */
  useFactory: (...dependencies: never[]) => R | Promise<R>;
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  create?: never;
  factory?: never;
  useClass?: never;
}
interface ByClass<F> {
  /** A provider class; Nest makes it, with its dependencies. */
  useClass: Type<F>;
  create?: never;
  factory?: never;
  useFactory?: never;
  inject?: never;
}

/** One pool: a name, one way to make its resources, and settings. */
export type PoolDefinition<T = unknown, N extends string = string> = {
  name: N;
  maxTotal?: never;
  key?: never;
} & ModuleSettings &
  SessionHooks<T> &
  (
    | (ByMembers & ResourceFactory<T>)
    | ByObject<ResourceFactory<T>>
    | ByFactory<FactoryResult<T>>
    | ByClass<ResourceFactory<T>>
  );

/**
 * A pool by key (tenant, host, region): as any other, but with a `maxTotal`, here or in what its `useFactory` returns.
 * It starts with its first borrow, as there is no key before.
 */
export type KeyedPoolDefinition<K = unknown, T = unknown, N extends string = string> = {
  name: N;
  min?: never;
  start?: never;
  startTimeout?: never;
} & Omit<ModuleSettings, 'min' | 'start' | 'startTimeout'> &
  Partial<KeyRule<K>> &
  KeyedSessionHooks<K, T> &
  (
    | ({ maxTotal: number } & (
        | (ByMembers & KeyedResourceFactory<K, T>)
        | ByObject<KeyedResourceFactory<K, T>>
        | ByClass<KeyedResourceFactory<K, T>>
      ))
    | ({ maxTotal?: number } & ByFactory<KeyedPoolOptions<K, T>>)
  );

/** A definition of either kind. */
export type AnyPoolDefinition = PoolDefinition | KeyedPoolDefinition;

type Known<V, N extends string> =
  V extends KeyedPool<infer K, infer T> ? KeyedPoolDefinition<K, T, N> : PoolDefinition<V, N>;

/** A definition whose name and type agree with {@link Pools}; any definition while that is empty. */
export type KnownPoolDefinition = [keyof Pools] extends [never]
  ? AnyPoolDefinition
  : { [N in PoolName]: Known<N extends keyof Pools ? Pools[N] : unknown, N> }[PoolName];

/**
 * Writes a definition down outside of `forRoot`, with the resource's type inferred from how it is made.
 *
 * ```ts
 * const renderer = definePool({ name: 'renderer', create: () => chromium.launch(), destroy: b => b.close() });
 * ```
 */
export function definePool<T, const N extends string>(definition: PoolDefinition<T, N>): PoolDefinition<T, N>;
export function definePool<K, T, const N extends string>(
  definition: KeyedPoolDefinition<K, T, N>,
): KeyedPoolDefinition<K, T, N>;
export function definePool(definition: AnyPoolDefinition): AnyPoolDefinition {
  return definition;
}

const WAYS = ['create', 'factory', 'useFactory', 'useClass'] as const;
const STARTS: readonly unknown[] = ['lazy', 'warm', 'required'];

/** What is the module's own in a definition, as opposed to the engine's. */
export const MODULE_KEYS = ['useFactory', 'useClass', 'inject', 'start', 'startTimeout', 'key'] as const;

/**
 * Checks what only the module knows; the engine checks the rest when it makes the pool.
 *
 * @throws TypeError
 */
export function checkDefinition(definition: AnyPoolDefinition): void {
  const { name } = definition as { name?: unknown };
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`PoolModule: a pool's name must be a non-empty string, got ${String(name)}.`);
  }
  const given = WAYS.filter(way => definition[way] !== undefined);
  if (given.length !== 1) {
    const problem = given.length === 0 ? 'none of them' : given.join(' and ');
    throw new TypeError(
      `PoolModule: pool "${name}" needs exactly one of ${WAYS.join(', ')}; it has ${problem}.`,
    );
  }
  checkStart(`pool "${name}"`, definition);
  const { key } = definition as { key?: unknown };
  if (key !== undefined && typeof key !== 'function') {
    throw new TypeError(
      `PoolModule: pool "${name}" has a key that is no function; it must be request => key.`,
    );
  }
}

/**
 * Checks what is known of a pool only when its factory has been made: whether it is one by key.
 *
 * @throws TypeError
 */
export function checkKeyed({ name, key, start }: AnyPoolDefinition, keyed: boolean): void {
  if (!keyed && key) {
    throw new TypeError(
      `PoolModule: pool "${name}" has a key, which only a pool by key can make use of; give it a maxTotal, or leave key out.`,
    );
  }
  if (keyed && start !== undefined && start !== 'lazy') {
    throw new TypeError(
      `PoolModule: pool "${name}" has start "${start as string}"; a pool by key starts with its first borrow, as there ` +
        'is no key before.',
    );
  }
}

/** @throws TypeError */
export function checkStart(
  where: string,
  { start, startTimeout }: Pick<ModuleSettings, 'start' | 'startTimeout'>,
): void {
  if (start !== undefined && !STARTS.includes(start)) {
    throw new TypeError(`PoolModule: ${where} has start "${start}"; it must be one of ${STARTS.join(', ')}.`);
  }
  checkMilliseconds(`${where} has startTimeout`, startTimeout);
}

/** @throws TypeError */
export function checkMilliseconds(what: string, value: number | undefined): void {
  if (value !== undefined && !(value >= 0)) {
    throw new TypeError(`PoolModule: ${what} ${value}; it must be milliseconds ≥ 0.`);
  }
}
