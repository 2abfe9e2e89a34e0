import type { DestroyReason } from './destroy-reason.js';
import type { Priority } from '../basics/priority.js';
import type { Latencies, LatencyHistogram, LatencySummary } from './latency.js';

/**
 * - `ready`: serves
 * - `starting`: `start()` was called and `min` has not been reached yet; serves what it has
 * - `unavailable`: nothing is live and creates keep failing; acquires are refused at once while it probes
 * - `suspended`: `suspend()` was called; acquires queue
 * - `draining`: `close()` was called, resources are coming back
 * - `closed`: every resource is destroyed or was given up
 */
export type PoolState = 'ready' | 'starting' | 'unavailable' | 'suspended' | 'draining' | 'closed';

/** Running totals since the pool was made. */
export interface PoolTotals {
  /** Leases given. */
  acquired: number;
  /** Leases that have ended: given back, taken away, or detached. */
  released: number;
  /** Resources whose borrowers kept them. */
  detached: number;
  /** Acquires that had to queue. */
  waited: number;
  timedOut: number;
  aborted: number;
  /** Acquires refused because the queue had been standing. */
  shed: number;
  /** Acquires refused because everything was leased to owners that waited for more. */
  deadlocked: number;
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
  readonly overflow: number;
  /** Places of the cap that are filled: creating + idle + validating + preparing + leased + resetting + closing. */
  readonly total: number;
  readonly idle: number;
  readonly leased: number;
  readonly creating: number;
  readonly validating: number;
  /** Whose `onBorrow` runs, for a borrower that has it next. */
  readonly preparing: number;
  readonly resetting: number;
  readonly closing: number;
  /** Creates and destroys that did not settle in time and may still do so. They fill no place. */
  readonly abandoned: number;
  readonly waiting: number;
  /** How long the first waiter has been queueing, in milliseconds; 0 when nobody waits. */
  readonly oldestWaitMs: number;
  /** Creates that keep failing; undefined unless the last attempt has failed. */
  readonly failing: FailingCreates | undefined;
  readonly totals: Readonly<PoolTotals>;
  readonly latency: PoolLatency;
}

/** Creates that keep failing, for those who watch: nothing of what the errors say, which may have a secret in it. */
export interface FailingCreates {
  /** Failed attempts in a row. */
  readonly attempts: number;
  /** Milliseconds since the first of them failed. */
  readonly forMs: number;
  /** The class of the last error, and its code if it has one: `Error ECONNREFUSED`. */
  readonly error: string;
}

/** How long things took since the pool was made. */
export interface PoolLatency {
  /** From the acquire to the lease, of all acquires that were served; those that found something idle took no time. */
  readonly wait: LatencySummary;
  /** From the lease to its end; the first 64 and then one in 64, unless somebody listens to `onRelease`. */
  readonly hold: LatencySummary;
  readonly create: LatencySummary;
}

/** As {@link PoolLatency}, in buckets. */
export interface PoolHistograms {
  readonly wait: LatencyHistogram;
  readonly hold: LatencyHistogram;
  readonly create: LatencyHistogram;
}

/** One resource, as it is now. */
export interface PoolResource {
  /** Its number in its pool. */
  readonly slot: number;
  /** Of a pool by key, which one it is of. */
  readonly key: string | undefined;
  /** `abandoned`: its create or destroy did not settle in time, and may still do so; it fills no place. */
  readonly state:
    | 'creating'
    | 'idle'
    | 'validating'
    | 'preparing'
    | 'leased'
    | 'resetting'
    | 'closing'
    | 'abandoned';
  /** Milliseconds since it was made; undefined while it is being made. */
  readonly ageMs: number | undefined;
  /** Milliseconds, within 50 of the truth, since it was lent or has become idle; undefined in other states. */
  readonly forMs: number | undefined;
  /** How often it has been lent. */
  readonly uses: number;
  /** Who has borrowed it, as it calls itself (of a request its method and path). */
  readonly owner: string | undefined;
  /** The stack of its acquire; undefined where nobody wants to know it, see `leakThreshold`. */
  readonly stack: string | undefined;
}

/** Somebody who waits for a resource now. */
export interface PoolWaiter {
  /** Of a pool by key, which one it waits for. */
  readonly key: string | undefined;
  readonly waitedMs: number;
  readonly priority: Priority;
  /** Who it is, as it calls itself (of a request its method and path). */
  readonly owner: string | undefined;
}

/** Who holds a resource now. */
export interface PoolHolder {
  /** The number of the resource in its pool. */
  readonly slot: number;
  /** Milliseconds, within 50 of the truth. */
  readonly heldMs: number;
  /** The stack of its acquire; undefined where nobody wants to know it, see `leakThreshold`. */
  readonly stack: string | undefined;
  /** Who has borrowed it, as it calls itself (of a request its method and path); undefined where the borrower did not say. */
  readonly owner: string | undefined;
}

export function newTotals(): PoolTotals {
  return {
    acquired: 0,
    released: 0,
    detached: 0,
    waited: 0,
    timedOut: 0,
    aborted: 0,
    shed: 0,
    deadlocked: 0,
    refused: 0,
    created: 0,
    createFailed: 0,
    destroyed: 0,
    destroyedBy: {},
  };
}

export function histograms({ wait, hold, create }: Latencies, acquired: number): PoolHistograms {
  return {
    wait: wait.histogram(acquired - wait.recorded),
    hold: hold.histogram(),
    create: create.histogram(),
  };
}

export function summaries({ wait, hold, create }: Latencies, acquired: number): PoolLatency {
  // Who found something idle was not recorded, to spare that path the work.
  return {
    wait: wait.summary(acquired - wait.recorded),
    hold: hold.summary(),
    create: create.summary(),
  };
}
