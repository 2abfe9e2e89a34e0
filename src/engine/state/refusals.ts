import { messageOf } from '../basics/thrown.js';
import {
  PoolClosedError,
  PoolDeadlockError,
  PoolQueueFullError,
  PoolShedError,
  PoolTimeoutError,
  PoolUnavailableError,
  describeStats,
  type DeadlockedHolder,
} from '../errors.js';
import type { Interior } from '../interior.js';
import type { Lease } from '../lease.js';
import type { Shed } from '../options/options.js';
import { Refusal, type Waiter } from '../queue/waiter-queue.js';
import type { PoolStats } from '../reports/stats.js';
import type { Growth } from '../supply/growth.js';

/** What those who get nothing are told: what happened, the counts at that moment, and what to change. */
export class Refusals<T> {
  private readonly pool: string;
  /** What those were told who were too late last. */
  private lastLate: { readonly at: number; readonly timeout: number; readonly refusal: Refusal } | undefined;

  constructor(
    private readonly interior: Interior<T>,
    private readonly growth: Growth<T>,
    private readonly stats: () => PoolStats,
  ) {
    this.pool = interior.settings.name;
  }

  /** Counts an acquire that is turned away. */
  refuse<E extends PoolQueueFullError | PoolUnavailableError | PoolClosedError>(error: E): E {
    const { totals, watch, clock } = this.interior;
    totals.refused++;
    watch.onRefuse?.({ pool: this.pool, at: clock.now(), code: error.code });
    return error;
  }

  /** Turns everybody away who is queueing. */
  refuseAll(error: () => Error): void {
    const { totals, waiters } = this.interior;
    totals.refused += waiters.length;
    waiters.settleAll(new Refusal(error));
  }

  /** Nothing was idle, and the borrower does not wait. */
  notIdle(): PoolTimeoutError {
    const stats = this.stats();
    const remedy = this.remedy(stats, 'Give the acquire a timeout, or keep some ready with min.');
    return new PoolTimeoutError(
      this.pool,
      `Pool "${this.pool}": nothing was idle (${describeStats(stats)}). ${remedy}`,
      stats,
      this.cause(),
    );
  }

  /** Those whose time is up at the same moment are told the same: there may be very many of them. */
  timedOut(timeout: number, at: number): Refusal {
    const last = this.lastLate;
    if (last?.at === at && last.timeout === timeout) return last.refusal;
    const refusal = this.timeout(timeout);
    this.lastLate = { at, timeout, refusal };
    return refusal;
  }

  private timeout(timeout: number): Refusal {
    const stats = this.stats();
    const remedy = this.remedy(
      stats,
      'Creating, validating or resetting takes too long: raise acquireTimeout, or keep some ready with min.',
    );
    const message = `Pool "${this.pool}": no resource within ${timeout} ms (${describeStats(stats)}). ${remedy}`;
    const cause = this.cause();
    return new Refusal(() => new PoolTimeoutError(this.pool, message, stats, cause));
  }

  /** The `onBorrow` of what it was to have took too long. */
  unprepared(timeout: number): Refusal {
    const stats = this.stats();
    const message =
      `Pool "${this.pool}": onBorrow was not done within the ${timeout} ms of the acquire (${describeStats(stats)}). ` +
      'It has what the wait in the queue leaves of them: do less in it, or raise acquireTimeout.';
    return new Refusal(() => new PoolTimeoutError(this.pool, message, stats));
  }

  /** For who asks for the `cause` of its own error. */
  createTimedOut(): PoolTimeoutError {
    const { createTimeout } = this.interior.settings;
    return new PoolTimeoutError(this.pool, `create did not settle within ${createTimeout} ms`, this.stats());
  }

  startTimedOut(timeout: number): Refusal {
    const stats = this.stats();
    const remedy = this.remedy(stats, 'Creating takes too long: give start a longer timeout.');
    const message =
      `Pool "${this.pool}": fewer than min (${stats.min}) resources within ${timeout} ms of its start ` +
      `(${describeStats(stats)}). ${remedy}`;
    const cause = this.cause();
    return new Refusal(() => new PoolTimeoutError(this.pool, message, stats, cause));
  }

