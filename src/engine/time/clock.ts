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
  /**
   * The time of day in milliseconds, as `Date.now()` gives it. Where `now()` stands still while the machine sleeps, the
   * difference tells: everything idle is validated before it is lent again. Optional; without it nobody knows.
   */
  wallTime?(): number;
}

/** A timer that is late by more was not merely behind others: the event loop was blocked. */
const BLOCKED_MS = 20;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer(callback, ms) {
    const due = performance.now() + ms;
    let immediate: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => {
      // After a blockage Node runs timers before it looks at sockets. An answer that has been there for long is none
      // that came too late, so what has arrived is looked at first.
      if (performance.now() - due > BLOCKED_MS) immediate = setImmediate(callback);
      else callback();
    }, ms);
    return {
      cancel: () => {
        clearTimeout(timer);
        clearImmediate(immediate);
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
