import type { CreateContext, ResourceFactory } from '../options/factory.js';
import type { KeyedSessionHooks } from '../options/hooks.js';
import type { PoolSettings } from '../options/options.js';

/** What a create of a keyed pool is given. */
export interface KeyedCreateContext<K> extends CreateContext {
  readonly key: K;
}

/** How a keyed pool makes, checks, cleans and destroys resources. */
export interface KeyedResourceFactory<K, T> extends Omit<ResourceFactory<T>, 'create'> {
  /** Makes one resource for a key. */
  create(context: KeyedCreateContext<K>): T | PromiseLike<T>;
}

/** The settings of a pool, which hold for each key; `maxWaiting` for each, and for all together. There is no `min`: a key goes when it is idle. */
export type KeyedPoolOptions<K, T> = Omit<PoolSettings, 'min' | 'minIdle'> &
  KeyedSessionHooks<K, T> & {
    /** At most, of all keys together; `max` and `overflow` are those of one key. */
    maxTotal: number;
    /**
     * So many keys may hold or want something at the same time; an acquire of one more is refused with `PoolQueueFullError`.
     * Keys often come from requests, and each costs some kilobytes. Default 1 000, or twice `maxTotal` if that is more.
     */
    maxKeys?: number;
  } & (
    | (KeyedResourceFactory<K, T> & { factory?: never })
    | { factory: KeyedResourceFactory<K, T>; create?: never }
  );
