import type { Outcome } from './basics/user-code.js';
import { guarded } from './basics/user-code.js';
import { PoolOptionsError, ResourceInvalidatedError } from './errors.js';
import type { Interior } from './interior.js';
import type { Lease } from './lease.js';
import { HookContext, type BorrowOutcome } from './options/hooks.js';
import { Refusal, WaiterQueue, served, type Served, type Waiter, type Wish } from './queue/waiter-queue.js';
import type { Slot } from './slots/slot.js';

/** What becomes of those whose `onBorrow` has been called. */
export interface PreparationEvents<T> {
  /** It is ready: lends a slot that is in state `idle`, in no list. */
  lend(slot: Slot<T>, queuedMs: number, wish: Wish): Lease<T>;
  /** Its borrower does not get it: it is for somebody else. */
  unlent(slot: Slot<T>, error: unknown, outcome: BorrowOutcome, owner: object | undefined): void;
  /** It cannot be used any more; the slot is still in state `preparing`. */
  lost(slot: Slot<T>, reason: 'reset-failed' | 'closed', why: Error): void;
  /** What a borrower is told whose time is up. */
  late(timeout: number): Refusal;
  /** A borrower has left before it had anything. */
  left(waitedMs: number, why: 'late' | 'aborted'): void;
  /** Look again at who waits. */
  changed(): void;
}

/** One call of `onBorrow`. */
interface Preparation<T> {
  readonly slot: Slot<T>;
  readonly context: HookContext;
  readonly wish: Wish;
  readonly since: number;
  readonly queuedMs: number;
  /** Its borrower, once that waits. */
  waiter: Waiter<Lease<T>> | undefined;
  /** What its borrower has come to, where that does not wait. */
  result: Lease<T> | Refusal | undefined;
  /** Its borrower has left. */
  gone: boolean;
}

/**
 * Calls `onBorrow` for a borrower to whom a resource has been given, who waits for it for what is left of its time. A
 * borrower that leaves is told so at once; the resource stays where it is until the call has settled, and then is cleaned
 * for somebody else, or is destroyed when that takes too long.
 */
export class Preparations<T> {
  private readonly running = new Map<Slot<T>, Preparation<T>>();
  /** Those who wait for their `onBorrow`; nobody is before anybody. */
  private readonly queue: WaiterQueue<Lease<T>>;

  constructor(
    private readonly pool: Interior<T>,
    private readonly events: PreparationEvents<T>,
  ) {
    const find = (waiter: Waiter<Lease<T>>): Preparation<T> =>
      [...this.running.values()].find(one => one.waiter === waiter)!;
    this.queue = new WaiterQueue(pool.alarm, pool.waits, {
      late: waiter => events.late(find(waiter).wish.timeout),
      left: (waiter, why) => {
        const one = find(waiter);
        this.leave(
          one,
          new Error(why === 'late' ? 'the time of the acquire is up' : 'the acquire was aborted'),
        );
        events.left(pool.waits.now() - one.since, why);
      },
    });
  }

  /**
   * Prepares a slot in state `idle`, in no list, for a borrower.
   *
   * @param since when that began to wait
   */
  begin(slot: Slot<T>, since: number, wish: Wish): Served<Lease<T>> {
    const one = this.call(slot, since, wish);
    return one.result ?? this.wait(one);
  }

  /**
   * As {@link begin}, for a borrower that cannot wait.
   *
   * @throws what `onBorrow` throws, and PoolOptionsError when that takes its time
   */
  now(slot: Slot<T>, wish: Wish): Lease<T> {
    const one = this.call(slot, this.pool.waits.now(), wish);
    if (one.result) return served(one.result);
    const { name } = this.pool.settings;
    const error = new PoolOptionsError(
      name,
      `Pool "${name}": tryAcquire() cannot wait for onBorrow, which has answered with a promise. Use acquire(), or make ` +
        'onBorrow synchronous.',
    );
    this.leave(one, error);
    throw error;
  }

