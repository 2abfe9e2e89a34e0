import {
  KeyedPool,
  type AcquireOptions,
  type Lease,
  type Pool,
  type Priority,
  type Transaction,
  type TransactionOptions,
} from '../engine/index.js';
import type { CallerDeadline } from './caller-deadline.js';
import { Departure } from './departure.js';
import { BorrowScopeEndedError, DeadlineExceededError, type AbandonedError } from './errors.js';
import { HeldScope } from './held-scope.js';
import { SharedResources, type SomePool } from './shared-resources.js';
import { hasNoTransaction, isFree, isOpen, type Fits, type Shared } from './shared.js';
import type { Running } from './transact.js';
import { WholeTransaction } from './whole-transaction.js';

export interface BorrowOptions {
  /**
   * Milliseconds until the resource must be there, in place of the pool's `acquireTimeout`. Where somebody else in the
   * scope is waiting for it already, that wait is shared.
   */
  readonly timeout?: number | undefined;
  /** Who is served first where several wait. Default `normal`. A wait that is shared keeps the priority it has. */
  readonly priority?: Priority | undefined;
  /** A separate resource, not the one this scope shares. It goes back with the others. Default false. */
  readonly fresh?: boolean | undefined;
}

/** What a scope borrows from. */
export type AnyPool<T> = Pool<T> | KeyedPool<unknown, T>;

/** Why a queueing acquire was aborted: the error it becomes is made where the pool is known. */
const SCOPE_IS_OVER = new Error('the borrow scope has ended');

const nothing = (): void => undefined;

/**
 * Who borrowed what in one unit of work. One lease per pool, shared by everybody in the scope, until the last hold on it
 * drops: then everything borrowed goes back, once. A scope that borrows nothing costs this one object.
 */
export class BorrowScope extends HeldScope {
  /**
   * Until when whoever the work is for waits for it; undefined as a rule. Set before anything is borrowed. From then on no
   * pool is asked for anything, and no wait goes on; what the scope has already stays, for its parts to share and end.
   */
  deadline: CallerDeadline | undefined = undefined;
  private failure: unknown = undefined;
  private shared: SharedResources | undefined = undefined;
  private leases: Lease<unknown>[] | undefined = undefined;
  /** For acquires that are queueing now; those that come later have another. */
  private departure: Departure | undefined = undefined;
  /** Why whoever the work was for has left. */
  private departed: Error | undefined = undefined;
  /** What {@link signal} has been asked of. */
  private interest: AbortController | undefined = undefined;

  /** The work went wrong: resources show this to `isFatal` when they go back. The first error counts. */
  fail(error: unknown): void {
    this.failure ??= error;
  }

  /** The request that the work is for, as the keys of keyed pools are found in it; undefined for other work. */
  get request(): unknown {
    return undefined;
  }

  /**
   * Aborted when the work is not wanted any more: whoever it is for has left, or has given up at its deadline, or a pool
   * has taken away what the scope has borrowed (`maxHold`, or the deadline of a shutdown).
   */
  get signal(): AbortSignal {
    if (!this.interest) {
      this.interest = new AbortController();
      for (const lease of this.leases ?? []) this.heed(lease);
      this.awaken();
      if (this.departed) this.interest.abort(this.departed);
      this.heedDeadline(this.interest);
    }
    return this.interest.signal;
  }

  /** Whoever the work is for has left: acquires that are queueing for it now are aborted. Nothing is taken away. */
  abandon(reason: Error): void {
    this.departure?.abort(reason);
    this.departure = undefined;
    this.departed ??= reason;
    this.interest?.abort(reason);
  }

  /**
   * Borrows from a pool, or shares what this scope has borrowed from it. A failed borrow is not remembered.
   *
   * @param key of a keyed pool; undefined for any other
   * @throws BorrowScopeEndedError when the scope has ended, also when it ended while the borrow was queueing
   * @throws DeadlineExceededError when its deadline has passed, also while the borrow was queueing
   * @throws what `pool.acquire` throws
   */
  borrow<T>(pool: AnyPool<T>, options: BorrowOptions = {}, key?: unknown): Promise<Lease<T>> {
    return this.whenReady(pool, () => this.take(pool, options, key, isOpen));
  }

  /** As {@link borrow}, but nothing with a transaction, in which others may take part. */
  borrowApart<T>(pool: AnyPool<T>, options: BorrowOptions = {}, key?: unknown): Promise<Lease<T>> {
    return this.whenReady(pool, () => this.take(pool, options, key, hasNoTransaction));
  }

