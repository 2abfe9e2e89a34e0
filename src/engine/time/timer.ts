import { systemTime } from './system-time.js';

/** A timer that is set. */
export interface Timer {
  cancel(): void;
  /** Lets the timer hold the process alive. */
  ref(): void;
  /** Lets the process end although the timer is set. */
  unref(): void;
  /** The timers it is one of are not those that there are now, as with a test that turns the time by hand: it may never ring. */
  readonly lost?: boolean;
}

/** The longest delay setTimeout takes, some 24 days; a longer one would fire at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Calls back once, after so many milliseconds: the timer for whatever can come too late.
 *
 * After the event loop was blocked Node runs timers before it looks at sockets. An answer that has been there for long is
 * none that came too late, so what has arrived is looked at first. Whoever does so may block the loop again: the callback is
 * told for how many milliseconds nobody has looked since.
 */
export function startTimer(callback: (ago: number) => void, ms: number): Timer {
  // All of it by the same timers, whatever a test puts in their place meanwhile.
  const { setTimeout, clearTimeout, setImmediate, clearImmediate } = globalThis;
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(
    () => {
      const at = systemTime();
      immediate = setImmediate(() => {
        callback(systemTime() - at);
      });
    },
    Math.min(ms, LONGEST_TIMER),
  );
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
    get lost() {
      return globalThis.setTimeout !== setTimeout;
    },
  };
}
