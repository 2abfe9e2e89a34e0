import { Availability } from './availability.js';
import { Closing } from './closing.js';
import { Deadlines } from './deadlines.js';
import { isFatal, type DestroyReason } from './factory.js';
import { Growth } from './growth.js';
import { IdleSlots } from './idle-slots.js';
import { Inspection } from './inspection.js';
import type { Interior } from './interior.js';
import { LeakWatch } from './leak-watch.js';
import { Lease, type Lender } from './lease.js';
import { checkDuration, resolveOptions, type PoolOptions } from './options.js';
import { Refusals } from './refusals.js';
import { Retirement } from './retirement.js';
import { Census, type Slot } from './slot.js';
import { newTotals, snapshot, type PoolStats } from './stats.js';
import { Upkeep } from './upkeep.js';
import { WaiterQueue } from './waiter-queue.js';
import { watchWith } from './watch.js';

export interface AcquireOptions {
  /** Milliseconds until the lease must be there, in place of `acquireTimeout`; 0 = only what is idle now. */
  readonly timeout?: number | undefined;
  /** Gives up the wait when aborted; the acquire then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface StartOptions {
  /** Milliseconds until `min` resources must be there. Default: `createTimeout`. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CloseOptions {
  /** Milliseconds for the leased ones to come back; then they are destroyed under their holders. Default 10 000. */
  readonly timeout?: number | undefined;
  /** Serve those who wait already, instead of refusing them. Default false. */
  readonly drain?: boolean | undefined;
}

/**
 * Lends resources that are expensive to make: `acquire`, use, `release`.
 *
 * This file is the story of one borrow. What it delegates: when to create (growth.ts), whether a resource is fit for
 * its next borrower (inspection.ts), how it ends (retirement.ts), what happens while nobody borrows (upkeep.ts), and
 * the one timer under all of it (deadlines.ts). The states of a resource are in slot.ts. It is longer than its
 * neighbours because every public method has its contract here, and its parts are put together here.
 *
 * ```ts
 * const pool = new Pool({ create: () => connect(), destroy: c => c.end(), max: 10 });
 * const rows = await pool.use(c => c.query('select 1'));
 * ```
 */
export class Pool<T> {
  readonly name: string;

  private readonly in: Interior<T>;
  private readonly growth: Growth<T>;
  private readonly inspection: Inspection<T>;
  private readonly retirement: Retirement<T>;
  private readonly upkeep: Upkeep<T>;
  private readonly leaks: LeakWatch<T>;
  private readonly refusals: Refusals<T>;
  /** What leases know of their pool. */
  private readonly lender: Lender<T>;
  private readonly availability: Availability<T>;

  /** `min` is kept from the first start or acquire on; a pool that nobody uses makes nothing. */
  private begun = false;
  private closing: Closing<T> | undefined;
  /** Inside {@link serve}; a further call only asks for another round, so that user code may re-enter the pool. */
  private serving = false;
  private serveAgain = false;

  /** @throws PoolOptionsError naming the option, its value and what is allowed */
  constructor(options: PoolOptions<T>) {
    const { settings, factory } = resolveOptions(options);
    const { clock } = settings;
    const deadlines = new Deadlines(clock);
    this.name = settings.name;
    this.in = {
      settings,
      factory,
      clock,
      deadlines,
      watch: watchWith(settings.listeners),
      census: new Census(),
      slots: new Set(),
      idle: new IdleSlots(settings.order),
      waiters: new WaiterQueue(deadlines, clock, {
        late: waiter => this.refusals.timedOut(waiter.timeout),
        left: (waiter, why) => this.left(clock.now() - waiter.since, why),
      }),
      totals: newTotals(),
    };
    this.lender = {
      name: this.name,
      takeBack: (lease, slot, error) => this.takeBack(lease, slot, error),
      discard: (lease, slot, cause) => this.discard(lease, slot, cause),
    };
    this.retirement = new Retirement(this.in, () => this.serve());
    this.inspection = new Inspection(this.in, {
      fit: slot => this.offer(slot),
      unfit: (slot, cause) => {
        this.retirement.retire(slot, slot.state === 'resetting' ? 'reset-failed' : 'invalid', cause);
        this.serve();
      },
    });
    this.upkeep = new Upkeep(this.in, (slot, reason) => this.retirement.retire(slot, reason));
    this.leaks = new LeakWatch(this.in);
    this.growth = new Growth(this.in, {
      arrived: slot => {
        this.upkeep.born(slot, clock.now());
        this.offer(slot);
      },
      stillborn: slot => this.retirement.retire(slot, 'invalid', slot.doomCause),
      late: slot => this.retirement.retireLate(slot),
      invalidated: (slot, cause) => this.invalidate(slot, cause),
      overdue: slot => this.overdue(slot),
      changed: () => this.serve(),
    });
    this.refusals = new Refusals(this.in, this.growth, () => this.stats());
    this.availability = new Availability(this.in, this.growth, this.refusals);
  }

