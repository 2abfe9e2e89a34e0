import type { AnyPool } from '../scope/index.js';
import { isClosed } from './readings.js';

/** So many come, and then it is looked who has gone. */
const SWEEP = 64;

/** Pools that are open, each with something of its own, none of them held: one that nobody else holds any more is no pool. */
export class WeakPools<V> {
  private readonly refs = new Set<WeakRef<AnyPool<unknown>>>();
  // By the pool: what it has may hold it.
  private readonly values = new WeakMap<AnyPool<unknown>, V>();
  private added = 0;

  get size(): number {
    return this.refs.size;
  }

  set(pool: AnyPool<unknown>, value: V): void {
    if (!this.values.has(pool)) this.refs.add(new WeakRef(pool));
    this.values.set(pool, value);
    if (++this.added % SWEEP === 0) this.open();
  }

  delete(pool: AnyPool<unknown>): void {
    this.values.delete(pool);
    this.open();
  }

  /** Takes out all that are still open. */
  take(): [AnyPool<unknown>, V][] {
    const all = this.open().map((pool): [AnyPool<unknown>, V] => [pool, this.values.get(pool)!]);
    for (const [pool] of all) this.values.delete(pool);
    this.refs.clear();
    return all;
  }

  /** Forgets those that are not. */
  open(): AnyPool<unknown>[] {
    return [...this.refs].flatMap(ref => {
      const pool = ref.deref();
      if (pool && this.values.has(pool) && !isClosed(pool)) return pool;
      this.refs.delete(ref);
      return [];
    });
  }
}
