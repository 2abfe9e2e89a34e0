import { messageOf } from './basics/thrown.js';
import { PoolOptionsError, PoolTimeoutError, ResourceInvalidatedError } from './errors.js';
import type { Exchange } from './exchange.js';
import type { Interior } from './interior.js';
import type { Lease, Lender } from './lease.js';
import { hasHandles, makeHandle } from './lending/handles.js';
import type { LeakWatch } from './lending/leak-watch.js';
import { isFatal, type Handle, type OpenTransaction, type TransactionOptions } from './options/factory.js';
import type { BorrowOutcome } from './options/hooks.js';
import { CHANNELS } from './reports/channels.js';
import type { DestroyReason } from './reports/destroy-reason.js';
import type { Inspection } from './slots/inspection.js';
import type { Retirement } from './slots/retirement.js';
import type { Slot } from './slots/slot.js';

/** How leases end: given back, destroyed, kept by the borrower, or taken away from it. */
export class Returns<T> implements Lender<T> {
  readonly name: string;
  readonly hasHandles: boolean;
  /** Is anything done with what comes back, before it is lent again? */
  private readonly cleans: boolean;

  constructor(
    private readonly pool: Interior<T>,
    private readonly exchange: Exchange<T>,
    private readonly inspection: Inspection<T>,
    private readonly retirement: Retirement<T>,
    private readonly leaks: LeakWatch<T>,
    /** A fatal error has been seen on a resource of this generation. */
    private readonly fatal: () => void,
  ) {
    this.name = pool.settings.name;
    this.hasHandles = hasHandles(pool);
    this.cleans = pool.factory.reset !== undefined || pool.hooks.onReturn !== undefined;
  }

  takeBack(lease: Lease<T>, slot: Slot<T>, error: unknown): void {
    if (slot.lease !== lease) return;
    const { owner } = slot;
    this.account(lease, slot, error);
    const { waiters, coarse } = this.pool;
    const wanted = waiters.length > 0;
    const now = coarse.now();
    const reason = this.reasonToRetire(slot, error, now);
    if (reason !== undefined) {
      this.retirement.retire(slot, reason, error ?? slot.doomCause);
    } else if (this.cleans) {
      const badly = error === undefined ? 'success' : 'error';
      this.inspection.reset(slot, lease.aborted ? 'aborted' : badly, owner);
    } else {
      slot.rest();
      this.exchange.place(slot, now);
    }
    this.goOn(wanted);
  }

  /** Its `onBorrow` has failed, or its borrower had gone before that was done: it was lent to nobody. */
  unlent(slot: Slot<T>, error: unknown, outcome: BorrowOutcome, owner: object | undefined): void {
    const now = this.pool.coarse.now();
    // What is lent, and then given back, is no longer as it was when it was looked at.
    slot.uses++;
    const reason = this.reasonToRetire(slot, error, now);
    if (reason !== undefined) {
      this.retirement.retire(slot, reason, error ?? slot.doomCause);
    } else if (this.cleans) {
      this.inspection.reset(slot, outcome, owner);
    } else {
      slot.rest();
      this.exchange.place(slot, now);
    }
    this.exchange.serve();
  }

  discard(lease: Lease<T>, slot: Slot<T>, cause: unknown): void {
    if (slot.lease !== lease) return;
    this.account(lease, slot, cause);
    this.retirement.retire(slot, 'caller', cause);
    this.goOn();
  }

  detach(lease: Lease<T>, slot: Slot<T>): void {
    this.account(lease, slot, undefined);
    this.pool.totals.detached++;
    this.pool.slots.delete(slot);
    slot.detach();
    slot.done();
    slot.resource = undefined as never;
    this.exchange.serve();
  }

  makeHandle(slot: Slot<T>): Handle<T> {
    return makeHandle(this.pool, slot);
  }

  async begin(handle: T, options: TransactionOptions, whole: boolean): Promise<OpenTransaction> {
    const { factory } = this.pool;
    if (!factory.begin) {
      throw new PoolOptionsError(
        this.name,
        `Pool "${this.name}": its resources have no transactions, as its factory has no begin().`,
      );
    }
    return factory.begin(handle, options, whole);
  }

