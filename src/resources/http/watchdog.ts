import { LONGEST_TIMER } from './connect.js';

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
  private bark: (() => void) | undefined;
  /** Counts what has happened, so that a timer which is late can tell that something has come meanwhile. */
  private turn = 0;

  /** Calls back when nothing has happened for so many milliseconds. */
  arm(ms: number, bark: () => void): void {
    this.turn++;
    this.bark = ms === Infinity ? undefined : bark;
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
    if (this.bark !== undefined) this.timer?.refresh();
  }

  disarm(): void {
    this.turn++;
    this.bark = undefined;
  }

  /** For ever. */
  stop(): void {
    this.disarm();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.ms = Infinity;
  }

  private readonly due = (): void => {
    if (this.bark === undefined) return;
    const { turn } = this;
    // After the event loop was blocked, timers come before what has arrived: look at that first.
    setImmediate(() => {
      if (turn === this.turn) this.bark?.();
    });
  };
}
