import { systemTime } from './system-time.js';
import { startTimer, type Timer } from './timer.js';

/** A timer that was set on a {@link Clock}. */
export type ClockTimer = Timer;

/**
 * Where a pool takes its time from. The default is the process's monotonic clock; tests inject one that they turn by
 * hand.
 */
export interface Clock {
  /** Milliseconds since some fixed point; never goes backwards. */
  now(): number;
  /**
   * Calls back once, `ms` milliseconds from now. A clock that lets what has arrived by then be looked at first says how many
   * milliseconds that took: what the pool began meanwhile is not too late yet.
   */
  setTimer(callback: (ago?: number) => void, ms: number): ClockTimer;
  /**
   * The time of day in milliseconds, as `Date.now()` gives it. Where `now()` stands still while the machine sleeps, the
   * difference tells: everything idle is validated before it is lent again. Optional; without it nobody knows.
   */
  wallTime?(): number;
}

export const systemClock: Clock = {
  now: systemTime,
  wallTime: () => Date.now(),
  setTimer: startTimer,
};
