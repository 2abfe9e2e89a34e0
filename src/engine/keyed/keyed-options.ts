import type { CreateContext, ResourceFactory } from '../options/factory.js';
import type { KeyedSessionHooks } from '../options/hooks.js';
import type { PoolSettings } from '../options/options.js';
import { isTarget } from '../options/rules.js';
import type { ResourceTarget } from '../reports/target.js';

/** What a create of a keyed pool is given. */
export interface KeyedCreateContext<K> extends CreateContext {
  readonly key: K;
}

/** How a keyed pool makes, checks, cleans and destroys resources. */
export interface KeyedResourceFactory<K, T> extends Omit<ResourceFactory<T>, 'create'> {
  /** Makes one resource for a key. */
  create(context: KeyedCreateContext<K>): T | PromiseLike<T>;
  /**
   * What the resources of this key are connections to, where that is not the same for all keys: comes before what `target`
   * says. For those who are told of a single borrow; metrics have nothing of a key. Synchronous; a throw, or what is no
   * target, counts as nothing.
   */
  targetOf?(key: K): ResourceTarget | undefined;
}

/** What is known of the resources of one key. Nobody's borrow fails for it. */
export function targetOf<K, T>(factory: KeyedResourceFactory<K, T>, key: K): ResourceTarget | undefined {
  const { target } = factory;
  try {
    const own: unknown = factory.targetOf?.(key);
    return isTarget(own) ? { ...target, ...own } : target;
  } catch {
    return target;
  }
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
