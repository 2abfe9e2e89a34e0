import { LeaseReleasedError } from './errors.js';
import type { Slot } from './slot.js';

/** What a lease needs of its pool. */
export interface Lender<T> {
  readonly name: string;
  takeBack(lease: Lease<T>, slot: Slot<T>, error: unknown): void;
  discard(lease: Lease<T>, slot: Slot<T>, cause: unknown): void;
  detach(lease: Lease<T>, slot: Slot<T>): void;
}

/**
 * One borrow of a resource: made by `pool.acquire()`, ended by `release()` or `destroy()`, or at the end of the block
 * with `using lease = await pool.acquire()`.
 */
export class Lease<T> {
  private aborter: AbortController | undefined = undefined;
  /** Why the pool has taken the resource away, if it has. */
  private taken: Error | undefined = undefined;

  /** @internal */
  constructor(
    private readonly lender: Lender<T>,
    private readonly slot: Slot<T>,
    /** How long the borrower queued for it, in milliseconds. */
    readonly waitedMs: number,
  ) {}

  /** Has it been given back, detached, or taken away by the pool? */
  get released(): boolean {
    return this.slot.lease !== this;
  }

  /**
   * The borrowed resource.
   *
   * @throws LeaseReleasedError once the lease has ended: somebody else may hold the resource by then.
   */
  get resource(): T {
    if (this.released) throw new LeaseReleasedError(this.lender.name, this.taken);
    return this.slot.resource;
  }

  /**
   * Aborted when the holder should let go: past `maxHold`, or because the pool takes the resource away at the deadline
   * of `close()`. Its reason says which.
   */
  get signal(): AbortSignal {
    this.aborter ??= new AbortController();
    return this.aborter.signal;
  }

  /**
   * Gives the resource back. Synchronous, never throws; a second call does nothing.
   *
   * @param error what went wrong while it was used, if anything; shown to the factory's `isFatal`, which decides
   * whether the resource is broken
   */
  release(error?: unknown): void {
    this.lender.takeBack(this, this.slot, error);
  }

  /** Gives the resource back to be destroyed, because the borrower knows that it is broken. */
  destroy(cause?: unknown): void {
    this.lender.discard(this, this.slot, cause);
  }

  /**
   * Takes the resource out of the pool's keeping: the pool forgets it, has room for another, and will never destroy it.
   * That is up to the caller from now on.
   *
   * @throws LeaseReleasedError once the lease has ended
   */
  detach(): T {
    const { resource } = this;
    this.lender.detach(this, this.slot);
    return resource;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** @internal The pool wants the resource back; it has taken it if the lease is released. */
  revoke(reason: Error): void {
    if (this.released) this.taken = reason;
    this.aborter ??= new AbortController();
    this.aborter.abort(reason);
  }
}
