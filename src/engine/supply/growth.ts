import { guarded, isThenable, type Outcome } from '../basics/user-code.js';
import type { CreateContext } from '../options/factory.js';
import type { AbandonReason } from '../reports/listener.js';
import { Refusal } from '../queue/waiter-queue.js';
import type { Lateness } from '../slots/lateness.js';
import { Slot } from '../slots/slot.js';
import { Attempts } from './attempts.js';
import { Demand } from './demand.js';
import type { Replacement } from './replacement.js';
import type { Supply } from './supply.js';

/** What growth tells its pool. */
export interface GrowthEvents<T> {
  /** A new resource, fit for its first borrower; the slot is in state `idle`, in no list. */
  arrived(slot: Slot<T>): void;
  /** A new resource that is doomed already: invalidated, or recycled; likewise `idle`, in no list. */
  stillborn(slot: Slot<T>): void;
  /** A create that was given up has made a resource after all; the slot is in state `abandoned`. */
  late(slot: Slot<T>): void;
  /** User code says that the resource has become unusable. */
  invalidated(slot: Slot<T>, cause: unknown): void;
  /** Supply or back-off have changed: look again at who waits. */
  changed(): void;
  /** The user code of a slot has been running for longer than it should, or may. */
  overdue(slot: Slot<T>, now: number): void;
  /** There is no room, and somebody needs some: a resource whose check hangs ends. */
  yields(slot: Slot<T>): void;
}

/**
 * When to create, and how many at once.
 *
 * Creates belong to the pool, not to whoever waits: their results go to the first waiter, and their failures back off
 * once for all, see attempts.ts.
 */
export class Growth<T> {
  readonly attempts: Attempts<T>;
  readonly demand: Demand<T>;
  private stopped = false;
  private nextId = 1;

  constructor(
    private readonly pool: Supply<T>,
    private readonly replacement: Replacement<T>,
    private readonly lateness: Lateness<T>,
    private readonly events: GrowthEvents<T>,
  ) {
    this.attempts = new Attempts(pool, () => {
      events.changed();
    });
    this.demand = new Demand(pool, lateness, () => {
      events.changed();
    });
  }

  /** Nothing live, and creates keep failing: whoever waits would wait in vain. */
  get failing(): boolean {
    return this.pool.census.live === 0 && this.attempts.inVain && !this.hopeful;
  }

  /**
   * May others of the attempt that has failed last still succeed? A server that is full turns some of those away that come
   * together, at once, and lets others in.
   */
  private get hopeful(): boolean {
    const { slots, census } = this.pool;
    if (census.creating === census.doubted.creating || this.attempts.hopeless) return false;
    for (const { state, doubted, attempt } of slots) {
      if (state === 'creating' && !doubted && this.attempts.isLast(attempt)) return true;
    }
    return false;
  }

  /** May a create begin now, if there is room? */
  get ready(): boolean {
    const { census, settings, suspended } = this.pool;
    if (this.stopped || suspended) return false;
    return census.creating - census.doubted.creating < settings.createConcurrency && this.attempts.open;
  }

  /**
   * Starts as many creates as are wanted and allowed.
   *
   * @param keep how many shall be alive, whether anybody waits or not; left out by a pool that is closing, which makes
   *   nothing but for those who wait
   */
  grow(keep?: number): void {
    const { census, limits, share } = this.pool;
    // Looked at anew each time: a synchronous create serves its waiter, or fails, before it returns here.
    while (this.ready) {
      const shared = share?.room ?? Infinity;
      const room = Math.min(limits.max - census.places, shared);
      const full = census.places >= limits.max + limits.overflow;
      const demanded = (!full || census.hasDoubted) && this.demand.presses() && (!full || this.makesWay());
      // Where others compete for the room, only demand makes a pool try again.
      const probe = (this.failing && !share) || this.demand.missed;
      if (demanded && shared > 0) {
        this.create();
      } else if (keep === undefined) {
        return;
      } else if (room > 0 && (keep > census.alive || probe || this.replacement.owed > 0)) {
        this.create();
      } else if (room > 0) {
        const old = this.replacement.next();
        if (!old) return;
        this.create(old);
      } else {
        this.replacement.makeRoom();
        return;
      }
    }
  }

