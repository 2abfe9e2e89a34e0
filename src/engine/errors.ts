import { brand } from './basics/brand.js';
import { messageOf } from './basics/thrown.js';
import type { PoolStats } from './reports/stats.js';

/** The machine-readable names of the errors of a pool. */
export type PoolErrorCode =
  | 'POOL_TIMEOUT'
  | 'POOL_QUEUE_FULL'
  | 'POOL_SHED'
  | 'POOL_DEADLOCK'
  | 'POOL_UNAVAILABLE'
  | 'POOL_CLOSED'
  | 'POOL_LEASE_RELEASED'
  | 'POOL_RESOURCE_INVALIDATED'
  | 'POOL_OPTIONS';

/** What every error of a pool has. */
export abstract class PoolError extends Error {
  abstract readonly code: PoolErrorCode;
  // Not shown with the error: its message has what matters, and a log would have sixty lines more for each.
  readonly #stats: PoolStats | undefined;

  constructor(
    /** The pool's name. */
    readonly pool: string,
    message: string,
    stats?: PoolStats,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
    this.#stats = stats;
  }

  /** The pool at the moment of the error, where there was one. */
  get stats(): PoolStats | undefined {
    return this.#stats;
  }
}

/** An acquire, a start or a create took longer than it was allowed to. */
export class PoolTimeoutError extends PoolError {
  readonly code = 'POOL_TIMEOUT';
}

/** `maxWaiting` acquires were queueing already. */
export class PoolQueueFullError extends PoolError {
  readonly code = 'POOL_QUEUE_FULL';
}

/** The queue had been standing for too long, and this acquire was refused to make it shorter; see `shed`. */
export class PoolShedError extends PoolError {
  readonly code = 'POOL_SHED';
}

/** One of those who hold everything and wait for more. */
export interface DeadlockedHolder {
  /** What its owner is called. */
  readonly owner: string;
  /** Where it waits for another. */
  readonly waitsAt: string | undefined;
  /** Where it borrowed what it holds; known when it had to queue for it, or `leakThreshold` is on. */
  readonly borrowedAt: string | undefined;
}

/** Everything is leased to owners that wait here for more, so that nobody could ever be served. */
export class PoolDeadlockError extends PoolError {
  readonly code = 'POOL_DEADLOCK';

  constructor(
    pool: string,
    message: string,
    stats: PoolStats,
    /** Whom this acquire was waiting for, itself included. */
    readonly holders: readonly DeadlockedHolder[],
  ) {
    super(pool, message, stats);
  }
}

/** Nothing is live and creates keep failing; `cause` is the last create error. */
export class PoolUnavailableError extends PoolError {
  readonly code = 'POOL_UNAVAILABLE';

  constructor(
    pool: string,
    message: string,
    stats: PoolStats,
    /** Milliseconds until the pool tries again to create; 0 when it is trying now. */
    readonly retryInMs: number,
    options?: { cause?: unknown },
    /** Has the last create error said that trying again is of no use (`isRetryable` of the factory)? */
    readonly hopeless = false,
  ) {
    super(pool, message, stats, options);
  }
}

/** The pool is closing or closed. */
export class PoolClosedError extends PoolError {
  readonly code = 'POOL_CLOSED';
}

/** A lease's resource was used after the lease had ended; `cause` says why, if the pool has taken it away. */
export class LeaseReleasedError extends PoolError {
  readonly code = 'POOL_LEASE_RELEASED';

  constructor(pool: string, revoked?: Error) {
    super(
      pool,
      revoked
        ? `Pool "${pool}": the pool has taken this resource away. ${revoked.message}`
        : `Pool "${pool}": this lease has been released, its resource may belong to somebody else by now. ` +
            'Do not keep a resource beyond its lease: acquire again, or release later.',
      undefined,
      revoked && { cause: revoked },
    );
  }
}

/** The reason of a lease's `signal` when its resource has become unusable; `cause` is what `invalidate` was given. */
export class ResourceInvalidatedError extends PoolError {
  readonly code = 'POOL_RESOURCE_INVALIDATED';

  constructor(pool: string, cause: unknown) {
    const why = cause === undefined ? '' : `: ${messageOf(cause)}`;
    super(
      pool,
      `Pool "${pool}": this resource has become unusable${why}. Release it; the pool destroys it, and the next acquire gets another.`,
      undefined,
      { cause },
    );
  }
}

/** An option of a pool or of an acquire is wrong; thrown where it is given. */
export class PoolOptionsError extends PoolError {
  readonly code = 'POOL_OPTIONS';
}

/**
 * A COMMIT was sent, and the connection broke, or the time was over, before the server answered: the transaction is
 * committed, or it is not. Look for what it has written before you do it again. `cause` is the error that came instead of
 * the answer.
 */
export class TransactionOutcomeUnknownError extends Error {
  override readonly name = 'TransactionOutcomeUnknownError';

  /** @internal */
  constructor(
    readonly code: 'PG_TRANSACTION_OUTCOME_UNKNOWN' | 'MYSQL_TRANSACTION_OUTCOME_UNKNOWN',
    cause: unknown,
  ) {
    super(
      'The COMMIT was sent, and there is no answer to it: the transaction may be committed, and it may be rolled back. ' +
        'Find out which before you repeat it.',
      { cause },
    );
  }
}

brand({
  PoolError,
  PoolTimeoutError,
  PoolQueueFullError,
  PoolShedError,
  PoolDeadlockError,
  PoolUnavailableError,
  PoolClosedError,
  LeaseReleasedError,
  ResourceInvalidatedError,
  PoolOptionsError,
  TransactionOutcomeUnknownError,
});

/** The counts of a moment, as errors and logs say them. */
export function describeStats(stats: PoolStats): string {
  const parts = [`${stats.leased} leased`, `${stats.idle} idle`];
  for (const state of ['creating', 'validating', 'preparing', 'resetting', 'closing'] as const) {
    if (stats[state] > 0) parts.push(`${stats[state]} ${state}`);
  }
  const max = stats.overflow > 0 ? `${stats.max} + ${stats.overflow}` : stats.max;
  return `${parts.join(', ')} of max ${max}, ${stats.waiting} waiting`;
}