  /** Its handle could not be made: the borrower has nothing, and the resource is not to be trusted. */
  unhandled(lease: Lease<T>, slot: Slot<T>, error: unknown): void {
    if (slot.lease !== lease) return;
    const why = new Error(`Its handle could not be made: ${messageOf(error)}`, { cause: error });
    this.revoke(lease, slot, why, 'invalid');
    this.goOn();
  }

  /** Its resource has become unusable: its holder should let go of it. */
  invalidated(lease: Lease<T>, slot: Slot<T>, cause: unknown): void {
    if (slot.broken) return;
    slot.broken = new ResourceInvalidatedError(this.name, cause);
    lease.abort(slot.broken);
  }

  /** The lease ends under its holder. */
  revoke(lease: Lease<T>, slot: Slot<T>, why: Error, reason: DestroyReason): void {
    lease.taken = why;
    this.account(lease, slot, undefined);
    // Its holder hears of it before the resource is destroyed.
    lease.abort(why);
    this.retirement.retire(slot, reason, why);
  }

  /** It was not back at the deadline of `close()`. */
  foreclose(lease: Lease<T>, slot: Slot<T>, why: Error): void {
    this.leaks.takenAway(lease, slot);
    // User code has run.
    if (slot.lease === lease) this.revoke(lease, slot, why, 'closed');
  }

  /** It is held for longer than `maxHold`. */
  overheld(slot: Slot<T>): void {
    const { maxHold, maxHoldAction, name } = this.pool.settings;
    const { lease } = slot;
    if (!lease) return;
    this.leaks.overheld(lease, slot);
    // User code has run.
    if (slot.lease !== lease) return;
    const why = new PoolTimeoutError(
      name,
      `Pool "${name}": the lease has been held for longer than maxHold (${maxHold} ms). Release it sooner, or raise maxHold.`,
    );
    if (maxHoldAction === 'report') {
      lease.abort(why);
    } else {
      this.revoke(lease, slot, why, 'held');
      this.goOn();
    }
  }

  private account(lease: Lease<T>, slot: Slot<T>, error: unknown): void {
    // From here on the lease is a released one, also for user code that runs below. Whatever that does to the pool,
    // nobody but the caller ends what is leased to nobody.
    slot.lease = undefined;
    slot.owner = undefined;
    slot.trace = undefined;
    if (this.hasHandles) lease.withdraw();
    this.pool.totals.released++;
    if (this.leaks.active) this.leaks.returned(lease, slot);
    if (!Number.isNaN(slot.lentAt)) this.measure(slot, error);
  }

  private measure(slot: Slot<T>, error: unknown): void {
    const { settings, title, watch, clock, latencies } = this.pool;
    const now = clock.now();
    const heldMs = now - slot.lentAt;
    latencies.hold.record(heldMs);
    watch.onRelease?.({ pool: settings.name, at: now, slot: slot.id, error, heldMs });
    const { onRelease } = CHANNELS;
    if (!onRelease.hasSubscribers) return;
    // Member by member, as it may be told of every borrow: to spread the title takes ten times as long.
    const { pool, key } = title;
    onRelease.publish({ pool, key, at: now, slot: slot.id, error, heldMs });
  }

  private reasonToRetire(slot: Slot<T>, error: unknown, now: number): DestroyReason | undefined {
    const { factory, settings, waiters } = this.pool;
    if (error !== undefined && isFatal(factory, error, slot.resource)) {
      // One that is older than the last recycle says nothing about what has been made since.
      if (settings.recycleOnFatal && slot.doom !== 'recycled') this.fatal();
      return 'fatal';
    }
    if (slot.doom !== undefined) return slot.doom;
    if (this.exchange.closing !== undefined && waiters.length === 0) return 'closed';
    if (slot.uses >= settings.maxUses) return 'uses';
    if (slot.expiresAt <= now) return slot.expiry;
    return this.exchange.surplus();
  }

  /**
   * Nothing is left to do when nobody waits, nor waited when it came back: who was served then may be the last to be
   * drained, or for whom more was kept.
   */
  private goOn(wanted = false): void {
    const { waiters, census, limits, share } = this.pool;
    const idleHands = !wanted && waiters.length === 0 && census.alive >= limits.min;
    if (!idleHands || this.exchange.closing !== undefined || share !== undefined) this.exchange.serve();
  }
}