  /** Turns away one who has waited for too long; it is out of the queue. */
  shed(waiter: Waiter<Lease<T>>, { target, interval }: Shed): void {
    const { totals, watch, clock, waits, standstill } = this.interior;
    const waitedMs = waits.now() - waiter.since;
    totals.shed++;
    standstill.left(waitedMs);
    this.growth.demand.left(waitedMs, 'late');
    watch.onShed?.({ pool: this.pool, at: clock.now(), waitedMs });
    const stats = this.stats();
    const message =
      `Pool "${this.pool}": shed after ${Math.round(waitedMs)} ms in the queue, because nobody has waited for less ` +
      `than ${target} ms for ${interval} ms (${describeStats(stats)}). There is more demand than the pool can serve: ` +
      'try again later, hold leases for less time, or raise max.';
    waiter.settle(new Refusal(() => new PoolShedError(this.pool, message, stats)));
  }

  /** Turns away one for whom there will never be anything; it is out of the queue. */
  deadlock(waiter: Waiter<Lease<T>>, holders: readonly DeadlockedHolder[]): void {
    this.interior.totals.deadlocked++;
    const stats = this.stats();
    const names = holders.map(({ owner }) => owner).join(', ');
    const message =
      `Pool "${this.pool}": deadlock, everything is leased to owners that wait here for more: ${names} ` +
      `(${describeStats(stats)}). This acquire gives way. Borrow once and pass the lease on, or raise max ` +
      'to owners × (leases of each − 1) + 1. Where each of them waits is in "holders".';
    waiter.settle(new Refusal(() => new PoolDeadlockError(this.pool, message, stats, holders)));
  }

  queueFull(): PoolQueueFullError {
    const stats = this.stats();
    return new PoolQueueFullError(
      this.pool,
      `Pool "${this.pool}": ${stats.waiting} acquires are waiting already, which is maxWaiting ` +
        `(${describeStats(stats)}). Shed load before it reaches the pool, or raise max or maxWaiting.`,
      stats,
    );
  }

  /** The facts are those of now; by the time the error is thrown, a create may have succeeded. */
  unavailable(): () => PoolUnavailableError {
    const { failures, lastError, retryInMs, hopeless } = this.growth.attempts;
    const stats = this.stats();
    // That of a key tries for borrowers only.
    const again = this.interior.share ? 'It tries again when it is asked' : 'It tries again by itself';
    const message =
      `Pool "${this.pool}" is unavailable: nothing is live, and ${failures} attempt(s) in a row to create failed. ` +
      `${again}, in ${Math.ceil(retryInMs)} ms. Last create error: ${messageOf(lastError)}`;
    const cause = this.cause();
    return () => new PoolUnavailableError(this.pool, message, stats, retryInMs, cause, hopeless);
  }

  closed(): PoolClosedError {
    return new PoolClosedError(
      this.pool,
      `Pool "${this.pool}" is closed: it lends nothing any more. Borrow before close(), or make a new pool.`,
      this.stats(),
    );
  }

  private remedy(stats: PoolStats, otherwise: string): string {
    const { lastError } = this.growth.attempts;
    if (stats.state === 'suspended') return 'The pool is suspended: resume() it.';
    if (lastError !== undefined) return `Creates are failing: ${messageOf(lastError)}`;
    const { share } = this.interior;
    if (share?.isFull) {
      return 'The total of all keys is used up: hold leases for less time, or raise maxTotal.';
    }
    if (stats.leased < stats.max) return otherwise;
    return (
      'Every resource is leased: look for leases that are not released (leakThreshold), hold them for less time, ' +
      'or raise max.'
    );
  }

  private cause(): { cause?: unknown } {
    const { lastError } = this.growth.attempts;
    return lastError === undefined ? {} : { cause: lastError };
  }
}
