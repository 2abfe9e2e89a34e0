import type { CreateContext, ResourceFactory } from '../options/factory.js';
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

/** The settings of a pool, which hold for each key. There is no `min`: a key goes when it is idle. */
export type KeyedPoolOptions<K, T> = Omit<PoolSettings, 'min'> & {
  /** At most, of all keys together; `max` and `overflow` are those of one key. */
  maxTotal: number;
} & (
    | (KeyedResourceFactory<K, T> & { factory?: never })
    | { factory: KeyedResourceFactory<K, T>; create?: never }
  );
