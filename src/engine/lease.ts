import { isError } from './basics/thrown.js';
import { guarded } from './basics/user-code.js';
import { LeaseReleasedError } from './errors.js';
import type { Handle, OpenTransaction, TransactionOptions } from './options/factory.js';
import { Transaction } from './transaction.js';

/** What a lease needs of the slot that is lent. */
export interface Lent<T> {
  readonly id: number;
  readonly resource: T;
  /** The lease that may use the resource now; a lease that is not this one has been returned. */
  readonly lease: Lease<T> | undefined;
  readonly state: string;
  /** Is user code at work on it, on its way to a borrower? */
  readonly coming: boolean;
  /** Why its holder should not go on with it. */
  readonly broken: Error | undefined;
  /** Resolves when what is being done with it is done. */
  whenDone(): Promise<void>;
}

/** What a lease needs of its pool, which gets back the very slot that it has lent. */
export interface Lender<T> {
  readonly name: string;
  /** Do borrowers get something in place of the resource? */
  readonly hasHandles: boolean;
  makeHandle(slot: Lent<T>): Handle<T>;
  /** @throws PoolOptionsError when the factory has no transactions */
  begin(handle: T, options: TransactionOptions, whole: boolean): PromiseLike<OpenTransaction>;
  takeBack(lease: Lease<T>, slot: Lent<T>, error: unknown): void;
  discard(lease: Lease<T>, slot: Lent<T>, cause: unknown): void;
  detach(lease: Lease<T>, slot: Lent<T>): void;
  /** The handle could not be made. */
  unhandled(lease: Lease<T>, slot: Lent<T>, error: unknown): void;
}

/**
 * One borrow of a resource: made by `pool.acquire()`, ended by `release()` or `destroy()`, or at the end of the block
 * with `using lease = await pool.acquire()`.
 */
export class Lease<T> {
  /** @internal Why the pool has taken the resource away, if it has. */
  taken: Error | undefined = undefined;
  private aborter: AbortController | undefined = undefined;
  private handle: Handle<T> | undefined = undefined;
  /** Those that {@link share} has given beside it. */
  private others: Handle<T>[] | undefined = undefined;

  /** @internal */
  constructor(
    private readonly lender: Lender<T>,
    private readonly record: Lent<T>,
    /** How long the borrower queued for it, in milliseconds. */
    readonly waitedMs: number,
  ) {}

  /** The number of its resource in the pool, as listeners are told it. */
  get slot(): number {
    return this.record.id;
  }

  /**
   * Resolves when the lease has ended and what follows from that has been done: the resource has been reset and can be lent
   * again, or has been destroyed (or its destroy was given up). Never rejects. `release()` and `destroy()` do not wait for
   * it; who wants to, does: `lease.release(); await lease.finished`.
   */
  get finished(): Promise<void> {
    const { record } = this;
    // What is being done with it now may follow from a lease that came later: then that is waited for, too.
    const free = record.lease === undefined && (record.coming || record.state === 'closing');
    const pending = record.lease === this || free;
    return pending ? record.whenDone() : Promise.resolve();
  }

  /** Has it been given back, detached, or taken away by the pool? */
  get released(): boolean {
    return this.record.lease !== this;
  }

  /**
   * Has the resource become unusable while it was leased (the factory's `invalidate` was called)? Then it is not to be
   * shared with anybody any more, and the pool destroys it when it comes back. Not before its borrower has ended what
   * was lost with it, such as a transaction: see `unfinished` of a handle.
   */
  get broken(): boolean {
    return this.record.broken !== undefined && !this.released && !this.isUnfinished;
  }

  /**
   * The borrowed resource, or what the factory's `handle` has made of it for this borrower.
   *
   * @throws LeaseReleasedError once the lease has ended: somebody else may hold the resource by then.
   * @throws what `handle` throws; then the lease has ended, too
   */
  get resource(): T {
    if (this.released) throw this.ended();
    if (!this.lender.hasHandles) return this.record.resource;
    return (this.handle ??= this.open()).resource;
  }

  /**
   * What one of several who share the borrow is to use: the first gets {@link resource}, each other one a handle of its own,
   * if the factory has handles, so that a transaction can tell who takes part in it.
   *
   * @throws as {@link resource}
   */
  share(): T {
    return this.handle === undefined ? this.resource : this.another();
  }

