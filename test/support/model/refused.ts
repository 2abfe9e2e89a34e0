import {
  LeaseReleasedError,
  PoolClosedError,
  PoolDeadlockError,
  PoolQueueFullError,
  PoolShedError,
  PoolTimeoutError,
  PoolUnavailableError,
  ResourceInvalidatedError,
} from '../../../src/engine/index.js';
import type { Borrower, Facts } from './facts.js';

/** Why a borrower should not have been refused with this error, if there is a reason; counts the refusals. */
export function wronglyRefused(facts: Facts, borrower: Borrower, error: unknown): string | undefined {
  const { seen, settings, patience } = facts;
  const { timeout, signal, owner, ahead } = borrower;
  const waited = patience - borrower.since;
  if (signal?.aborted && error === signal.reason) {
    // Who never came is not counted.
    if (!borrower.hopeless) seen.aborted++;
    return undefined;
  }
  if (error instanceof PoolTimeoutError) {
    seen.timedOut++;
    return waited < timeout - 0.001 ? `it has waited for ${waited} of ${timeout} ms` : undefined;
  }
  if (
    error instanceof PoolClosedError ||
    error instanceof PoolQueueFullError ||
    error instanceof PoolUnavailableError
  ) {
    seen.refused++;
  }
  if (error instanceof PoolClosedError) return facts.closing ? undefined : 'the pool is not closed';
  if (error instanceof PoolQueueFullError) {
    return ahead < settings.maxWaiting ? `only ${ahead} of ${settings.maxWaiting} were waiting` : undefined;
  }
  if (error instanceof PoolShedError) {
    seen.shed++;
    const { target = 50 } = settings.shed ?? {};
    return settings.shed && waited > 2 * target ? undefined : `it has waited for ${waited} ms only`;
  }
  if (error instanceof PoolDeadlockError) {
    seen.deadlocked++;
    const { leased, total, max, overflow } = error.stats!;
    if (leased < total || leased < max + overflow) return 'not everything is leased';
    // What its owner holds, it may not have seen yet.
    facts.blamed.push(owner);
    return undefined;
  }
  if (error instanceof LeaseReleasedError) {
    const taken = facts.forced || settings.maxHold !== Infinity;
    return taken ? undefined : 'nobody has taken its lease away';
  }
  if (error instanceof PoolUnavailableError) {
    const { idle, leased, validating, preparing, resetting } = error.stats!;
    if (idle + leased + validating + preparing + resetting > 0) return 'something is live';
    return facts.failedLately ? undefined : 'no create has failed';
  }
  // As it is, and for one borrower only.
  if (facts.failedBorrows.delete(error)) return undefined;
  if (error instanceof ResourceInvalidatedError && facts.has.onBorrow) {
    return facts.count(one => one.broken) > 0 ? undefined : 'nothing was invalidated';
  }
  return 'nothing explains it';
}
