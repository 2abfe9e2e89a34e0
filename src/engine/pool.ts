import { advise } from './advice/advise.js';
import { assemble, type Parts } from './assembly.js';
import type { Exchange } from './exchange.js';
import type { Interior } from './interior.js';
import { Lease } from './lease.js';
import type {
  AcquireOptions,
  CloseOptions,
  RecycleOptions,
  ResizeOptions,
  StartOptions,
} from './options/calls.js';
import { checkDuration, checkWish, resizedLimits } from './options/checks.js';
import type { PoolOptions } from './options/options.js';
import type { Advice, Capacity } from './reports/advice.js';
import type { Preparations } from './preparations.js';
import type { PoolListener } from './reports/listener.js';
import { served, type Wish } from './queue/waiter-queue.js';
import { acquires, CHANNELS, opened } from './reports/channels.js';
import {
  histograms,
  type PoolHistograms,
  type PoolHolder,
  type PoolResource,
  type PoolStats,
  type PoolWaiter,
} from './reports/stats.js';
import type { ResourceTarget } from './reports/target.js';
import { rewatch } from './reports/watch.js';
import { recycle } from './slots/recycling.js';
import type { Slot } from './slots/slot.js';
import { holdersOf, resourcesOf, snapshot, waitersOf } from './state/snapshot.js';
import type { FailureMemory } from './supply/attempts.js';
import type { Share } from './supply/share.js';
import type { Commons } from './time/commons.js';
import { Witness } from './witness.js';

/** The hold time of the first so many leases is measured, and of one in so many after that, when nobody listens. */
const SAMPLE = 64;

/**
 * Lends resources that are expensive to make: `acquire`, use, `release`.
 *
 * This file is the story of one borrow, up to the lease; returns.ts tells how it ends, and exchange.ts who gets what.
 * What they delegate is in the rooms beside them: the life of a resource in slots/, with its states in slots/slot.ts;
 * what a borrower has of it in lending/; who waits in queue/; when to create in supply/; whether the pool can serve, and
 * what is said when it cannot, in state/. assembly.ts puts everything together.
 *
 * ```ts
 * const pool = new Pool({ create: () => connect(), destroy: c => c.end(), max: 10 });
 * const rows = await pool.use(c => c.query('select 1'));
 * ```
 */
export class Pool<T> {
  readonly name: string;
  /** @internal The pool itself, also where it is asked through a proxy: the one to tell pools apart by. */
  readonly self: Pool<T> = this;
  private readonly in: Interior<T>;
  private readonly exchange: Exchange<T>;
  private readonly parts: Parts<T>;
  /** Undefined where there is no `onBorrow`. */
  private readonly preparations: Preparations<T> | undefined;
  private readonly listeners: Set<PoolListener>;
  private readonly witness: Witness;

  /** @throws PoolOptionsError naming the option, its value and what is allowed */
  constructor(options: PoolOptions<T>);
  /** @internal A pool that has a timer and a total in common with others. */
  constructor(options: PoolOptions<T>, commons: Commons, share: Share<T>);
  constructor(options: PoolOptions<T>, commons?: Commons, share?: Share<T>) {
    this.parts = assemble(
      options,
      (slot, { since, wish }) =>
        this.preparations
          ? this.preparations.begin(slot, since, wish)
          : this.lend(slot, this.in.waits.now() - since, wish.owner, wish.trace),
      (slot, queuedMs, { owner, trace }) => this.lend(slot, queuedMs, owner, trace),
      commons,
      share,
    );
    this.in = this.parts.interior;
    this.exchange = this.parts.exchange;
    this.preparations = this.parts.preparations;
    this.name = this.in.settings.name;
    this.listeners = new Set(this.in.settings.listeners);
    this.witness = new Witness(this.in.title, this.name, this.in.watch, this.in.clock, () => this.target);
    if (!share && opened.hasSubscribers) opened.publish({ pool: this });
  }

  /**
   * Borrows a resource: an idle one, or the next that becomes free or is created.
   *
   * @throws PoolTimeoutError when `timeout` has passed
   * @throws PoolQueueFullError when `maxWaiting` acquires are waiting already for what others have borrowed
   * @throws PoolShedError when the queue has been standing for too long, see `shed`
   * @throws PoolDeadlockError when everything is leased to owners that wait for more, `owner` among them
   * @throws PoolUnavailableError at once, while nothing is live and creates keep failing
   * @throws PoolClosedError once `close()` was called
   * @throws PoolOptionsError when `timeout`, `priority` or `owner` is not what it must be
   * @throws the signal's reason when it is aborted
   * @throws what `onBorrow` throws
   */
  acquire(options?: AcquireOptions): Promise<Lease<T>> {
    if (!acquires.hasSubscribers) return this.borrow(options);
    return this.witness.traced(options, () => this.borrow(options));
  }