  /**
   * Begins a transaction: `await using tx = await lease.begin()`. It is rolled back unless it is committed, at the latest
   * when the lease ends. Its `resource` is a handle of its own, if the factory has handles.
   *
   * @param whole do all take part who share the borrow? Otherwise the holder of `tx.resource`, and what `tx.run()` runs;
   *   others are refused by the resource, as long as it can tell. Default false.
   * @throws PoolOptionsError when the pool's resources have no transactions
   * @throws LeaseReleasedError once the lease has ended
   * @throws what the resource says
   */
  begin(options: TransactionOptions = {}, whole = false): Promise<Transaction<T>> {
    return this.beginUntil(options, whole);
  }

  /** @internal As {@link begin}; `ended` is told when the transaction has, whatever it has come to. */
  async beginUntil(options: TransactionOptions, whole: boolean, ended?: () => void): Promise<Transaction<T>> {
    const handle = this.another();
    return new Transaction(handle, options, await this.lender.begin(handle, options, whole), ended);
  }

  /**
   * Aborted when the holder should let go: past `maxHold`, because the resource has become unusable, or because the
   * pool takes it away at the deadline of `close()`. Its reason says which.
   */
  get signal(): AbortSignal {
    this.aborter ??= new AbortController();
    return this.aborter.signal;
  }

  /**
   * Gives the resource back. Synchronous, never throws; a second call does nothing. Needs no `this`, and so fits as a
   * listener or callback: `socket.once('close', lease.release)`, `promise.finally(lease.release)`. It is another function each time it is
   * asked for: keep it to remove the listener again.
   *
   * @param error what went wrong while it was used, if anything; shown to the factory's `isFatal`, which decides
   * whether the resource is broken. Only errors count: anything else is taken for what an event or a callback has to say
   * of something else, such as the `hadError` of `close`.
   */
  get release(): (error?: unknown) => void {
    // Not kept: a closure that is called at once costs nothing, and one that is kept an eighth of a borrow.
    return error => {
      this.end(error);
    };
  }

  /** Gives the resource back to be destroyed, because the borrower knows that it is broken. Needs no `this` either. */
  get destroy(): (cause?: unknown) => void {
    return cause => {
      this.lender.discard(this, this.record, cause);
    };
  }

  /**
   * Takes the resource out of the pool's keeping: the pool forgets it, has room for another, and will never destroy it.
   * That is up to the caller from now on. A handle that it had before stays good.
   *
   * @throws LeaseReleasedError once the lease has ended
   */
  detach(): T {
    if (this.released) throw this.ended();
    const { resource } = this.record;
    this.handle = this.others = undefined;
    this.lender.detach(this, this.record);
    return resource;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** @internal Was its holder told to let go? */
  get aborted(): boolean {
    return this.aborter?.signal.aborted === true;
  }

  /** @internal As {@link release}, after something was thrown, which may be anything. */
  fail(thrown: unknown): void {
    this.lender.takeBack(this, this.record, thrown);
  }

  /** @internal The lease has ended: nobody may use what its borrower got. */
  withdraw(): void {
    const { handle, others } = this;
    this.handle = this.others = undefined;
    if (handle) this.revoke(handle);
    if (others) for (const other of others) this.revoke(other);
  }

  private revoke(handle: Handle<T>): void {
    guarded<unknown>(
      () => handle.revoke(() => this.ended()),
      () => undefined,
    );
  }

  /** @internal The pool wants the resource back, or has taken it. */
  abort(reason: Error): void {
    this.aborter ??= new AbortController();
    this.aborter.abort(reason);
  }

  private end(error: unknown): void {
    this.lender.takeBack(this, this.record, error === undefined ? undefined : errorOrNothing(error));
  }

  private get isUnfinished(): boolean {
    return this.handle?.unfinished === true || this.others?.some(({ unfinished }) => unfinished) === true;
  }

  /** Beside the one that {@link resource} gives. */
  private another(): T {
    if (!this.lender.hasHandles) return this.resource;
    if (this.released) throw this.ended();
    const handle = this.open();
    (this.others ??= []).push(handle);
    return handle.resource;
  }

  private open(): Handle<T> {
    let handle: Handle<T>;
    try {
      handle = this.lender.makeHandle(this.record);
    } catch (error) {
      this.lender.unhandled(this, this.record, error);
      throw error;
    }
    if (this.released) {
      // User code has run, and the lease has ended in it.
      this.revoke(handle);
      throw this.ended();
    }
    return handle;
  }

  private ended(): LeaseReleasedError {
    return new LeaseReleasedError(this.lender.name, this.taken);
  }
}

function errorOrNothing(value: unknown): unknown {
  return isError(value) ? value : undefined;
}
