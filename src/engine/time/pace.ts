/** So many of the last ones tell how long something takes. */
const KEPT = 9;
/** Twice as long as usual is late; and what is usual within a few milliseconds is not late for a hiccup of the process. */
const USUAL_TIMES = 2;
const HICCUP_MS = 20;
/** When it is so many milliseconds old, less is believed of what was measured: half after as many again; an eighth at least. */
const HALF_LIFE = 10_000;
const LEAST_BELIEVED = 1 / 8;

/**
 * How long something takes as a rule: the median of the last few times that it succeeded. One that was slow, such as the
 * first connect of all, is outvoted by the next.
 */
export class Pace {
  private readonly last: number[] = [];
  private median: number | undefined = undefined;
  private at = 0;

  record(ms: number, now: number): void {
    this.last.push(ms);
    if (this.last.length > KEPT) this.last.shift();
    const sorted = [...this.last].sort((a, b) => a - b);
    this.median = sorted[(sorted.length - 1) >> 1];
    this.at = now;
  }

  /** What it takes as a rule, believed less the longer ago that was; undefined while nothing is known. */
  expected(now: number): number | undefined {
    if (this.median === undefined) return undefined;
    const halvings = Math.max(0, (now - this.at) / HALF_LIFE - 1);
    return this.median * Math.max(LEAST_BELIEVED, 0.5 ** halvings);
  }

  /** What takes longer is late; undefined while nothing is known. */
  get limit(): number | undefined {
    return this.median === undefined ? undefined : this.median * USUAL_TIMES + HICCUP_MS;
  }
}
