import { neutrally } from '../basics/neutral.js';
import type { Clock, ClockTimer } from './clock.js';
import { LONGEST_TIMER } from './timer.js';

/** Something that has to be woken at a time. */
export interface Sleeper {
  /** When, on the clock; Infinity for never. */
  readonly wakeAt: number;
  /** Does what was due at `at`, which is now or not long ago. */
  wake(at: number, now: number): void;
}

/**
 * The one timer of a pool, or of all keys of a keyed pool. It holds the process alive exactly while somebody awaits the
 * pool.
 */
export class Alarm {
  private readonly sleepers: Sleeper[] = [];
  private timer: ClockTimer | undefined;
  private timerAt = Infinity;
  private awaited = 0;

  constructor(readonly clock: Clock) {}

  add(sleeper: Sleeper): void {
    this.sleepers.push(sleeper);
  }

  /** A sleeper has to be woken at `at`, which may be earlier than it was. */
  expect(at: number, now: number): void {
    if (at < this.timerAt || this.timer?.lost) this.arm(now);
  }

  /** Somebody awaits the pool from now on: the process stays alive until as many {@link letGo} have been called. */
  hold(): void {
    if (this.awaited++ > 0) return;
    if (this.timer) this.timer.ref();
    else this.arm(this.clock.now());
  }

  letGo(): void {
    if (--this.awaited === 0) this.timer?.unref();
  }

  /** Nobody needs to be woken any more. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.timerAt = Infinity;
  }

  private arm(now: number): void {
    let at = this.awaited > 0 ? now + LONGEST_TIMER : Infinity;
    for (const sleeper of this.sleepers) at = Math.min(at, sleeper.wakeAt);
    this.stop();
    if (at === Infinity) return;
    this.timerAt = at;
    const ms = Math.min(Math.max(at - now, 0), LONGEST_TIMER);
    this.timer = neutrally(() => this.clock.setTimer(this.ring, ms));
    if (this.awaited === 0) this.timer.unref();
  }

  private readonly ring = (ago = 0): void => {
    const now = this.clock.now();
    for (const sleeper of this.sleepers) sleeper.wake(now - ago, now);
    this.arm(this.clock.now());
  };
}
