import type { Clock } from './clock.js';
import { Deadline, type Deadlines } from './deadlines.js';

/** With the rounding of deadlines, and down to a millisecond, at most 50 ms. */
const TICK = 41;

/**
 * The time for those who ask often and can do with one that is up to 50 ms old. Reading a clock costs about half as
 * much as a whole borrow, so a pool in use reads it once a tick. The tick lasts only as long as somebody asks; after a
 * pause the first to ask gets the real time. It is never ahead of the clock, and never goes backwards. In whole
 * milliseconds, as V8 makes an object of every fraction that is handed on.
 */
export class CoarseTime {
  private time = 0;
  private ticking = false;
  private asked = false;
  private readonly tick = new Deadline(now => {
    if (this.asked) this.begin(now);
    else this.ticking = false;
  });

  constructor(
    private readonly clock: Clock,
    private readonly deadlines: Deadlines,
  ) {}

  now(): number {
    if (!this.ticking) return this.begin(this.clock.now());
    this.asked = true;
    return this.time;
  }

  stop(): void {
    this.ticking = false;
    this.deadlines.cancel(this.tick);
  }

  private begin(now: number): number {
    this.time = Math.floor(now);
    this.ticking = true;
    this.asked = false;
    this.deadlines.set(this.tick, now, TICK);
    return this.time;
  }
}