  /**
   * Begins a transaction that has its resource for itself until it has ended: that which this scope shares, if nobody has a
   * transaction on it, and otherwise another one, which goes back with the end of the transaction.
   *
   * @param within who holds what a transaction around this one has been lent for itself
   * @throws as {@link borrow}, and what `lease.begin` throws
   */
  begin<T>(
    pool: AnyPool<T>,
    options: BorrowOptions,
    key: unknown,
    how: TransactionOptions,
    within?: object,
  ): Promise<Running<T>> {
    return this.whenReady(pool, async () => {
      const shared = this.shared?.find(pool, key, isFree);
      if (!shared) {
        // Two that are begun side by side do not wait for each other in vain, as long as the scope itself has nothing.
        const owner = within ?? (this.shared ? this : (Object.create(this) as object));
        const own = await this.acquire(pool, options, key, undefined, owner);
        return { lease: own, transaction: await begun(own, how, () => own.release()), owner };
      }
      shared.taken = true;
      const lease = shared.got as Lease<T>;
      const transaction = await begun(lease, how, () => {
        shared.taken = false;
      });
      return { lease, transaction };
    });
  }

  /**
   * Joins the transaction in which everybody takes part who has the resource of this scope, or begins it.
   *
   * @param joined is told before it has begun: from then on it has to be left
   * @throws as {@link borrow}, what `lease.begin` throws, and TransactionRefusedError when it is of another kind
   */
  join<T>(
    pool: AnyPool<T>,
    options: BorrowOptions,
    key: unknown,
    how: TransactionOptions,
    joined: (transaction: WholeTransaction) => void,
  ): Promise<void> {
    return this.whenReady(pool, async () => {
      const lease = this.take(pool, options, key, isOpen);
      const shared = this.shared?.find(pool, key, one => one.lease === lease);
      if (!shared) return lease.then(() => refused(new BorrowScopeEndedError(pool.name)));
      const place = { scope: this, pool, key };
      const whole = (shared.whole ??= new WholeTransaction(shared, lease, how, place));
      whole.join(how);
      joined(whole);
      await whole.running;
    });
  }

  /** The transaction in which everybody takes part who has this scope's resource of this pool. */
  wholeOf(pool: SomePool, key?: unknown): WholeTransaction | undefined {
    return this.shared?.find(pool, key, one => one.whole !== undefined && one.isOpen)?.whole;
  }

  /** Has whoever the work is for been told anything of what has come of it? */
  hasReplied(): boolean {
    return false;
  }

  /** Has whoever the work is for left? */
  get hasLeft(): boolean {
    return this.departed !== undefined;
  }

  /** Called when a transaction could not be committed, and everybody has been answered: `name` is what the scope was called. */
  protected uncommitted(_name: string, _error: unknown): void {
    // A plain scope has nobody to tell.
  }

  /** What has to be waited for before anything is borrowed; undefined as a rule. */
  protected hindrance(): Promise<void> | undefined {
    return undefined;
  }

  private whenReady<R>(pool: SomePool, lend: () => Promise<R>): Promise<R> {
    const hindrance = this.hindrance();
    if (!hindrance) return this.lendable(pool) ?? lend();
    const ready = this.deadline?.until(pool.name, hindrance) ?? hindrance;
    const lent = ready.then(() => this.lendable(pool) ?? lend());
    // As with every borrow: who forgets to await it does not end the process.
    lent.catch(nothing);
    return lent;
  }

  /** Rejects where there is nothing to be lent any more. */
  private lendable(pool: SomePool): Promise<never> | undefined {
    const isFirst = this.unused;
    this.awaken();
    if (!this.ended) return undefined;
    // Nobody has run on after an end here: whoever the work was for has left before it began.
    const left = isFirst ? this.departed : undefined;
    return refused(left ?? new BorrowScopeEndedError(pool.name));
  }

  private take<T>(pool: AnyPool<T>, options: BorrowOptions, key: unknown, fits: Fits): Promise<Lease<T>> {
    if (options.fresh) return this.acquire(pool, options, key);
    const known = this.shared?.find(pool, key, fits);
    if (known?.lease) return known.lease as Promise<Lease<T>>;
    const shared = (this.shared ??= new SharedResources()).add(pool, key);
    const lease = this.acquire(pool, options, key, shared);
    shared.lease = lease;
    return lease;
  }

