import { LONGEST_TIMER } from '../engine/time/timer.js';
import { DeadlineExceededError } from './errors.js';

/** Why a wait was ended: the error it becomes is made where it is known who waited, for what and how long. */
export const DEADLINE_PASSED = new Error('the deadline of the caller has passed');

/**
 * Until when whoever one unit of work is for waits for it. Measured by this process's own clock from the moment on at which
 * it was told how long that is, so that clocks of two machines are never compared.
 *
 * There is one timer at most, and only while somebody wants to be told.
 */
export class CallerDeadline {
  private timer: NodeJS.Timeout | undefined = undefined;
  private readonly listeners = new Set<() => void>();

  /** @param at a point in time, in milliseconds of `performance.now()`; Infinity never comes */
  constructor(readonly at: number) {}

  /** Milliseconds that are left; 0 when it has passed. */
  get left(): number {
    return Math.max(0, -this.overdue);
  }

  /** Milliseconds that have passed since; less than 0 before. */
  get overdue(): number {
    return performance.now() - this.at;
  }

  /**
   * Tells when it has passed; who asks after that is told nothing.
   *
   * @returns forgets it
   */
  watch(tell: () => void): () => void {
    this.listeners.add(tell);
    this.timer ??= this.setTimer();
    return () => {
      this.listeners.delete(tell);
      if (this.listeners.size === 0) this.stop();
    };
  }

  /** Nobody is told any more. */
  stop(): void {
    this.listeners.clear();
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /**
   * A borrow that is of no use once the deadline has passed. It is not even begun then; the pool is asked for nothing.
   *
   * @param back what is to become of a resource that has come too late
   * @throws DeadlineExceededError
   */
  async bound<R>(pool: string, borrow: () => Promise<R>, back: (late: R) => void): Promise<R> {
    if (this.left === 0) throw new DeadlineExceededError(pool, 0, this.overdue);
    const since = performance.now();
    try {
      const lent = await borrow();
      if (this.left > 0) return lent;
      // Handed over in time, or while the event loop was blocked: the timer has not had its turn.
      back(lent);
      throw DEADLINE_PASSED;
    } catch (error) {
      throw error === DEADLINE_PASSED ? this.exceeded(pool, since) : error;
    }
  }

  /**
   * Waits for what has to be there before a borrow.
   *
   * @throws DeadlineExceededError
   */
  async until(pool: string, ready: Promise<void>): Promise<void> {
    let forget: (() => void) | undefined;
    const since = performance.now();
    const passed = new Promise<never>((_, reject) => {
      forget = this.watch(() => {
        reject(this.exceeded(pool, since));
      });
    });
    try {
      await Promise.race([ready, passed]);
    } finally {
      forget?.();
    }
  }

  private exceeded(pool: string, since: number): DeadlineExceededError {
    return new DeadlineExceededError(pool, performance.now() - since, this.overdue);
  }

  private setTimer(): NodeJS.Timeout {
    const delay = Math.min(Math.ceil(this.left), LONGEST_TIMER);
    return setTimeout(() => {
      this.timer = undefined;
      // It was only a part of the way, or has come a fraction of a millisecond early.
      if (this.left > 0) this.timer = this.setTimer();
      else this.tell();
    }, delay).unref();
  }

  private tell(): void {
    const told = [...this.listeners];
    this.stop();
    for (const tell of told) tell();
  }
}
