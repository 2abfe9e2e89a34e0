import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';
import { CoarseTime } from './coarse-time.js';
import { Deadlines } from './deadlines.js';
import { Standstill } from './standstill.js';

/** What a pool has for itself, and all keys of a keyed pool have in common: one timer, one time, one standstill. */
export class Commons {
  readonly alarm: Alarm;
  readonly deadlines: Deadlines;
  /** The deadlines of those who wait, on a time that stands still while the pool is suspended. */
  readonly waits: Deadlines;
  readonly coarse: CoarseTime;
  readonly standstill: Standstill;
  private users = 0;

  constructor(readonly clock: Clock) {
    this.alarm = new Alarm(clock);
    this.deadlines = new Deadlines(this.alarm);
    this.waits = new Deadlines(this.alarm);
    this.coarse = new CoarseTime(clock, this.deadlines);
    this.standstill = new Standstill(clock);
  }

  enter(): void {
    this.users++;
  }

  /** A pool is closed and has no deadline left; the last one turns off the light. */
  leave(): void {
    if (--this.users > 0) return;
    this.coarse.stop();
    this.alarm.stop();
  }
}
