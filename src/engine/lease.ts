import { isError } from './basics/thrown.js';
import { guarded } from './basics/user-code.js';
import { LeaseReleasedError } from './errors.js';
import type { Handle } from './options/factory.js';

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
    return this.record.broken !== undefined && !this.released && this.handle?.unfinished !== true;
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
    return (this.handle ?? this.open()).resource;
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
    this.handle = undefined;
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
    const { handle } = this;
    if (!handle) return;
    this.handle = undefined;
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

  private open(): Handle<T> {
    let handle: Handle<T>;
    try {
      handle = this.lender.makeHandle(this.record);
    } catch (error) {
      this.lender.unhandled(this, this.record, error);
      throw error;
    }
    this.handle = handle;
    if (this.released) {
      // User code has run, and the lease has ended in it.
      this.withdraw();
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
