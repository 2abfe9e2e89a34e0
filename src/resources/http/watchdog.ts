import { LONGEST_TIMER } from '../../engine/time/timer.js';

/** What is under way on a connection. */
export interface Watched {
  /** Nothing has happened for so many milliseconds. */
  late(timeout: number, phase: 'headers' | 'body'): void;
}

/**
 * One timer for all that is timed on a connection, one thing after the other. undici's own timers are a second late, and
 * do not count the time in which nobody reads.
 *
 * To arm it again for as long as before costs a refresh and no new timer. It is left to run when it is disarmed, and does
 * nothing then; it never keeps the process alive.
 */
export class Watchdog {
  private timer: NodeJS.Timeout | undefined;
  private ms = Infinity;
  private watched: Watched | undefined;
  private phase: 'headers' | 'body' = 'headers';
  /** Counts what has happened, so that a timer which is late can tell that something has come meanwhile. */
  private turn = 0;

  /** Tells when nothing has happened for so many milliseconds. */
  arm(ms: number, watched: Watched, phase: 'headers' | 'body'): void {
    this.turn++;
    this.watched = ms === Infinity ? undefined : watched;
    this.phase = phase;
    if (ms === this.ms) {
      this.timer?.refresh();
      return;
    }
    clearTimeout(this.timer);
    this.ms = ms;
    this.timer = ms === Infinity ? undefined : setTimeout(this.due, Math.min(ms, LONGEST_TIMER)).unref();
  }

  /** Something has happened. */
  refresh(): void {
    this.turn++;
    if (this.watched !== undefined) this.timer?.refresh();
  }

  disarm(): void {
    this.turn++;
    this.watched = undefined;
  }

  /** For ever. */
  stop(): void {
    this.disarm();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.ms = Infinity;
  }

  private readonly due = (): void => {
    if (this.watched === undefined) return;
    const { turn } = this;
    // After the event loop was blocked, timers come before what has arrived: look at that first.
    setImmediate(() => {
      if (turn === this.turn) this.watched?.late(this.ms, this.phase);
    });
  };
}
