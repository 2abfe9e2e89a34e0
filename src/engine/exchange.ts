import type { Interior } from './interior.js';
import type { Lease } from './lease.js';
import { breakDeadlock, type Places } from './queue/deadlock.js';
import type { Shedding } from './queue/shedding.js';
import type { Served, Waiter } from './queue/waiter-queue.js';
import type { DestroyReason } from './reports/destroy-reason.js';
import type { Inspection } from './slots/inspection.js';
import type { Retirement } from './slots/retirement.js';
import type { Slot } from './slots/slot.js';
import type { Upkeep } from './slots/upkeep.js';
import type { Availability } from './state/availability.js';
import type { Closing } from './state/closing.js';
import type { Refusals } from './state/refusals.js';
import type { Growth } from './supply/growth.js';
import type { Replacement } from './supply/replacement.js';

/** The parts that an exchange makes use of. */
export interface ExchangeParts<T> {
  readonly availability: Availability<T>;
  readonly growth: Growth<T>;
  readonly inspection: Inspection<T>;
  readonly refusals: Refusals<T>;
  readonly replacement: Replacement<T>;
  readonly retirement: Retirement<T>;
  readonly shedding: Shedding<T> | undefined;
  readonly upkeep: Upkeep<T>;
  /** Lends a slot that is in state `idle`, in no list; not before its `onBorrow` is done, if there is one. */
  lend(slot: Slot<T>, waiter: Waiter<Lease<T>>): Served<Lease<T>>;
}

/** Where those who wait and what there is come together. */
export class Exchange<T> {
  /** `min` is kept from the first start or acquire on; a pool that nobody uses makes nothing. */
  begun = false;
  closing: Closing<T> | undefined = undefined;
  /** Inside {@link serve}; a further call only asks for another round, so that user code may re-enter the pool. */
  private serving = false;
  private serveAgain = false;
  private readonly places: Places<T>;

  constructor(
    private readonly pool: Interior<T>,
    private readonly parts: ExchangeParts<T>,
  ) {
    this.places = {
      census: pool.census,
      owners: pool.owners,
      get cap() {
        return pool.limits.max + pool.limits.overflow;
      },
      slots: pool.slots,
      queues: [pool.waiters],
    };
  }

  /** Takes an idle slot that can be lent as it is, if there is one. */
  takeFit(now: number): Slot<T> | undefined {
    const { idle } = this.pool;
    for (let slot = idle.peek(); slot !== undefined; slot = idle.peek()) {
      if (slot.expiresAt > now) {
        if (this.parts.inspection.isDue(slot, now)) return undefined;
        idle.remove(slot);
        return slot;
      }
      idle.remove(slot);
      this.parts.retirement.retire(slot, slot.expiry);
    }
    return undefined;
  }

  /** A slot in state `idle` and in no list is free: it goes to the first waiter, to the idle ones, or ends. */
  offer(slot: Slot<T>): void {
    const now = this.pool.coarse.now();
    if (!this.end(slot, now)) this.place(slot, now);
  }

  /** As {@link offer}, of one that has just been looked at: it need not end. */
  place(slot: Slot<T>, now: number): void {
    const { waiters, suspended } = this.pool;
    if (slot.awaited !== undefined) slot.done();
    if (waiters.length === 0 || suspended) this.rest(slot, now);
    // It may have been kept for those who have now been shed.
    else if (!this.hand(slot) && !this.end(slot, now)) this.rest(slot, now);
  }

  /** Why there is one resource too many, if there is. */
  surplus(): DestroyReason | undefined {
    const { census, limits, waiters } = this.pool;
    const beyond = census.alive - limits.max;
    if (beyond <= 0) return undefined;
    if (beyond > limits.overflow) return 'shrink';
    return waiters.length === 0 ? 'overflow' : undefined;
  }

  /**
   * Brings those who wait and what there is together: lends what is fit, validates what has to be, creates what is
   * missing. Called after anything that changes either side; cheap when there is nothing to do.
   */
  serve(): void {
    // What a busy pool is told at each borrow and return.
    if (this.fullyLent) {
      this.pool.share?.settled();
      return;
    }
    this.serveAgain = true;
    if (this.serving) return;
    this.serving = true;
    try {
      while (this.serveAgain) {
        this.serveAgain = false;
        this.parts.availability.assess();
        this.lendIdle();
        this.trim();
        this.parts.replacement.settle();
        this.parts.growth.grow(this.closing ? undefined : this.keep);
        breakDeadlock(this.places, (waiter, holders) => this.parts.refusals.deadlock(waiter, holders));
        this.closing?.step();
      }
    } finally {
      this.serving = false;
    }
    this.pool.share?.settled();
  }

