import { AsyncResource } from 'node:async_hooks';
import type { Clock, ClockTimer } from '../../src/engine/index.js';

/** Lets every promise that can settle by itself do so: one turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve);
  });
}

interface ManualTimer {
  readonly at: number;
  readonly callback: () => void;
  refd: boolean;
}

/** A clock that stands still until a test turns it. */
export class ManualClock implements Clock {
  /** How many timers have ever been set. */
  timersSet = 0;
  // Neither zero nor round, so that nothing works by accident.
  private time = 1_000_003.25;
  private slept = 1.7e12;
  private readonly timers = new Set<ManualTimer>();

  now(): number {
    return this.time;
  }

  wallTime(): number {
    return this.time + this.slept;
  }

  /** As setTimeout does: the callback runs in the async context it was set in, once, and holds the process. */
  setTimer(callback: () => void, ms: number): ClockTimer {
    if (!(ms >= 0 && ms < 2 ** 31)) throw new RangeError(`setTimeout would fire at once for ${ms} ms`);
    // AsyncResource.bind() would do the same, at a price that shows in tests with many timers.
    const context = new AsyncResource('ManualTimer');
    const timer: ManualTimer = {
      at: this.time + ms,
      callback: () => {
        context.runInAsyncScope(callback);
      },
      refd: true,
    };
    this.timers.add(timer);
    this.timersSet++;
    return {
      cancel: () => {
        this.timers.delete(timer);
      },
      ref: () => {
        timer.refd = true;
      },
      unref: () => {
        timer.refd = false;
      },
    };
  }

  /** How many timers are set now. */
  get timersLeft(): number {
    return this.timers.size;
  }

  /** Would a process with nothing else to do stay alive? */
  get holdsProcess(): boolean {
    return [...this.timers].some(timer => timer.refd);
  }

  /** Milliseconds until the next timer is due; undefined when none is set. */
  get nextIn(): number | undefined {
    const next = this.earliest();
    return next && next.at - this.time;
  }

  /** Lets `ms` milliseconds pass: runs what comes due in its order, and lets promises settle before, between and after. */
  async advance(ms: number): Promise<void> {
    const until = this.time + ms;
    await turn();
    let idle = 0;
    for (let next = this.earliest(); next && next.at <= until; next = this.earliest()) {
      idle = next.at > this.time ? 0 : idle + 1;
      if (idle > 1_000) throw new Error('timers are set again and again, but time does not pass');
      this.time = Math.max(this.time, next.at);
      this.timers.delete(next);
      next.callback();
      await turn();
    }
    this.time = until;
  }

  /** Settles when `ms` milliseconds have passed; not one of the pool's timers. */
  wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer: ManualTimer = { at: this.time + ms, callback: resolve, refd: false };
      this.timers.add(timer);
    });
  }

  /** Lets time pass although nothing runs, as when the event loop is blocked. */
  block(ms: number): void {
    this.time += ms;
  }

  /** The wall clock goes on, and this one does not: a machine that is suspended. */
  sleep(ms: number): void {
    this.slept += ms;
  }

  private earliest(): ManualTimer | undefined {
    let earliest: ManualTimer | undefined;
    for (const timer of this.timers) if (!earliest || timer.at < earliest.at) earliest = timer;
    return earliest;
  }
}