  /**
   * Borrows a resource: an idle one, or the next that becomes free or is created.
   *
   * @throws PoolTimeoutError when `timeout` has passed
   * @throws PoolQueueFullError when `maxWaiting` acquires are waiting already
   * @throws PoolUnavailableError at once, while nothing is live and creates keep failing
   * @throws PoolClosedError once `close()` was called
   * @throws PoolOptionsError when `timeout` is not a duration
   * @throws the signal's reason when it is aborted
   */
  acquire(options?: AcquireOptions): Promise<Lease<T>> {
    // Not an async function: with something idle, a borrow costs one lease and one settled promise.
    try {
      if (options) this.checkAcquire(options);
      if (this.closing) throw this.refusals.refuse(this.refusals.closed());
      const trace = this.leaks.active ? new Error('acquired') : undefined;
      if (this.in.waiters.length === 0) {
        const slot = this.takeFit(this.in.clock.now());
        if (slot) return Promise.resolve(this.lend(slot, 0, trace));
      }
      return this.wait(options, trace);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Borrows a resource without waiting: a lease of one that is idle and needs no validation now, or undefined. Then a
   * validation or a create has been set going, so that a later call finds more.
   *
   * @throws PoolClosedError once `close()` was called
   */
  tryAcquire(): Lease<T> | undefined {
    if (this.closing) throw this.refusals.refuse(this.refusals.closed());
    // Nobody passes somebody who waits.
    if (this.in.waiters.length > 0) return undefined;
    const slot = this.takeFit(this.in.clock.now());
    if (slot) return this.lend(slot, 0, this.leaks.active ? new Error('acquired') : undefined);
    this.prepareOne();
    return undefined;
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
      lease.release(error);
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
    const timeout = options.timeout ?? this.in.settings.createTimeout;
    checkDuration(this.name, 'timeout', timeout);
    options.signal?.throwIfAborted();
    if (this.closing) throw this.refusals.closed();
    this.begun = true;
    if (this.availability.filled) return;
    if (this.availability.state === 'unavailable') throw this.refusals.unavailable()();
    await this.availability.fill(timeout, options.signal, () => this.serve());
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
    const closing = this.closing ?? this.beginClosing();
    if (!options.drain) this.refusals.refuseAll(() => this.refusals.closed());
    closing.within(timeout);
    this.serve();
    return closing.finished;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A snapshot of the counts; cheap. */
  stats(): PoolStats {
    return snapshot(this.in, this.availability.state);
  }

  // ---- the way of a borrow ----

  private checkAcquire({ timeout, signal }: AcquireOptions): void {
    if (timeout !== undefined) checkDuration(this.name, 'timeout', timeout);
    signal?.throwIfAborted();
  }

  /** Takes an idle slot that can be lent as it is, if there is one. */
  private takeFit(now: number): Slot<T> | undefined {
    const { idle } = this.in;
    for (let slot = idle.peek(); slot; slot = idle.peek()) {
      if (slot.expiresAt > now) {
        if (this.inspection.isDue(slot, now)) return undefined;
        idle.remove(slot);
        return slot;
      }
      idle.remove(slot);
      this.retirement.retire(slot, 'lifetime');
    }
    return undefined;
  }

  private lend(slot: Slot<T>, waitedMs: number, trace: Error | undefined): Lease<T> {
    const { totals, watch, clock } = this.in;
    const lease = new Lease<T>(this.lender, slot, waitedMs);
    slot.lend(lease);
    totals.acquired++;
    this.begun = true;
    if (trace) this.leaks.lent(lease, slot, trace);
    watch.onAcquire?.({ pool: this.name, at: clock.now(), slot: slot.id, waitedMs });
    return lease;
  }

  private wait(options: AcquireOptions | undefined, trace: Error | undefined): Promise<Lease<T>> {
    const { settings, waiters, totals } = this.in;
    this.begun = true;
    if (this.availability.state === 'unavailable') throw this.refusals.refuse(this.refusals.unavailable()());
    const timeout = options?.timeout ?? settings.acquireTimeout;
    if (timeout === 0) {
      this.prepareOne();
      totals.timedOut++;
      throw this.refusals.notIdle();
    }
    if (waiters.length >= settings.maxWaiting) {
      // With maxWaiting 0 nobody else would ever have anything made.
      this.prepareOne();
      throw this.refusals.refuse(this.refusals.queueFull());
    }
    totals.waited++;
    return waiters.join(timeout, options?.signal, trace, () => this.serve());
  }

  /** A slot in state `idle` and in no list is free: it goes to the first waiter, to the idle ones, or ends. */
  private offer(slot: Slot<T>): void {
    const { waiters, idle, clock } = this.in;
    const now = clock.now();
    const first = waiters.shift();
    if (first) {
      first.settle(this.lend(slot, now - first.since, first.trace));
    } else if (this.closing) {
      this.retirement.retire(slot, 'closed');
    } else {
      slot.idleSince = now;
      idle.push(slot);
      this.upkeep.rests(slot, now);
    }
  }

  private takeBack(lease: Lease<T>, slot: Slot<T>, error: unknown): void {
    if (slot.lease !== lease) return;
    this.account(lease, slot, error);
    const reason = this.reasonToRetire(slot, error);
    // User code has run, and may have closed the pool meanwhile.
    if (slot.state !== 'leased') return;
    if (reason) this.retirement.retire(slot, reason, error ?? slot.doomCause);
    else this.inspection.reset(slot);
    this.afterRelease();
  }

  private discard(lease: Lease<T>, slot: Slot<T>, cause: unknown): void {
    if (slot.lease !== lease) return;
    this.account(lease, slot, cause);
    if (slot.state !== 'leased') return;
    this.retirement.retire(slot, 'caller', cause);
    this.afterRelease();
  }

  private account(lease: Lease<T>, slot: Slot<T>, error: unknown): void {
    const { totals, watch, clock } = this.in;
    // From here on the lease is a released one, also for user code that runs below.
    slot.lease = undefined;
    totals.released++;
    if (this.leaks.active) this.leaks.returned(lease, slot);
    watch.onRelease?.({ pool: this.name, at: clock.now(), slot: slot.id, error });
  }

  private reasonToRetire(slot: Slot<T>, error: unknown): DestroyReason | undefined {
    const { factory, settings, waiters, clock } = this.in;
    if (error !== undefined && isFatal(factory, error)) return 'fatal';
    if (slot.doom) return slot.doom;
    if (this.closing && waiters.length === 0) return 'closed';
    if (slot.uses >= settings.maxUses) return 'uses';
    if (slot.expiresAt <= clock.now()) return 'lifetime';
    return undefined;
  }

  /** Nothing is left to do when the resource went straight to a waiter or to the idle ones. */
  private afterRelease(): void {
    if (this.in.waiters.length > 0 || this.closing) this.serve();
  }

  /** User code says that a resource has become unusable. */
  private invalidate(slot: Slot<T>, cause: unknown): void {
    if (slot.state === 'closing' || slot.state === 'abandoned' || slot.state === 'gone' || slot.doom) return;
    slot.doom = 'invalid';
    slot.doomCause = cause;
    // Otherwise somebody is busy with it, or is about to lend it, and finds the doom when it is done.
    if (!this.in.idle.has(slot)) return;
    this.in.idle.remove(slot);
    this.retirement.retire(slot, 'invalid', cause);
    this.serve();
  }

  /** The user code of a slot has been running for longer than it may. */
  private overdue(slot: Slot<T>): void {
    const { settings } = this.in;
    switch (slot.state) {
      case 'creating':
        this.growth.giveUp(slot, new Error(`create did not settle within ${settings.createTimeout} ms`));
        return;
      case 'validating':
      case 'resetting':
        this.inspection.overdue(slot);
        return;
      case 'closing':
        this.retirement.giveUp(slot);
        return;
      default:
    }
  }

  /**
   * Brings those who wait and what there is together: lends what is fit, validates what has to be, creates what is
   * missing. Called after anything that changes either side; cheap when there is nothing to do.
   */
  private serve(): void {
    this.serveAgain = true;
    if (this.serving) return;
    this.serving = true;
    try {
      while (this.serveAgain) {
        this.serveAgain = false;
        this.availability.assess();
        this.lendIdle();
        this.growth.grow(this.begun && !this.closing ? this.in.settings.min : 0);
        this.closing?.step();
      }
    } finally {
      this.serving = false;
    }
  }

  private lendIdle(): void {
    const { waiters, idle, census, clock } = this.in;
    while (waiters.length > 0) {
      const slot = this.takeFit(clock.now());
      if (!slot) break;
      this.offer(slot);
    }
    // Not merely for want of other supply: a create or a reset on its way may hang.
    while (waiters.length > census.validating) {
      const slot = idle.peek();
      if (!slot) return;
      idle.remove(slot);
      this.inspection.validate(slot);
    }
  }

  /** Sets going what a borrower who does not wait would have needed. */
  private prepareOne(): void {
    const { idle, census } = this.in;
    this.begun = true;
    const slot = idle.peek();
    if (slot && this.inspection.isDue(slot, this.in.clock.now())) {
      idle.remove(slot);
      this.inspection.validate(slot);
    } else if (census.coming === 0) {
      this.growth.grow(census.alive + 1);
    }
    this.serve();
  }

  private left(waitedMs: number, why: 'late' | 'aborted'): void {
    const { totals, watch, clock } = this.in;
    totals[why === 'late' ? 'timedOut' : 'aborted']++;
    if (why === 'late') watch.onTimeout?.({ pool: this.name, at: clock.now(), waitedMs });
    this.serve();
  }

  private beginClosing(): Closing<T> {
    const closing = (this.closing = new Closing(this.in, this.growth, this.retirement, this.refusals, {
      revoked: (slot, lease) => this.account(lease, slot, undefined),
      changed: () => this.serve(),
      done: () => this.availability.become('closed'),
    }));
    this.upkeep.stop();
    this.availability.drain();
    return closing;
  }
}
