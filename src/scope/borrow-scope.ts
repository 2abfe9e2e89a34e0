import type { AcquireOptions, Lease, Pool } from '../engine/index.js';
import { BorrowScopeEndedError } from './errors.js';

export interface BorrowOptions {
  /**
   * Milliseconds until the resource must be there, in place of the pool's `acquireTimeout`. Where somebody else in the
   * scope is waiting for it already, that wait is shared.
   */
  readonly timeout?: number | undefined;
  /** A separate resource, not the one this scope shares. It goes back with the others. Default false. */
  readonly fresh?: boolean | undefined;
}

/** The application a scope belongs to; two applications in one process do not meet. */
export interface ScopeHost {
  /** Aborted when the application shuts down and endless work (subscriptions) should end. */
  readonly stopping: AbortSignal;
}

/** Why a queueing acquire was aborted: the error it becomes is made where the pool is known. */
const SCOPE_IS_OVER = new Error('the borrow scope has ended');

interface Shared {
  readonly lease: Promise<Lease<unknown>>;
  /** Set when it is there. */
  got: Lease<unknown> | undefined;
}

/**
 * Who borrowed what in one unit of work. One lease per pool, shared by everybody in the scope.
 *
 * A scope counts holds: the handler that is running, the reply that is not yet handed over, the body that is being
 * streamed. When the last one drops, everything borrowed goes back, once. A scope that borrows nothing costs this one
 * object: it is opened, and listens to whatever ends it, on its first borrow.
 */
export class BorrowScope {
  private holds = 0;
  private opened = false;
  private ended = false;
  private failure: unknown = undefined;
  private shared: Map<Pool<unknown>, Shared> | undefined = undefined;
  private leases: Lease<unknown>[] | undefined = undefined;
  private departure: AbortController | undefined = undefined;

  constructor(readonly host: ScopeHost) {}

  /** Keeps the scope from ending until the returned function is called. */
  hold(): () => void {
    this.holds++;
    let dropped = false;
    return () => {
      if (dropped) return;
      dropped = true;
      this.holds--;
      this.endWhenIdle();
    };
  }

  /** The work went wrong: resources show this to `isFatal` when they go back. The first error counts. */
  fail(error: unknown): void {
    this.failure ??= error;
  }

  /** Whoever the work is for has left: acquires that are queueing for it now are aborted. Nothing is taken away. */
  abandon(reason: Error): void {
    this.departure?.abort(reason);
    this.departure = undefined;
  }

  /**
   * Borrows from a pool, or shares what this scope has borrowed from it. A failed borrow is not remembered.
   *
   * @throws BorrowScopeEndedError when the scope has ended, also when it ended while the borrow was queueing
   * @throws what `pool.acquire` throws
   */
  borrow<T>(pool: Pool<T>, options: BorrowOptions = {}): Promise<Lease<T>> {
    if (!this.opened) {
      this.opened = true;
      this.open();
      this.endWhenIdle();
    }
    if (this.ended) return Promise.reject(new BorrowScopeEndedError(pool.name));
    if (options.fresh) return this.acquire(pool, options);

    // Agents that trace an application put proxies around its providers: two modules can have different ones of a pool.
    const key = (pool as Partial<Pool<unknown>>).self ?? (pool as Pool<unknown>);
    const known = this.shared?.get(key);
    // One that was given back early, or that its pool took away, is of no use to anybody.
    if (known && !known.got?.released) return known.lease as Promise<Lease<T>>;

    const entry: Shared = { lease: this.acquire(pool, options), got: undefined };
    this.shared ??= new Map();
    this.shared.set(key, entry);
    entry.lease.then(
      lease => {
        entry.got = lease;
      },
      () => {
        if (this.shared?.get(key) === entry) this.shared.delete(key);
      },
    );
    return entry.lease as Promise<Lease<T>>;
  }

  /** Called before the first borrow: takes the holds that only matter to a scope that has something to give back. */
  protected open(): void {
    // A plain scope is held by whoever runs it.
  }

  private async acquire<T>(pool: Pool<T>, options: AcquireOptions): Promise<Lease<T>> {
    this.departure ??= new AbortController();
    let lease: Lease<T> | undefined;
    try {
      lease = await pool.acquire({ timeout: options.timeout, signal: this.departure.signal });
    } catch (error) {
      if (error !== SCOPE_IS_OVER) throw error;
    }
    if (this.ended || !lease) {
      lease?.release();
      throw new BorrowScopeEndedError(pool.name);
    }
    (this.leases ??= []).push(lease);
    return lease;
  }

  private endWhenIdle(): void {
    if (this.holds > 0 || !this.opened || this.ended) return;
    this.ended = true;
    // Borrows that still queue would go straight back; their places in the queue are free for others now.
    this.departure?.abort(SCOPE_IS_OVER);
    for (const lease of this.leases ?? []) lease.release(this.failure);
    this.leases = this.shared = undefined;
  }
}
