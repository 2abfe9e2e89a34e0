import { brand } from '../basics/brand.js';
import { PoolClosedError } from '../errors.js';
import type { Lease } from '../lease.js';
import type { AcquireOptions, CloseOptions, RecycleOptions } from '../options/calls.js';
import { checkCount, checkDuration, checkLeftOut, resolveOptions } from '../options/checks.js';
import type { PoolOptions, PoolSettings, ResolvedSettings } from '../options/options.js';
import { Pool } from '../pool.js';
import type { PoolStats } from '../reports/stats.js';
import { Commons } from '../time/commons.js';
import type { KeyedPoolOptions, KeyedResourceFactory } from './keyed-options.js';
import { KeyedHistory, keyedCounts, type KeyedPoolStats } from './keyed-stats.js';
import { SharedTotal } from './shared-total.js';
import type { Member } from './total-member.js';

/** The pool of one key. */
interface Keyed<T> {
  readonly pool: Pool<T>;
  readonly member: Member<T>;
}

/**
 * One pool per key (tenant, host, region) under one total. The pool of a key appears with its first acquire, and goes
 * when it holds nothing any more. When the total is used up, the resource that has been idle longest makes room,
 * whatever its key; when nothing is idle, keys take turns, so that a busy one cannot starve the others. Keys are told
 * apart as those of a Map are.
 *
 * ```ts
 * const pools = new KeyedPool({ maxTotal: 50, create: ({ key }: KeyedCreateContext<string>) => connect(key) });
 * const rows = await pools.use('tenant-7', c => c.query('select 1'));
 * ```
 */
export class KeyedPool<K, T> {
  readonly name: string;
  /** @internal As that of a pool. */
  readonly self: KeyedPool<K, T> = this;
  private readonly maxTotal: number;
  private readonly settings: ResolvedSettings;
  private readonly factory: KeyedResourceFactory<K, T>;
  private readonly commons: Commons;
  private readonly total: SharedTotal<T>;
  private readonly keys = new Map<K, Keyed<T>>();
  private readonly history = new KeyedHistory();
  /** Whose acquire is being called now: its pool stays, although it may hold nothing yet. */
  private entered: Pool<T> | undefined;
  private suspended = false;
  /** `close()` was called: set before anything ends, as user code runs then, and may want to borrow. */
  private ending = false;
  private closing: Promise<void> | undefined;
  private closed = false;

  /** @throws PoolOptionsError naming the option, its value and what is allowed */
  constructor({ maxTotal, ...options }: KeyedPoolOptions<K, T>) {
    // A factory differs from that of a pool only in what its create is given.
    const { settings, factory } = resolveOptions(options as unknown as PoolOptions<T>);
    this.name = settings.name;
    checkCount(this.name, 'maxTotal', maxTotal);
    checkLeftOut(this.name, 'min', (options as PoolSettings).min, 'a key goes when it is idle');
    this.maxTotal = maxTotal;
    this.settings = settings;
    this.factory = factory;
    this.commons = new Commons(settings.clock);
    this.total = new SharedTotal(maxTotal);
  }