  /** Its resource has become unusable, whatever else it is condemned for: its borrower must not get it. */
  invalidated(slot: Slot<T>, cause: unknown): void {
    if (this.running.has(slot)) slot.broken ??= new ResourceInvalidatedError(this.pool.settings.name, cause);
  }

  /** The borrower has left, and the call has not settled since. */
  overdue(slot: Slot<T>): void {
    this.running.delete(slot);
    this.events.lost(slot, 'reset-failed', new Error('onBorrow did not settle in time'));
    this.events.changed();
  }

  /** The deadline of `close()` has passed. */
  foreclose(slot: Slot<T>, why: Error, refusal: Refusal): void {
    const one = this.running.get(slot);
    // It is just being given back.
    if (!one) return;
    this.running.delete(slot);
    if (!one.gone && !one.result) {
      this.pool.totals.refused++;
      this.conclude(one, () => refusal);
    }
    one.context.abort(why);
    this.events.lost(slot, 'closed', why);
  }

  private call(slot: Slot<T>, since: number, wish: Wish): Preparation<T> {
    const context = new HookContext(slot.id, wish.owner);
    const queuedMs = this.pool.waits.now() - since;
    const one: Preparation<T> = {
      ...{ slot, context, wish, since, queuedMs },
      ...{ waiter: undefined, result: undefined, gone: false },
    };
    slot.prepare();
    this.running.set(slot, one);
    guarded<unknown>(
      () => this.pool.hooks.onBorrow?.(slot.resource, context),
      outcome => this.settled(one, outcome),
    );
    return one;
  }

  private wait(one: Preparation<T>): Served<Lease<T>> {
    const { wish, since } = one;
    const { waits } = this.pool;
    const left = wish.timeout - (waits.now() - since);
    try {
      if (left <= 0) {
        this.leave(one, new Error('the time of the acquire is up'));
        this.events.left(waits.now() - since, 'late');
        return this.events.late(wish.timeout);
      }
      one.waiter = this.queue.enter({ timeout: left, signal: wish.signal, owner: wish.owner });
      return one.waiter.outcome;
    } catch (error) {
      // Its signal was aborted by the hook, or is of foreign make.
      this.leave(one, new Error('the acquire was aborted'));
      this.events.left(waits.now() - since, 'aborted');
      return new Refusal(() => error);
    }
  }

  /** Its borrower gets nothing. */
  private leave(one: Preparation<T>, why: Error): void {
    const { deadlines, clock, settings } = this.pool;
    one.gone = true;
    deadlines.set(one.slot.limit, clock.now(), settings.resetTimeout);
    one.context.abort(why);
  }

  private settled(one: Preparation<T>, outcome: Outcome<unknown>): void {
    const { slot, wish, gone, queuedMs } = one;
    // The pool did not wait for it.
    if (this.running.get(slot) !== one) return;
    if (!gone && outcome.ok && !slot.broken) {
      this.running.delete(slot);
      slot.rest();
      this.conclude(one, () => this.events.lend(slot, queuedMs, wish));
      this.events.changed();
      return;
    }
    const error = outcome.ok ? undefined : outcome.error;
    const told = outcome.ok ? slot.broken : error;
    const wasWaited = one.waiter !== undefined;
    if (!gone) {
      this.conclude(one, () => new Refusal(() => told));
    }
    const end = (): void => {
      if (this.running.get(slot) !== one) return;
      this.running.delete(slot);
      this.pool.deadlines.cancel(slot.limit);
      this.events.unlent(slot, error, gone ? 'aborted' : 'error', wish.owner);
    };
    // Not from within the call that has lent it: where each of very many borrowers fails at once, it goes from one to the next.
    if (wasWaited || gone) end();
    else queueMicrotask(end);
  }

  /** Tells the borrower what it gets. It has left its queue before user code can run. */
  private conclude(one: Preparation<T>, result: () => Lease<T> | Refusal): void {
    const { waiter } = one;
    one.waiter = undefined;
    if (waiter) this.queue.remove(waiter);
    one.result = result();
    waiter?.settle(one.result);
  }
}
