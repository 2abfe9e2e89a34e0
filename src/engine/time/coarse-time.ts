import type { Clock } from './clock.js';
import { Deadline, type Deadlines } from './deadlines.js';

/** With the rounding of deadlines, and down to a millisecond, at most 50 ms. */
const TICK = 41;
/** So many who ask within a tick get the real time. */
const EXACT = 512;
/** Of those who come after them, one in so many. */
const SAMPLE = 64;
/** When the wall clock gains so much on the other, the machine has slept, and has not counted that. */
const SLEPT_MS = 1_000;

/**
 * The time for those who ask often and can do with one that is up to 50 ms old. Reading a clock costs about half as much as
 * a whole borrow, so the first few hundred who ask within a tick get the real time, and when there are more of them only
 * one in 64 does. Not all are told the time of the last tick: while the event loop is blocked, or the process is frozen,
 * no tick comes, and what had been lying for long would pass for just given back. The tick lasts only as long as somebody
 * asks. It is never ahead of the clock, and never goes backwards. In whole milliseconds, as V8 makes an object of every
 * fraction that is handed on.
 */
export class CoarseTime {
  /**
   * What was last seen before this moment may be anything by now: the machine has slept, as a virtual one does that is
   * suspended, with connections that have long been closed.
   */
  sleptUntil = -Infinity;
  /** What {@link now} has said last: for who has just asked, or lets somebody else ask. */
  latest = 0;
  /** How much the wall clock is ahead. */
  private lead: number | undefined = undefined;
  private ticking = false;
  /** How often the clock was read since the tick began. */
  private looks = 0;
  /** The so-manyeth who asks next gets the real time. */
  private left = 1;
  private readonly tick = new Deadline(now => {
    if (this.looks > 0) this.begin(now);
    else this.ticking = false;
  });

  constructor(
    private readonly clock: Clock,
    private readonly deadlines: Deadlines,
  ) {}

  now(): number {
    if (--this.left === 0) this.look();
    return this.latest;
  }

  stop(): void {
    this.ticking = false;
    this.deadlines.cancel(this.tick);
  }

  private look(): void {
    const now = this.clock.now();
    if (!this.ticking) {
      this.begin(now);
      return;
    }
    this.set(now);
    this.left = ++this.looks < EXACT ? 1 : SAMPLE;
  }

  private begin(now: number): void {
    this.set(now);
    this.ticking = true;
    this.looks = 0;
    this.left = 1;
    this.deadlines.set(this.tick, now, TICK);
  }

  private set(now: number): void {
    this.latest = Math.floor(now);
    if (!this.clock.wallTime) return;
    const lead = this.clock.wallTime() - now;
    if (this.lead !== undefined && lead - this.lead > SLEPT_MS) this.sleptUntil = this.latest;
    this.lead = lead;
  }
}
