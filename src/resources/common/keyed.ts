import type {
  KeyedResourceFactory,
  KeyedSessionHooks,
  PoolSettings,
  SessionHooks,
} from '../../engine/index.js';

/**
 * The options of a ready-made pool, for each key, and how the connections of a key differ.
 *
 * @typeParam O the options of the pool that has no keys
 * @typeParam C what a connection is told of where it goes to
 */
export type KeyedOptions<K, T, O, C> = Omit<O, 'min' | keyof SessionHooks<T>> &
  KeyedSessionHooks<K, T> & {
    /** At most, of all keys together; `max` is that of one key. */
    maxTotal: number;
    /**
     * What the connections of a key have that others have not: another `database` or `user`. A key that comes from outside
     * must have been checked by then.
     */
    connection: (key: K) => C;
  };

/** Options for `new KeyedPool()`, or for a definition in `PoolModule`. */
export type KeyedDefinition<K, T> = Omit<PoolSettings, 'min'> &
  KeyedSessionHooks<K, T> & {
    maxTotal: number;
    factory: KeyedResourceFactory<K, T>;
  };