  /** The create of a slot did not settle in time, or the pool gives up on it: what it still makes is destroyed. */
  giveUp(slot: Slot<T>, why: Error, reason: AbandonReason): void {
    const { watch, settings, clock, deadlines } = this.pool;
    const at = clock.now();
    deadlines.cancel(slot.limit);
    // Given up before it is told so: what listens to the signal may come back into the pool.
    slot.abandon();
    slot.abort?.abort(why);
    watch.onAbandon?.({
      pool: settings.name,
      at,
      slot: slot.id,
      stage: 'create',
      ranMs: at - slot.since,
      limitMs: settings.createTimeout,
      reason,
    });
    this.failed(slot, why);
  }

  /** For good: what is being created is told that nobody wants it, and its failures are nobody's concern. */
  stop(reason: Error): void {
    if (this.stopped) return;
    this.stopped = true;
    this.attempts.stop();
    this.demand.stop();
    for (const slot of this.pool.slots) slot.abort?.abort(reason);
  }

  /**
   * All places are taken, and somebody needs one: one that hangs makes room. One after the other, as each may be
   * merely slow.
   *
   * @returns whether there is room now
   */
  private makesWay(): boolean {
    const { census, slots, limits } = this.pool;
    if (census.closing > 0) return false;
    for (const slot of slots) {
      if (!slot.hangs) continue;
      if (slot.state === 'creating') {
        this.giveUp(slot, new Error('create hangs, and another one needs its place'), 'place');
      } else {
        this.events.yields(slot);
      }
      break;
    }
    return census.places < limits.max + limits.overflow;
  }

  private create(replaces?: Slot<T>): void {
    const { census, settings, slots, clock, share } = this.pool;
    const slot = new Slot<T>(
      this.nextId++,
      this.attempts.current,
      census,
      (late, now) => {
        this.events.overdue(late, now);
      },
      replaces,
    );
    share?.took();
    this.demand.began();
    this.replacement.began(slot);
    const abort = (slot.abort = new AbortController());
    slots.add(slot);
    this.attempts.began();
    this.lateness.began(slot, clock.now(), settings.createTimeout);
    const context: CreateContext = {
      slot: slot.id,
      signal: abort.signal,
      invalidate: cause => {
        this.events.invalidated(slot, cause);
      },
    };
    let began = 0;
    guarded<T>(
      () => {
        // As late as can be: what is cheap to make is told by microseconds.
        began = clock.now();
        return this.make(slot, context);
      },
      result => {
        const outcome = result.ok && result.value === undefined ? nothing(settings.name) : result;
        if (slot.state === 'abandoned') this.settledLate(slot, outcome);
        else this.settled(slot, outcome, began);
      },
    );
  }

  private make(slot: Slot<T>, context: CreateContext): T | PromiseLike<T> {
    const { factory, hooks } = this.pool;
    const made = factory.create(context);
    if (!hooks.onCreate) return made;
    slot.birth = context;
    return isThenable(made)
      ? Promise.resolve(made).then(resource => this.initialise(slot, resource, context))
      : this.initialise(slot, made, context);
  }

