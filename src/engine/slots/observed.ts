import type { Capacity } from '../reports/advice.js';

/** What a pool has seen, beside its counts and latencies, that advice is made of. Written on no way that is hot. */
export class Observed {
  /** Borrowers who waited while everything that may exist did: for somebody to give back, not for a create. */
  waitsAtMax = 0;
  /** Those of them who waited for longer than creates took of late. */
  longWaitsAtMax = 0;
  /** How long all of them waited, in milliseconds. */
  waitedAtMaxMs = 0;
  /** A method of the first resource that cleans it by convention; undefined where there is none, or the factory has a `reset`. */
  cleaner: string | undefined = undefined;
  /** What the factory has said of the other side; undefined while it has not. */
  capacity: Capacity | undefined = undefined;

  /** @param createMs how long creates took of late */
  waitedAtMax(waitedMs: number, createMs = 0): void {
    this.waitsAtMax++;
    this.waitedAtMaxMs += waitedMs;
    if (waitedMs > createMs) this.longWaitsAtMax++;
  }
}