  /**
   * Borrows a resource without waiting: a lease of one that is idle and needs no validation now, or undefined. Then a
   * validation or a create has been set going, so that a later call finds more.
   *
   * @throws PoolClosedError once `close()` was called
   * @throws PoolOptionsError when the pool has an `onBorrow`, and that has answered with a promise; otherwise what it throws
   */
  tryAcquire(options?: Pick<AcquireOptions, 'owner'>): Lease<T> | undefined {
    if (!acquires.hasSubscribers) return this.borrowNow(options);
    return this.witness.tracedNow(options, () => this.borrowNow(options));
  }

  /**
   * Borrows a resource for the time of one call, and gives it back however the call ends. An error of the call is shown
   * to the factory's `isFatal`, and thrown on.
   *
   * @throws what {@link acquire} throws, and what `work` throws
   */
  async use<R>(
    work: (resource: T, lease: Lease<T>) => R | PromiseLike<R>,
    options?: AcquireOptions,
  ): Promise<R> {
    const lease = await this.acquire(options);
    try {
      return await work(lease.resource, lease);
    } catch (error) {
      lease.fail(error);
      throw error;
    } finally {
      lease.release();
    }
  }

  /**
   * Fills the pool up to `min` and keeps it there; resolves when that many are live. Optional: without it a pool begins
   * with its first acquire. After a timeout the pool goes on trying by itself.
   *
   * @throws PoolTimeoutError with the last create error as `cause`
   * @throws PoolUnavailableError when creates keep failing, or fail in a way that is not worth repeating
   * @throws PoolClosedError once `close()` was called
   */
  async start(options: StartOptions = {}): Promise<void> {
    const { availability, refusals } = this.parts;
    const { timeout = this.in.settings.createTimeout, signal } = options;
    this.check({ timeout, signal });
    if (this.exchange.closing) throw refusals.closed();
    this.exchange.begun = true;
    if (availability.filled) return;
    const filled = availability.fill({ timeout, signal });
    this.exchange.serve();
    await filled;
  }

  /**
   * Changes how many there may be. Those above a lower `max` go: idle ones at once, leased ones when they come back.
   *
   * @throws PoolOptionsError naming the option, its value and what is allowed
   */
  resize(limits: ResizeOptions): void {
    this.in.limits = resizedLimits(this.name, this.in.limits, limits);
    this.exchange.serve();
  }

  /**
   * Lends, creates and validates nothing until {@link resume}: acquires queue, and their time stands still. What is
   * leased can come back. For a failover, or new credentials: `suspend()`, `recycle()`, `resume()`. Does nothing on a
   * pool that is suspended or closed.
   */
  suspend(): void {
    const { interior, availability, exchange } = this.parts;
    if (interior.suspended || exchange.closing) return;
    interior.suspended = true;
    if (!interior.share) interior.waits.stop();
    availability.suspend();
  }

  /** Ends {@link suspend}. Creates that failed before count no longer. */
  resume(): void {
    const { interior, availability, exchange, growth, upkeep } = this.parts;
    if (!interior.suspended) return;
    interior.suspended = false;
    if (!interior.share) interior.waits.go();
    growth.attempts.forget();
    if (!exchange.closing) availability.resume();
    upkeep.resume();
    exchange.serve();
  }

  /**
   * Begins a new generation: every resource made so far will be destroyed instead of being lent again, those that are
   * being created included. Idle ones go at once or within `spread`, leased ones when they come back. Creates that
   * failed before count no longer. Does nothing on a closed pool.
   *
   * @throws PoolOptionsError when `spread` is not a duration
   */
  recycle({ spread = 0 }: RecycleOptions = {}): void {
    checkDuration(this.name, 'spread', spread);
    const { interior, exchange, growth, retirement, upkeep } = this.parts;
    if (exchange.closing) return;
    growth.attempts.forget();
    recycle(interior, upkeep, retirement, spread);
    exchange.serve();
  }