  /**
   * Borrows a resource of a key; see `Pool.acquire`. Its deadline covers the wait for a place under the total.
   *
   * @throws what `Pool.acquire` throws
   */
  acquire(key: K, options?: AcquireOptions): Promise<Lease<T>> {
    try {
      return this.enter(key, pool => pool.acquire(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Borrows a resource of a key without waiting, or gives undefined; see `Pool.tryAcquire`.
   *
   * @throws PoolClosedError once `close()` was called
   */
  tryAcquire(key: K, options?: Pick<AcquireOptions, 'owner'>): Lease<T> | undefined {
    return this.enter(key, pool => pool.tryAcquire(options));
  }

  /**
   * Borrows a resource of a key for the time of one call; see `Pool.use`.
   *
   * @throws what {@link acquire} throws, and what `work` throws
   */
  async use<R>(
    key: K,
    work: (resource: T, lease: Lease<T>) => R | PromiseLike<R>,
    options?: AcquireOptions,
  ): Promise<R> {
    return this.enter(key, pool => pool.use(work, options));
  }

  /** Lends, creates and validates nothing of any key until {@link resume}; see `Pool.suspend`. */
  suspend(): void {
    if (this.ending) return;
    this.suspended = true;
    this.commons.waits.stop();
    for (const { pool } of [...this.keys.values()]) pool.suspend();
  }

  resume(): void {
    this.suspended = false;
    this.commons.waits.go();
    for (const { pool } of [...this.keys.values()]) pool.resume();
  }

  /**
   * Begins a new generation of a key, or of all; see `Pool.recycle`.
   *
   * @throws PoolOptionsError when `spread` is not a duration
   */
  recycle(options: RecycleOptions & { readonly key?: K } = {}): void {
    const { key, spread = 0 } = options;
    checkDuration(this.name, 'spread', spread);
    const chosen = 'key' in options ? [this.keys.get(key as K)] : [...this.keys.values()];
    for (const keyed of chosen) keyed?.pool.recycle({ spread });
  }

  /**
   * Ends the pools of all keys; see `Pool.close`.
   *
   * @throws PoolOptionsError when `timeout` is not a duration
   */
  close(options: CloseOptions = {}): Promise<void> {
    checkDuration(this.name, 'timeout', options.timeout ?? 0);
    this.resume();
    this.ending = true;
    const closed = [...this.keys.values()].map(({ pool }) => pool.close(options));
    this.closing ??= Promise.all(closed).then(() => {
      this.closed = true;
    });
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A snapshot of the counts of all keys together. */
  stats(): KeyedPoolStats;
  /** A snapshot of the counts of one key; undefined when it holds and wants nothing. */
  stats(key: K): PoolStats | undefined;
  stats(...key: [] | [K]): KeyedPoolStats | PoolStats | undefined {
    if (key.length > 0) return this.keys.get(key[0] as K)?.pool.stats();
    const pools = [...this.keys.values()].map(({ member }) => member.sharer.interior);
    return {
      name: this.name,
      state: this.state,
      keys: this.keys.size,
      max: this.settings.max,
      maxTotal: this.maxTotal,
      ...keyedCounts(this.total.census, pools),
      ...this.history.snapshot(pools),
    };
  }

  private get state(): KeyedPoolStats['state'] {
    if (this.ending) return this.closed ? 'closed' : 'draining';
    return this.suspended ? 'suspended' : 'ready';
  }

  private enter<R>(key: K, call: (pool: Pool<T>) => R): R {
    if (this.ending) throw this.refused();
    const { pool, member } = this.keys.get(key) ?? this.open(key);
    const outer = this.entered;
    this.entered = pool;
    try {
      return call(pool);
    } finally {
      this.entered = outer;
      // It may have come to nothing.
      member.settled();
    }
  }

  private open(key: K): Keyed<T> {
    const { factory, settings, total, commons } = this;
    const member = total.member(settings.order, () => {
      if (this.entered !== pool) this.dissolve(key, pool, member);
    });
    const pool = new Pool<T>(
      {
        ...settings,
        name: `${this.name}[${nameOf(key)}]`,
        factory: {
          create: context => factory.create({ ...context, key }),
          ...(factory.validate && { validate: resource => factory.validate?.(resource) }),
          ...(factory.reset && { reset: resource => factory.reset?.(resource) }),
          destroy: (resource, reason) => factory.destroy?.(resource, reason),
          ...(factory.handle && { handle: factory.handle.bind(factory) }),
          isFatal: (error, resource) => factory.isFatal?.(error, resource) ?? false,
          isRetryable: error => factory.isRetryable?.(error) ?? true,
        },
      },
      commons,
      member,
    );
    if (this.suspended) pool.suspend();
    const keyed = { pool, member };
    this.keys.set(key, keyed);
    return keyed;
  }

  private dissolve(key: K, pool: Pool<T>, member: Member<T>): void {
    if (this.keys.get(key)?.pool !== pool) return;
    this.keys.delete(key);
    this.history.keep(member.sharer.interior);
    void pool.close();
  }

  private refused(): PoolClosedError {
    this.history.totals.refused++;
    const { name } = this;
    return new PoolClosedError(
      name,
      `Keyed pool "${name}" is closed: it lends nothing any more. Borrow before close(), or make a new pool.`,
    );
  }
}

brand({ KeyedPool });

/** A key may be anything, also what has no text. */
function nameOf(key: unknown): string {
  try {
    return String(key);
  } catch {
    return typeof key;
  }
}
