import { brand } from '../basics/brand.js';
import { PoolClosedError, PoolQueueFullError } from '../errors.js';
import type { Lease } from '../lease.js';
import type { AcquireOptions, CloseOptions, RecycleOptions } from '../options/calls.js';
import { checkCount, checkDuration, checkLeftOut, resolveOptions } from '../options/checks.js';
import { hooksOf, type KeyedSessionHooks } from '../options/hooks.js';
import type { PoolOptions, PoolSettings, ResolvedSettings } from '../options/options.js';
import { Pool } from '../pool.js';
import type { PoolListener } from '../reports/listener.js';
import { opened } from '../reports/channels.js';
import {
  histograms,
  type PoolHistograms,
  type PoolHolder,
  type PoolResource,
  type PoolStats,
  type PoolWaiter,
} from '../reports/stats.js';
import type { ResourceTarget } from '../reports/target.js';
import { watchWith } from '../reports/watch.js';
import { Witness } from '../witness.js';
import type { Sharer } from '../supply/share.js';
import { Commons } from '../time/commons.js';
import { KeyedMemory } from './keyed-memory.js';
import { targetOf, type KeyedPoolOptions, type KeyedResourceFactory } from './keyed-options.js';
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
  private readonly maxKeys: number;
  private readonly memory = new KeyedMemory<K>();
  private readonly settings: ResolvedSettings;
  private readonly factory: KeyedResourceFactory<K, T>;
  private readonly hooks: KeyedSessionHooks<K, T>;
  private readonly commons: Commons;
  private readonly total: SharedTotal<T>;
  private readonly keys = new Map<K, Keyed<T>>();
  private readonly listeners: Set<PoolListener>;
  private readonly history = new KeyedHistory();
  /** Whose acquire is being called now: its pool stays, although it may hold nothing yet. */
  private entered: Pool<T> | undefined;
  private suspended = false;
  /** `close()` was called: set before anything ends, as user code runs then, and may want to borrow. */
  private ending = false;
  private closing: Promise<void> | undefined;
  private closed = false;

  /** @throws PoolOptionsError naming the option, its value and what is allowed */
  constructor({ maxTotal, maxKeys, ...options }: KeyedPoolOptions<K, T>) {
    // A factory differs from that of a pool only in what its create is given, as do the hooks.
    const { settings, factory, hooks } = resolveOptions(options as unknown as PoolOptions<T>);
    this.name = settings.name;
    checkCount(this.name, 'maxTotal', maxTotal);
    checkLeftOut(this.name, 'min', (options as PoolSettings).min, 'a key goes when it is idle');
    checkLeftOut(this.name, 'minIdle', (options as PoolSettings).minIdle, 'a key goes when it is idle');
    if (maxKeys !== undefined) checkCount(this.name, 'maxKeys', maxKeys);
    this.maxTotal = maxTotal;
    this.maxKeys = maxKeys ?? Math.max(KEYS, 2 * maxTotal);
    this.settings = settings;
    this.listeners = new Set(settings.listeners);
    this.factory = factory;
    this.hooks = hooks;
    this.commons = new Commons(settings.clock);
    this.total = new SharedTotal(maxTotal);
    if (opened.hasSubscribers) opened.publish({ pool: this });
  }

  /**
   * Borrows a resource of a key; see `Pool.acquire`. Its deadline covers the wait for a place under the total.
   *
   * @throws what `Pool.acquire` throws
   * @throws PoolQueueFullError also when there are `maxKeys` keys already
   */
  acquire(key: K, options?: AcquireOptions): Promise<Lease<T>> {
    return this.enter(
      key,
      pool => pool.acquire(options),
      error => this.witnessOf(key).refused(error, options),
    );
  }

  /**
   * Borrows a resource of a key without waiting, or gives undefined; see `Pool.tryAcquire`.
   *
   * @throws PoolClosedError once `close()` was called
   */
  tryAcquire(key: K, options?: Pick<AcquireOptions, 'owner'>): Lease<T> | undefined {
    return this.enter(
      key,
      pool => pool.tryAcquire(options),
      error => this.witnessOf(key).refusedNow(error, options),
    );
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
    return this.enter(
      key,
      pool => pool.use(work, options),
      error => this.witnessOf(key).refused(error, options),
    );
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
    const { spread = 0 } = options;
    checkDuration(this.name, 'spread', spread);
    for (const { pool } of this.chosen(options)) pool.recycle({ spread });
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

  /**
   * Destroys what is idle now, of a key or of all; see `Pool.destroyIdle`.
   */
  async destroyIdle(options: { readonly key?: K } = {}): Promise<void> {
    await Promise.all(this.chosen(options).map(({ pool }) => pool.destroyIdle()));
  }

  /**
   * Tells one more what happens in the pools of all keys from now on; see `Pool.addListener`.
   *
   * @returns removes it again
   */
  addListener(listener: PoolListener): () => void {
    this.listeners.add(listener);
    for (const { pool } of this.keys.values()) pool.addListener(listener);
    return () => {
      this.removeListener(listener);
    };
  }

  /** Tells a listener nothing any more, also one that came with the options. */
  removeListener(listener: PoolListener): void {
    this.listeners.delete(listener);
    for (const { pool } of this.keys.values()) pool.removeListener(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Can its resources begin transactions: has its factory a `begin`? */
  get hasTransactions(): boolean {
    return this.factory.begin !== undefined;
  }

  /** A snapshot of the counts of all keys together. */
  stats(): KeyedPoolStats;
  /** A snapshot of the counts of one key; undefined when it holds and wants nothing. */
  stats(key: K): PoolStats | undefined;
  stats(...key: [] | [K]): KeyedPoolStats | PoolStats | undefined {
    if (key.length > 0) return this.keys.get(key[0] as K)?.pool.stats();
    const pools = this.counted();
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

  /** Who holds what now, of all keys, those who have held it longest first; see `Pool.holders`. */
  holders(): readonly PoolHolder[] {
    return this.all(pool => pool.holders()).sort((a, b) => b.heldMs - a.heldMs);
  }

  /** What there is now of all keys; see `Pool.resources`. */
  resources(): readonly PoolResource[] {
    return this.all(pool => pool.resources());
  }

  /** Who waits now, of all keys; see `Pool.waiters`. */
  waiters(): readonly PoolWaiter[] {
    return this.all(pool => pool.waiters()).sort((a, b) => b.waitedMs - a.waitedMs);
  }

  /** @internal Of all keys together; see `Pool.standstillMs`. */
  standstillMs(patience: number, oldestWaitMs: number): number {
    return this.commons.standstill.forMs(patience, oldestWaitMs);
  }

  /** How long things took, of all keys together; see `Pool.histograms`. */
  histograms(): PoolHistograms {
    const { totals, latencies } = this.history.with(this.counted());
    return histograms(latencies, totals.acquired);
  }

  /** What its resources are connections to, as far as that is the same for all keys; see `Pool.target`. */
  get target(): ResourceTarget | undefined {
    return this.factory.target;
  }

  private all<R>(of: (pool: Pool<T>) => readonly R[]): R[] {
    return [...this.keys.values()].flatMap(({ pool }) => of(pool));
  }

  private counted(): Sharer<T>['interior'][] {
    return [...this.keys.values()].map(({ member }) => member.sharer.interior);
  }

  /** The pool of a key, if it is there, or all. */
  private chosen(options: { readonly key?: K }): readonly Keyed<T>[] {
    if (!('key' in options)) return [...this.keys.values()];
    const keyed = this.keys.get(options.key);
    return keyed ? [keyed] : [];
  }

  private get state(): KeyedPoolStats['state'] {
    if (this.ending) return this.closed ? 'closed' : 'draining';
    return this.suspended ? 'suspended' : 'ready';
  }

  /** @param refused answers when it does not come as far as the pool of its key */
  private enter<R>(key: K, call: (pool: Pool<T>) => R, refused: (error: unknown) => R): R {
    let keyed: Keyed<T>;
    try {
      keyed = this.entrance(key);
    } catch (error) {
      return refused(error);
    }
    const { pool, member } = keyed;
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

  private entrance(key: K): Keyed<T> {
    if (this.ending) throw this.refused();
    return this.keys.get(key) ?? this.open(key);
  }

  private open(key: K): Keyed<T> {
    const { factory, hooks, settings, total, commons, memory } = this;
    if (this.keys.size >= this.maxKeys) throw this.tooManyKeys();
    const title = { pool: this.name, key: nameOf(key) };
    const member = total.member(title, settings.order, memory.isProven(key), () => {
      if (this.entered !== pool) this.dissolve(key, pool, member);
    });
    const pool = new Pool<T>(
      {
        ...settings,
        ...hooksOf(hooks, key),
        listeners: [...this.listeners],
        name: poolOf(title),
        factory: {
          create: context => factory.create({ ...context, key }),
          ...(factory.validate && { validate: resource => factory.validate?.(resource) }),
          ...(factory.reset && { reset: resource => factory.reset?.(resource) }),
          destroy: (resource, reason, context) => factory.destroy?.(resource, reason, context),
          ...(factory.handle && { handle: factory.handle.bind(factory) }),
          ...(factory.begin && { begin: factory.begin.bind(factory) }),
          isFatal: (error, resource) => factory.isFatal?.(error, resource) ?? false,
          isRetryable: error => factory.isRetryable?.(error) ?? true,
          target: targetOf(factory, key),
        },
      },
      commons,
      member,
    );
    const failures = memory.failuresOf(key);
    if (failures) pool.recall(failures);
    if (this.suspended) pool.suspend();
    const keyed = { pool, member };
    this.keys.set(key, keyed);
    return keyed;
  }

  private dissolve(key: K, pool: Pool<T>, member: Member<T>): void {
    if (this.keys.get(key)?.pool !== pool) return;
    this.keys.delete(key);
    this.memory.keep(key, pool.failures, member.proven);
    // That of a key which has nothing is nobody's concern.
    member.sharer.interior.watch.onStateChange = undefined;
    this.history.keep(member.sharer.interior);
    void pool.close();
  }

  private tooManyKeys(): PoolQueueFullError {
    this.history.totals.refused++;
    const { name, maxKeys } = this;
    return new PoolQueueFullError(
      name,
      `Keyed pool "${name}": ${maxKeys} keys hold or want something already (maxKeys). If that many are real, raise ` +
        'maxKeys; if they come from requests, check them before you borrow.',
    );
  }

  /** Who tells of an acquire that has not come as far as the pool of its key. */
  private witnessOf(key: K): Witness {
    const title = { pool: this.name, key: nameOf(key) };
    const watch = watchWith([...this.listeners], title);
    return new Witness(title, poolOf(title), watch, this.settings.clock, () => targetOf(this.factory, key));
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

/** So many keys at the same time, if nothing else is said. */
const KEYS = 1_000;
/** A name has so much of a key, where that is long: it may be a token. */
const SHORT = 32;
const CUT = 16;
/** Control characters, separators of lines, and what changes the direction of writing or cannot be seen. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;
const shown = (unseen: string): string => `\\u{${unseen.codePointAt(0)!.toString(16)}}`;

/** What the pool of a key is called. */
function poolOf({ pool, key }: { readonly pool: string; readonly key: string }): string {
  return `${pool}[${key}]`;
}

/** A key may be anything, also what has no text. */
function nameOf(key: unknown): string {
  try {
    const text = String(key);
    const short = text.length > SHORT ? `${text.slice(0, CUT)}…` : text;
    // It comes from a request, and goes into logs: what ends a line or turns the rest of it is shown, and does nothing.
    return short.replace(UNSEEN, shown);
  } catch {
    return typeof key;
  }
}