  /**
   * Ends the pool. New acquires are refused, idle resources destroyed at once, leased ones when they come back or at
   * the deadline; creates that are running are aborted. Resolves when every destroy has settled or was given up. A
   * further call returns the same promise, and can bring the deadline forward.
   *
   * @throws PoolOptionsError when `timeout` is not a duration
   */
  close(options: CloseOptions = {}): Promise<void> {
    const timeout = options.timeout ?? 10_000;
    checkDuration(this.name, 'timeout', timeout);
    const { exchange, refusals } = this.parts;
    const closing = exchange.closing ?? this.parts.close();
    if (!options.drain) refusals.refuseAll(() => refusals.closed());
    this.resume();
    closing.within(timeout);
    exchange.serve();
    return closing.finished;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Destroys what is idle now, reason `caller`, and resolves when that is done or was given up. `min` and `minIdle` are
   * made anew. To end everything that there is, also what is leased, see {@link recycle}.
   */
  async destroyIdle(): Promise<void> {
    const { interior, exchange, retirement } = this.parts;
    const ending: Slot<T>[] = [];
    for (let slot = interior.idle.pop(); slot; slot = interior.idle.pop()) ending.push(slot);
    const done = ending.map(slot => slot.whenDone());
    // Out of the list before the first of them is destroyed: user code runs then, and may borrow.
    for (const slot of ending) retirement.retire(slot, 'caller');
    exchange.serve();
    await Promise.all(done);
  }

  /**
   * Tells one more what happens in the pool from now on; once for each listener, however often it is added.
   *
   * @returns removes it again
   */
  addListener(listener: PoolListener): () => void {
    this.listeners.add(listener);
    this.listenersChanged();
    return () => {
      this.removeListener(listener);
    };
  }

  /** Tells a listener nothing any more, also one that came with the options. */
  removeListener(listener: PoolListener): void {
    if (this.listeners.delete(listener)) this.listenersChanged();
  }

  /** Who holds what now, those who have held it longest first; for a log or a page. */
  holders(): readonly PoolHolder[] {
    return holdersOf(this.in);
  }

  /** What there is now, one by one, in the order it was made; for a page. */
  resources(): readonly PoolResource[] {
    return resourcesOf(this.in);
  }

  /** Who waits now, those who have waited longest first; for a page. */
  waiters(): readonly PoolWaiter[] {
    return waitersOf(this.in);
  }

  /** @internal For how long nobody has been served although somebody waits for too long, or did; see standstill.ts. */
  standstillMs(patience: number, oldestWaitMs: number): number {
    return this.in.standstill.forMs(patience, oldestWaitMs);
  }

  /** How long things took since the pool was made, in buckets; of the same events as `stats().latency`. */
  histograms(): PoolHistograms {
    return histograms(this.in.latencies, this.in.totals.acquired);
  }

  /** What its resources are connections to, as far as their factory knows; nothing of it is secret. */
  get target(): ResourceTarget | undefined {
    return this.in.factory.target;
  }

  /** What the other side admits, of all who come to it; undefined while the `capacity` of the factory has not told. */
  get capacity(): Capacity | undefined {
    return this.in.observed.capacity;
  }

  /** Can its resources begin transactions: has its factory a `begin`? */
  get hasTransactions(): boolean {
    return this.in.factory.begin !== undefined;
  }

  /** A snapshot of the counts; cheap. */
  stats(): PoolStats {
    const { interior, availability, growth } = this.parts;
    return snapshot(interior, availability.state, growth.attempts);
  }

  /**
   * What the pool has measured so far, in sentences with numbers and what to do; empty when there is nothing to say.
   * docs/engine.md has the rules. For a page or a log now and then: it costs some microseconds.
   */
  advice(): Advice[] {
    return advise(this.in);
  }

  /** @internal What it is made of, for those who show it as a pool of another kind. Cheaper than {@link stats}. */
  get inside(): Pick<
    Interior<T>,
    'settings' | 'limits' | 'factory' | 'census' | 'waiters' | 'slots' | 'coarse'
  > {
    return this.in;
  }

  private listenersChanged(): void {
    rewatch(this.in.watch, [...this.listeners], this.in.title);
  }

  /** @internal What to {@link recall} when there is a pool for the same again; undefined when creates do not fail. */
  get failures(): FailureMemory | undefined {
    return this.parts.growth.attempts.memory;
  }

  /** @internal */
  recall(failures: FailureMemory): void {
    this.parts.growth.attempts.recall(failures);
    this.parts.availability.recalled();
  }

  // ---- the way of a borrow, up to its lease ----

  private borrow(options: AcquireOptions | undefined): Promise<Lease<T>> {
    // Not an async function: with something idle, a borrow costs one lease and one settled promise.
    try {
      if (options !== undefined) this.check(options);
      const slot = this.takeFit();
      if (slot === undefined) return this.witness.watched(this.wait(options), options);
      if (this.preparations === undefined) {
        return Promise.resolve(this.lend(slot, 0, options?.owner, this.trace()));
      }
      return this.witness.watched(this.prepared(this.preparations, slot, options), options);
    } catch (error) {
      return this.witness.watched(Promise.reject(error), options);
    }
  }

  private borrowNow(options: Pick<AcquireOptions, 'owner'> | undefined): Lease<T> | undefined {
    if (options !== undefined) this.check(options);
    const slot = this.takeFit();
    if (slot !== undefined) {
      if (this.preparations !== undefined) return this.preparations.now(slot, this.wish(options));
      return this.lend(slot, 0, options?.owner, this.trace());
    }
    if (this.in.waiters.length === 0) this.exchange.prepareOne();
    return undefined;
  }

  private check(options: AcquireOptions): void {
    checkWish(this.name, options);
    options.signal?.throwIfAborted();
  }

  /** Takes an idle slot that can be lent to somebody who comes now. */
  private takeFit(): Slot<T> | undefined {
    const { waiters, suspended, coarse } = this.in;
    if (this.exchange.closing !== undefined) {
      const { refusals } = this.parts;
      throw refusals.refuse(refusals.closed());
    }
    // Nobody passes somebody who waits.
    return waiters.length > 0 || suspended ? undefined : this.exchange.takeFit(coarse.now());
  }

  /** Something is idle, and `onBorrow` is to be called before it is lent. */
  private async prepared(
    preparations: Preparations<T>,
    slot: Slot<T>,
    options?: AcquireOptions,
  ): Promise<Lease<T>> {
    return served(await preparations.begin(slot, this.in.waits.now(), this.wish(options)));
  }

  private wish({ timeout, signal, owner }: AcquireOptions = {}): Wish {
    return { timeout: timeout ?? this.in.settings.acquireTimeout, signal, owner, trace: this.trace() };
  }

  private wait(options: AcquireOptions = {}): Promise<Lease<T>> {
    const { settings, waiters, totals } = this.in;
    const { availability, refusals, shedding } = this.parts;
    const { timeout = settings.acquireTimeout, signal, priority, owner } = options;
    // User code may have run, and closed the pool: one that had expired was destroyed.
    if (this.exchange.closing) throw refusals.refuse(refusals.closed());
    this.exchange.begun = true;
    if (availability.state === 'unavailable') throw refusals.refuse(refusals.unavailable()());
    if (timeout === 0) {
      this.exchange.prepareOne();
      totals.timedOut++;
      throw refusals.notIdle();
    }
    if (settings.maxWaiting !== Infinity && this.exchange.isCrowded(settings.maxWaiting)) {
      throw refusals.refuse(refusals.queueFull());
    }
    totals.waited++;
    if (this.isOpen) this.in.standstill.over();
    // Where an owner waits is shown in a deadlock.
    const trace = this.trace() ?? (owner && new Error('waiting'));
    const lease = waiters.join({ timeout, signal, priority, owner, trace });
    shedding?.joined();
    this.exchange.serve();
    return lease;
  }

  /** Nobody waits, and not everything is lent. */
  private get isOpen(): boolean {
    const { waiters, census, limits, share } = this.in;
    if (share) return share.tally.waiting === 0 && (!share.isFull || share.census.idle > 0);
    return waiters.length === 0 && census.leased < limits.max + limits.overflow;
  }

  /** Where this is being called from, if anybody wants to know. */
  private trace(): Error | undefined {
    return this.parts.leaks.traces ? new Error('acquired') : undefined;
  }

  /** Lends a slot that is in state `idle`, in no list. */
  private lend(
    slot: Slot<T>,
    waitedMs: number,
    owner: object | undefined,
    trace: Error | undefined,
  ): Lease<T> {
    const { totals, watch, clock, coarse, latencies, settings, standstill } = this.in;
    const { leaks, returns } = this.parts;
    const lease = new Lease<T>(returns, slot, waitedMs);
    slot.lend(lease);
    slot.owner = owner;
    slot.trace = trace;
    // Asking the clock each time would cost half as much as all the rest.
    const measured = totals.acquired < SAMPLE || totals.acquired % SAMPLE === 0 || trace !== undefined;
    const wanted = watch.onRelease !== undefined || CHANNELS.onRelease.hasSubscribers;
    slot.lentAt = measured || wanted ? clock.now() : NaN;
    // Who found something idle has just asked for the time.
    slot.lentAbout = waitedMs > 0 ? clock.now() : coarse.latest;
    standstill.served(slot.lentAbout);
    if (totals.acquired === 0) latencies.firstLeaseAt = slot.lentAt;
    totals.acquired++;
    this.exchange.begun = true;
    if (waitedMs > 0) this.noteWait(slot, waitedMs);
    if (leaks.active) leaks.lent(lease, slot);
    watch.onAcquire?.({ pool: this.name, at: clock.now(), slot: slot.id, waitedMs });
    if (settings.minIdle > 0) this.exchange.serve();
    return lease;
  }

  private noteWait(slot: Slot<T>, waitedMs: number): void {
    const { latencies, observed, census, limits } = this.in;
    latencies.wait.record(waitedMs);
    // A new one is what it waited for.
    if (slot.uses > 1 && census.places >= limits.max + limits.overflow) {
      observed.waitedAtMax(waitedMs, latencies.create.recent);
    }
  }
}