  /**
   * Calls `onCreate`. Where that fails, the resource arrives all the same, condemned: so it is destroyed, and counts as a
   * create that has failed. Nobody waits for one that is aborted, or it could never be destroyed.
   */
  private initialise(slot: Slot<T>, resource: T, context: CreateContext): T | PromiseLike<T> {
    if (resource === undefined) return resource;
    const { signal } = context;
    const fail = (error: unknown): T => {
      slot.condemn(this.stopped ? 'closed' : 'invalid', error);
      slot.uninitialised = true;
      return resource;
    };
    try {
      signal.throwIfAborted();
      const answer = this.pool.hooks.onCreate?.(resource, context);
      if (!isThenable(answer)) return resource;
      return new Promise<T>(resolve => {
        const abandon = (): void => {
          resolve(fail(signal.reason));
        };
        signal.addEventListener('abort', abandon, { once: true });
        Promise.resolve(answer).then(
          () => {
            signal.removeEventListener('abort', abandon);
            resolve(resource);
          },
          (error: unknown) => {
            signal.removeEventListener('abort', abandon);
            // One that was aborted has been told so.
            resolve(signal.aborted ? resource : fail(error));
          },
        );
        if (signal.aborted) abandon();
      });
    } catch (error) {
      return fail(error);
    }
  }

  private settled(slot: Slot<T>, outcome: Outcome<T>, began: number): void {
    const { deadlines, slots, totals, watch, settings, clock, latencies } = this.pool;
    const now = clock.now();
    const tookMs = now - began;
    deadlines.cancel(slot.limit);
    if (outcome.ok) {
      // While it is still on its way: a listener that borrows waits for it, and has no other one made.
      watch.onCreate?.({ pool: settings.name, at: now, slot: slot.id, tookMs });
      // User code has run.
      if (slot.state !== 'creating') {
        this.settledLate(slot, outcome);
        return;
      }
    } else {
      slot.miscarry();
      slots.delete(slot);
      this.failed(slot, outcome.error);
      return;
    }
    slot.arrive(outcome.value);
    // As the coarse time, which it is compared with.
    slot.bornAt = Math.floor(now);
    slot.tookMs = tookMs;
    totals.created++;
    latencies.create.record(tookMs);
    this.lateness.learns(tookMs, now);
    if (slot.doom) {
      // Counts as a failure: a backend that accepts and hangs up at once must not be hammered.
      if (slot.doom === 'invalid') {
        this.noteFailure(slot, slot.doomCause);
        if (slot.uninitialised) this.propagate(slot.doomCause);
      }
      // One that was recycled says nothing of the backend now, but it runs no more.
      else {
        this.attempts.ended(slot);
        this.pool.share?.proved(true);
      }
      this.replacement.failed(slot);
      this.events.stillborn(slot);
    } else {
      this.attempts.succeeded(slot);
      this.pool.share?.proved(true);
      this.events.arrived(slot);
      this.replacement.arrived(slot);
    }
    this.events.changed();
  }

  private settledLate(slot: Slot<T>, outcome: Outcome<T>): void {
    if (outcome.ok) {
      slot.resource = outcome.value;
      this.pool.totals.created++;
      this.events.late(slot);
    } else {
      slot.vanish();
      this.pool.slots.delete(slot);
    }
  }

  private failed(slot: Slot<T>, error: unknown): void {
    this.noteFailure(slot, error);
    this.propagate(error);
    this.replacement.failed(slot);
    this.events.changed();
  }

  private propagate(error: unknown): void {
    const { settings, waiters } = this.pool;
    if (!settings.propagateCreateError || this.stopped) return;
    this.attempts.forget();
    waiters.shift()?.settle(new Refusal(() => error));
  }

  private noteFailure(slot: Slot<T>, error: unknown): void {
    if (this.stopped) return;
    const { settings, totals, watch, clock } = this.pool;
    totals.createFailed++;
    this.pool.share?.proved(false);
    this.attempts.failed(slot, error);
    watch.onCreateFailed?.({
      pool: settings.name,
      at: clock.now(),
      slot: slot.id,
      error,
      attempt: this.attempts.failures,
      retryInMs: this.attempts.retryInMs,
    });
  }
}

/** It would be lent, and fail where nobody thinks of it: a `return` was forgotten. */
function nothing(pool: string): Outcome<never> {
  return {
    ok: false,
    error: new TypeError(
      `Pool "${pool}": create gave undefined. It must return the resource, or a promise of it.`,
    ),
  };
}
