import {
  PoolClosedError,
  PoolDeadlockError,
  PoolQueueFullError,
  PoolShedError,
  PoolTimeoutError,
  PoolUnavailableError,
} from '../engine/index.js';

/** The errors that mean "not now": the client may come back later. */
export const CAPACITY_ERRORS = [
  PoolTimeoutError,
  PoolQueueFullError,
  PoolShedError,
  PoolUnavailableError,
  PoolDeadlockError,
  PoolClosedError,
] as const;

/** What a client may know of a pool that cannot serve: nothing of the pool, its factory or its backend. */
export interface CapacityErrorDescription {
  readonly message: string;
  /** The status of gRPC: 8, RESOURCE_EXHAUSTED, where too many want something at once; otherwise 14, UNAVAILABLE. */
  readonly code: 8 | 14;
  /** Seconds after which a client may try again. */
  readonly retryAfter: number;
}

/**
 * What to tell a client, whatever the transport, when a pool could not serve in time; `undefined` for every other error.
 * For applications whose own catch-all filter gets the errors first:
 *
 * ```ts
 * const known = describeCapacityError(error);
 * if (known) return throwError(() => ({ status: 'error', ...known }));
 * ```
 */
export function describeCapacityError(error: unknown): CapacityErrorDescription | undefined {
  if (!CAPACITY_ERRORS.some(kind => error instanceof kind)) return undefined;
  const isCrowd = error instanceof PoolQueueFullError || error instanceof PoolShedError;
  return {
    message: 'The service is busy, try again later',
    code: isCrowd ? 8 : 14,
    retryAfter: error instanceof PoolUnavailableError ? Math.max(1, Math.ceil(error.retryInMs / 1000)) : 1,
  };
}
