import type { PoolStats } from './stats.js';

/** The machine-readable names of the errors of a pool. */
export type PoolErrorCode =
  | 'POOL_TIMEOUT'
  | 'POOL_QUEUE_FULL'
  | 'POOL_UNAVAILABLE'
  | 'POOL_CLOSED'
  | 'POOL_LEASE_RELEASED'
  | 'POOL_OPTIONS';

/** What every error of a pool has. */
export abstract class PoolError extends Error {
  abstract readonly code: PoolErrorCode;

  /**
   * @param pool the pool's name
   * @param stats the pool at the moment of the error, where there was one
   */
  constructor(
    readonly pool: string,
    message: string,
    readonly stats?: PoolStats,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
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

/** Nothing is live and creates keep failing; `cause` is the last create error. */
export class PoolUnavailableError extends PoolError {
  readonly code = 'POOL_UNAVAILABLE';

  constructor(
    pool: string,
    message: string,
    stats: PoolStats,
    /** Milliseconds until the pool tries again to create; 0 when it is trying now. */
    readonly retryInMs: number,
    options?: ErrorOptions,
  ) {
    super(pool, message, stats, options);
  }
}

/** The pool is closing or closed. */
export class PoolClosedError extends PoolError {
  readonly code = 'POOL_CLOSED';
}

/** A lease's resource was used after the lease had been given back. */
export class LeaseReleasedError extends PoolError {
  readonly code = 'POOL_LEASE_RELEASED';

  constructor(pool: string) {
    super(
      pool,
      `Pool "${pool}": this lease has been released, its resource may belong to somebody else by now. ` +
        'Do not keep a resource beyond its lease: acquire again, or release later.',
    );
  }
}

/** An option of a pool or of an acquire is wrong; thrown where it is given. */
export class PoolOptionsError extends PoolError {
  readonly code = 'POOL_OPTIONS';
}

/** The counts of a moment, as errors and logs say them. */
export function describeStats(stats: PoolStats): string {
  const parts = [`${stats.leased} leased`, `${stats.idle} idle`];
  for (const state of ['creating', 'validating', 'resetting', 'closing'] as const) {
    if (stats[state] > 0) parts.push(`${stats[state]} ${state}`);
  }
  return `${parts.join(', ')} of max ${stats.max}, ${stats.waiting} waiting`;
}

/** What an unknown thrown value has to say. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // node: several addresses refused = an AggregateError without a message of its own
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error.message;
}
