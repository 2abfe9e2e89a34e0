import type { KeyedPool, Pool } from '../engine/index.js';

/**
 * The pools of the application and what they lend. Augment it, and names and types are checked by the compiler:
 *
 * ```ts
 * declare module 'nestjs-pool' {
 *   interface Pools { 'orders-db': Client; renderer: Browser; tenants: KeyedPool<string, Client> }
 * }
 * ```
 *
 * A pool by key is listed as what it is, `KeyedPool<Key, Resource>`; any other by its resource.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- empty until the application fills it
export interface Pools {}

/** The name of a pool: one of {@link Pools}, or any string while that is empty. */
export type PoolName = [keyof Pools] extends [never] ? string : Extract<keyof Pools, string>;

type Listed<N extends string> = N extends keyof Pools ? Pools[N] : unknown;

/** What a pool lends; `unknown` for names that {@link Pools} does not list. */
export type ResourceOf<N extends string> = Listed<N> extends KeyedPool<infer _K, infer T> ? T : Listed<N>;

/** The key of a keyed pool; `never` for other pools, `unknown` for names that {@link Pools} does not list. */
export type KeyOf<N extends string> = N extends keyof Pools
  ? Pools[N] extends KeyedPool<infer K, infer _T>
    ? K
    : never
  : unknown;

/** The pool itself; a plain one for names that {@link Pools} does not list. */
export type PoolOf<N extends string> =
  Listed<N> extends KeyedPool<infer K, infer T> ? KeyedPool<K, T> : Pool<Listed<N>>;

/** The type of the parameter a decorator stands on. */
type ParameterAt<Target, Key, Index extends number> = Key extends keyof Target
  ? Target[Key] extends (...parameters: infer P) => unknown
    ? P[Index]
    : never
  : Target extends abstract new (...parameters: infer P) => unknown
    ? P[Index]
    : never;

/**
 * A parameter decorator that only fits parameters which take a `V`, if `N` is one of {@link Pools}. Where it does not
 * fit, the compiler says that the index is not assignable to `never`.
 */
export type TypedParameterDecorator<N extends string, V> = N extends keyof Pools
  ? <Target extends object, Key, Index extends number>(
      target: Target,
      key: Key,
      index: Index & (V extends ParameterAt<Target, Key, Index> ? Index : never),
    ) => void
  : ParameterDecorator;
