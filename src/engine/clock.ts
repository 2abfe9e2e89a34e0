import { performance } from 'node:perf_hooks';

/** A timer that was set on a {@link Clock}. */
export interface ClockTimer {
  cancel(): void;
  /** Lets the timer hold the process alive. */
  ref(): void;
  /** Lets the process end although the timer is set. */
  unref(): void;
}

/**
 * Where a pool takes its time from. The default is the process's monotonic clock; tests inject one that they turn by
 * hand.
 */
export interface Clock {
  /** Milliseconds since some fixed point; never goes backwards. */
  now(): number;
  /** Calls back once, `ms` milliseconds from now. */
  setTimer(callback: () => void, ms: number): ClockTimer;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(callback, ms) {
    const timer = setTimeout(callback, ms);
    return {
      cancel: () => {
        clearTimeout(timer);
      },
      ref: () => {
        timer.ref();
      },
      unref: () => {
        timer.unref();
      },
    };
  },
};
