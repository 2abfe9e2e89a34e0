import type { InjectionToken, OptionalFactoryDependency, Type } from '@nestjs/common';
import type { PoolOptions, PoolSettings, ResourceFactory } from '../engine/index.js';
import type { PoolName, Pools } from './pools.js';

/**
 * When a pool begins:
 * - `lazy`: with its first borrow
 * - `warm`: with the application, which waits at most `startTimeout` for `min` resources and then boots all the same,
 *   not ready, while the pool goes on trying
 * - `required`: with the application, which does not boot without at least one resource
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

interface ByMembers<T> extends ResourceFactory<T> {
  factory?: never;
  useFactory?: never;
  useClass?: never;
  inject?: never;
}
interface ByObject<T> {
  factory: ResourceFactory<T>;
  create?: never;
  useFactory?: never;
  useClass?: never;
  inject?: never;
}
interface ByFactory<T> {
  /** Makes the factory and settings of the pool; gets what `inject` names. */
  useFactory: (...dependencies: never[]) => FactoryResult<T> | Promise<FactoryResult<T>>;
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  create?: never;
  factory?: never;
  useClass?: never;
}
interface ByClass<T> {
  /** A provider class; Nest makes it, with its dependencies. */
  useClass: Type<ResourceFactory<T>>;
  create?: never;
  factory?: never;
  useFactory?: never;
  inject?: never;
}

/** One pool: a name, one way to make its resources, and settings. */
export type PoolDefinition<T = unknown, N extends string = string> = { name: N } & ModuleSettings &
  (ByMembers<T> | ByObject<T> | ByFactory<T> | ByClass<T>);

/** A definition whose name and type agree with {@link Pools}; any definition while that is empty. */
export type KnownPoolDefinition = [keyof Pools] extends [never]
  ? PoolDefinition
  : { [N in PoolName]: PoolDefinition<N extends keyof Pools ? Pools[N] : unknown, N> }[PoolName];

/**
 * Writes a definition down outside of `forRoot`, with the resource's type inferred from how it is made.
 *
 * ```ts
 * const renderer = definePool({ name: 'renderer', create: () => chromium.launch(), destroy: b => b.close() });
 * ```
 */
export function definePool<T, const N extends string>(
  definition: PoolDefinition<T, N>,
): PoolDefinition<T, N> {
  return definition;
}

const WAYS = ['create', 'factory', 'useFactory', 'useClass'] as const;
const STARTS: readonly unknown[] = ['lazy', 'warm', 'required'];

/** What is the module's own in a definition, as opposed to the engine's. */
export const MODULE_KEYS = ['useFactory', 'useClass', 'inject', 'start', 'startTimeout'] as const;

/**
 * Checks what only the module knows; the engine checks the rest when it makes the pool.
 *
 * @throws TypeError
 */
export function checkDefinition(definition: PoolDefinition): void {
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