  private acquire<T>(
    pool: AnyPool<T>,
    { timeout, priority }: BorrowOptions,
    key: unknown,
    shared?: Shared,
    owner: object = this,
  ): Promise<Lease<T>> {
    const { deadline } = this;
    const signal = (this.departure ??= new Departure(deadline));
    // As the owner: a scope gives nothing back before its end, so two that wait for each other wait in vain.
    const wish: AcquireOptions = { timeout, priority, signal, owner };
    const lease = deadline
      ? deadline.bound(
          pool.name,
          () => ask(pool, key, wish),
          late => late.release(),
        )
      : ask(pool, key, wish);
    // Not an async function: on Node.js before 24 each promise is expensive where there is an AsyncLocalStorage.
    const kept: Promise<Lease<T>> = lease.then(
      one => this.keep(pool, one, shared),
      (error: unknown) => {
        if (shared) shared.failed = true;
        kept.catch(nothing);
        throw error === SCOPE_IS_OVER ? new BorrowScopeEndedError(pool.name) : error;
      },
    );
    return kept;
  }

  private keep<T>(pool: AnyPool<T>, lease: Lease<T>, shared: Shared | undefined): Lease<T> {
    if (this.ended) {
      lease.release();
      throw new BorrowScopeEndedError(pool.name);
    }
    if (shared) shared.got = lease;
    // Those that were given back early are nothing to the end of the scope.
    this.leases = this.leases ? [...this.leases.filter(({ released }) => !released), lease] : [lease];
    if (this.interest) this.heed(lease);
    return lease;
  }

  /** Nobody has ended it: a stream was sent, or the answer was given by hand. What is open when it goes back is rolled back. */
  private commit(
    whole: WholeTransaction,
    lease: Lease<unknown>,
    earlier: Promise<void> | undefined,
  ): Promise<void> {
    const name = String(this);
    // When one cannot be committed, those after it are not to be.
    const committed = earlier ? earlier.then(() => whole.close()) : whole.close();
    committed.then(
      () => lease.release(),
      (error: unknown) => {
        lease.fail(error);
        this.uncommitted(name, error);
      },
    );
    return committed;
  }

  /** What is still to be sent of its answer, for as long as somebody listens, needs nothing that was borrowed. */
  answerNeedsNothing(): void {
    // Only a request has an answer.
  }

  private heedDeadline(interest: AbortController): void {
    const { deadline } = this;
    if (!deadline || this.ended) return;
    const tell = (): void => interest.abort(new DeadlineExceededError(undefined, 0, deadline.overdue));
    if (deadline.left === 0) tell();
    else deadline.watch(tell);
  }

  private heed({ signal }: Lease<unknown>): void {
    const tell = (): void => this.interest?.abort(signal.reason);
    if (signal.aborted) tell();
    else signal.addEventListener('abort', tell, { once: true });
  }

  protected override get hasBorrowed(): boolean {
    return this.leases !== undefined;
  }

  protected override giveBack(abandoned: AbandonedError | undefined): void {
    this.deadline?.stop();
    // Borrows that still queue would go straight back; their places in the queue are free for others now.
    this.departure?.abort(SCOPE_IS_OVER);
    const failed = this.hasLeft || this.failure !== undefined;
    let commit: Promise<void> | undefined;
    for (const lease of this.leases ?? []) {
      const whole = failed || abandoned ? undefined : this.shared?.transactionOn(lease);
      if (abandoned) lease.destroy(abandoned);
      else if (whole) commit = this.commit(whole, lease, commit);
      else if (this.failure === undefined) lease.release();
      else lease.fail(this.failure);
    }
    this.leases = this.shared = this.departure = this.failure = undefined;
  }
}

function ask<T>(pool: AnyPool<T>, key: unknown, wish: AcquireOptions): Promise<Lease<T>> {
  return pool instanceof KeyedPool ? pool.acquire(key, wish) : pool.acquire(wish);
}

/** A transaction that has begun; what cannot begin has ended. */
async function begun<T>(
  lease: Lease<T>,
  how: TransactionOptions,
  ended: () => void,
): Promise<Transaction<T>> {
  try {
    return await lease.beginUntil(how, false, ended);
  } catch (error) {
    ended();
    throw error;
  }
}

/**
 * A rejection that is nobody's fault if nobody looks at it: who forgets to await a borrow learns of it from what comes
 * next, and not by the end of the process.
 */
export function refused(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(nothing);
  return promise;
}