  /** How many are to be alive, whether anybody waits or not. */
  private get keep(): number {
    const { limits, census, settings } = this.pool;
    if (!this.begun) return 0;
    if (settings.minIdle === 0) return limits.min;
    return Math.max(limits.min, Math.min(limits.max, census.out + settings.minIdle));
  }

  /** Everything there may be is lent, and no owner waits for more: nothing can be done for anybody. */
  private get fullyLent(): boolean {
    const { census, limits, owners } = this.pool;
    if (census.leased < limits.max + limits.overflow || census.leased !== census.places) return false;
    return !owners.any && this.closing === undefined && this.parts.availability.settled;
  }

  /**
   * Do as many wait already as may? As many wait for what is on its way, or has room, and not for others, as could be lent
   * beside those that are.
   */
  isCrowded(maxWaiting: number): boolean {
    const { census, limits, share, waiters } = this.pool;
    const { out, closing, places } = census;
    const room = limits.max + limits.overflow - places;
    const unlent = places - out - closing + Math.min(room, Math.max(0, share?.room ?? room));
    return waiters.length >= maxWaiting + Math.max(0, unlent) || share?.isCrowded === true;
  }

  /** Sets going what a borrower who does not wait would have needed. */
  prepareOne(): void {
    const { idle, census, coarse, suspended } = this.pool;
    this.begun = true;
    if (suspended) return;
    const slot = idle.peek();
    if (slot && this.parts.inspection.isDue(slot, coarse.now())) {
      idle.remove(slot);
      this.parts.inspection.validate(slot);
    } else if (census.coming === 0) {
      this.parts.growth.grow(census.alive + 1);
    }
    this.serve();
  }

  /** Ends a free slot that has expired meanwhile, or is one too many. */
  private end(slot: Slot<T>, now: number): boolean {
    const reason = slot.expiresAt <= now ? slot.expiry : this.surplus();
    if (reason === undefined) return false;
    this.parts.retirement.retire(slot, reason);
    return true;
  }

  /** Hands a free slot to the first waiter, or its place to another pool. */
  private hand(slot: Slot<T>): boolean {
    const { waiters, share } = this.pool;
    if (share?.yields(slot)) {
      this.parts.retirement.retire(slot, 'evicted');
      return true;
    }
    const { shedding, inspection } = this.parts;
    if (inspection.always && !slot.checked) {
      inspection.validate(slot);
      return true;
    }
    const first = shedding ? shedding.take() : waiters.shift();
    first?.settle(this.parts.lend(slot, first));
    return first !== undefined;
  }

  private rest(slot: Slot<T>, now: number): void {
    const { idle } = this.pool;
    this.parts.shedding?.empty();
    this.parts.growth.demand.rested();
    if (this.closing !== undefined) {
      this.parts.retirement.retire(slot, 'closed');
      return;
    }
    if (slot.idleSince === Infinity) {
      slot.idleSince = slot.provenAt = now;
      idle.push(slot);
    } else {
      // It was only validated, which makes it no more in demand than it was.
      idle.putBack(slot);
    }
    this.parts.upkeep.rests(slot, now);
    if (this.parts.replacement.wanted) this.serve();
  }

  /** Ends idle resources beyond `max`: it was lowered, or those have left for whom they were kept. */
  private trim(): void {
    for (let reason = this.surplus(); reason; reason = this.surplus()) {
      const coldest = this.pool.idle.shift();
      if (!coldest) return;
      this.parts.retirement.retire(coldest, reason);
    }
  }

  private lendIdle(): void {
    const { waiters, idle, census, coarse } = this.pool;
    // User code that runs meanwhile may suspend the pool.
    while (waiters.length > 0 && !this.pool.suspended) {
      const slot = this.takeFit(coarse.now());
      if (!slot) break;
      this.offer(slot);
    }
    // Not merely for want of other supply: a create or a reset on its way may hang. Nor is one that is in doubt supply.
    while (waiters.length > census.validating - census.doubted.validating && !this.pool.suspended) {
      const slot = idle.peek();
      if (!slot) return;
      idle.remove(slot);
      this.parts.inspection.validate(slot);
    }
  }
}
