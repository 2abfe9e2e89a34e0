import type { DestroyReason } from './factory.js';
import type { Interior } from './interior.js';

/**
 * - `ready`: serves
 * - `starting`: `start()` was called and `min` has not been reached yet; serves what it has
 * - `unavailable`: nothing is live and creates keep failing; acquires are refused at once while it probes
 * - `draining`: `close()` was called, resources are coming back
 * - `closed`: every resource is destroyed or was given up
 */
export type PoolState = 'ready' | 'starting' | 'unavailable' | 'draining' | 'closed';

/** Running totals since the pool was made. */
export interface PoolTotals {
  /** Leases given. */
  acquired: number;
  /** Leases given back, those that the pool took away included. */
  released: number;
  /** Acquires that had to queue. */
  waited: number;
  timedOut: number;
  aborted: number;
  /** Acquires refused because the queue was full, the pool unavailable, or closed. */
  refused: number;
  created: number;
  createFailed: number;
  destroyed: number;
  destroyedBy: Partial<Record<DestroyReason, number>>;
}

/** A snapshot of a pool; plain data, fit for JSON. */
export interface PoolStats {
  readonly name: string;
  readonly state: PoolState;
  readonly min: number;
  readonly max: number;
  /** Places of the cap that are filled: creating + idle + validating + leased + resetting + closing. */
  readonly total: number;
  readonly idle: number;
  readonly leased: number;
  readonly creating: number;
  readonly validating: number;
  readonly resetting: number;
  readonly closing: number;
  /** Creates and destroys that did not settle in time and may still do so. They fill no place. */
  readonly abandoned: number;
  readonly waiting: number;
  /** How long the first waiter has been queueing, in milliseconds; 0 when nobody waits. */
  readonly oldestWaitMs: number;
  readonly totals: Readonly<PoolTotals>;
}

export function newTotals(): PoolTotals {
  return {
    acquired: 0,
    released: 0,
    waited: 0,
    timedOut: 0,
    aborted: 0,
    refused: 0,
    created: 0,
    createFailed: 0,
    destroyed: 0,
    destroyedBy: {},
  };
}

export function snapshot<T>(pool: Interior<T>, state: PoolState): PoolStats {
  const { settings, census, waiters, clock, totals } = pool;
  return {
    name: settings.name,
    state,
    min: settings.min,
    max: settings.max,
    total: census.places,
    idle: census.idle,
    leased: census.leased,
    creating: census.creating,
    validating: census.validating,
    resetting: census.resetting,
    closing: census.closing,
    abandoned: census.abandoned,
    waiting: waiters.length,
    oldestWaitMs: waiters.first ? clock.now() - waiters.first.since : 0,
    totals: { ...totals, destroyedBy: { ...totals.destroyedBy } },
  };
}
