import { KeyedPool, type Lease } from '../engine/index.js';
import { Shared, type Fits } from './shared.js';
import type { WholeTransaction } from './whole-transaction.js';

/** A pool whose resources are of no concern here. */
export interface SomePool {
  readonly name: string;
}

/** What a scope has borrowed for everybody in it: of each pool one, and others beside it while that is not to be had. */
export class SharedResources {
  /** By pool. */
  private readonly first = new Map<unknown, Shared>();
  /** Of each keyed pool, by key. */
  private firstOf: Map<unknown, Map<unknown, Shared>> | undefined = undefined;

  /** One that fits, if there is one. */
  find(pool: SomePool, key: unknown, fits: Fits): Shared | undefined {
    let one = this.placeOf(pool).get(keyOf(pool, key));
    while (one && !(one.isOfUse && fits(one))) one = one.next;
    return one;
  }

  /** Makes room for one more, and forgets what is of no use. */
  add(pool: SomePool, key: unknown): Shared {
    const place = this.placeOf(pool);
    const at = keyOf(pool, key);
    const shared = new Shared();
    for (let one = place.get(at); one; one = one.next) {
      // What takes its place may be waiting for just that.
      if (one.got?.broken) one.got.release();
      if (one.isOfUse) shared.next ??= one;
    }
    place.set(at, shared);
    return shared;
  }

  /** The transaction of everybody that is open on a lease. */
  transactionOn(lease: Lease<unknown>): WholeTransaction | undefined {
    for (const place of [this.first, ...(this.firstOf?.values() ?? [])]) {
      for (const first of place.values()) {
        for (let one: Shared | undefined = first; one; one = one.next)
          if (one.got === lease) return one.whole;
      }
    }
    return undefined;
  }

  /** Where what is shared of a pool is kept, by its key. */
  private placeOf(pool: SomePool): Map<unknown, Shared> {
    if (!(pool instanceof KeyedPool)) return this.first;
    const self = selfOf(pool);
    this.firstOf ??= new Map<unknown, Map<unknown, Shared>>();
    let place = this.firstOf.get(self);
    if (!place) this.firstOf.set(self, (place = new Map<unknown, Shared>()));
    return place;
  }
}

/** Agents that trace an application put proxies around its providers: two modules can have different ones of a pool. */
export function selfOf(pool: SomePool): object {
  return (pool as { self?: object }).self ?? pool;
}

function keyOf(pool: SomePool, key: unknown): unknown {
  return pool instanceof KeyedPool ? key : selfOf(pool);
}
