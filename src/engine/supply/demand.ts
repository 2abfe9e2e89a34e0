import type { Lateness } from '../slots/lateness.js';
import { Deadline } from '../time/deadlines.js';
import type { Supply } from './supply.js';

/**
 * How many resources those who wait need, beyond what there is and what is on its way.
 *
 * A create that takes longer than the wait it was to shorten helps nobody, and leaves one more connection behind: fifty
 * borrowers who come at once are served sooner by five connections that take 2 ms each than by those that take 150 ms
 * to make. So `adaptive` growth makes a resource for a borrower who is not likely to be served within the time that a
 * create takes, by what comes back meanwhile, or who has in fact waited for that long, or for half of the time it has, or
 * has left too late. What is likely is told by how long creates and leases have taken of late. And where nothing has come
 * to rest for as long as a create takes, while borrowers waited, there is more work than resources, however short each
 * wait is: then one more is made, and again after as long.
 *
 * HikariCP has a similar aim and another way: its connections are made by one thread, and no longer than somebody waits.
 */
export class Demand<T> {
  private asking = false;
  /** How long those have waited, taken together, who have left without anybody having been served in between. */
  private inVain = 0;
  /** How many had been served when that was 0. */
  private servedBefore = 0;
  /** Somebody was too late, with nothing on its way. */
  private lost = false;
  /** Since when nothing has come to rest, as those took it who waited; undefined while that is not so. */
  private shortSince: number | undefined = undefined;
  /** That is so for as long as a create takes. */
  private short = false;
  private readonly question: Deadline;

  /** @param again called when the answer may be another, with nothing else having changed */
  constructor(
    private readonly pool: Supply<T>,
    private readonly lateness: Lateness<T>,
    again: () => void,
  ) {
    this.question = new Deadline(() => {
      this.asking = false;
      again();
    });
  }

  /** How many creates should begin for those who wait. */
  get unmet(): number {
    const { waiters, census, settings } = this.pool;
    const unserved = waiters.length - census.coming;
    switch (settings.growth) {
      case 'eager':
        return Math.max(unserved, 0);
      case 'single':
        return unserved > 0 && census.creating === census.doubted.creating ? 1 : 0;
      case 'adaptive': {
        const urgent = Math.max(waiters.overdue - census.coming, Number(this.lost || this.short));
        return unserved > 0 ? Math.max(unserved - this.soon, urgent) : 0;
      }
    }
  }

  /** Somebody has left the queue without having been served: too late, sent away, or of its own accord. */
  left(waitedMs: number, why: 'late' | 'aborted'): void {
    const { census, limits, totals } = this.pool;
    // Something is on its way for whoever comes next, or nothing could have been made.
    if (census.coming > 0 || census.places >= limits.max) return;
    if (why === 'late') this.lost = true;
    const { acquired } = totals;
    if (acquired !== this.servedBefore) this.inVain = 0;
    this.servedBefore = acquired;
    this.inVain += waitedMs;
  }

  /** A create has begun. */
  began(): void {
    this.lost = false;
    this.inVain = 0;
    this.rested();
  }

  /** A resource has come back, and nobody waits for it. */
  rested(): void {
    this.shortSince = undefined;
    this.short = false;
  }

  /** Have so many left that one more would have served somebody? Or else those who never stay for long never see one. */
  get missed(): boolean {
    const { totals, settings } = this.pool;
    if (settings.growth !== 'adaptive' || totals.acquired !== this.servedBefore) return false;
    const { createMs } = this;
    return createMs > 0 && this.inVain >= createMs;
  }

  /** Should a create begin for those who wait? If not yet, it is asked again when the first has waited for too long. */
  presses(): boolean {
    if (this.unmet > 0) return true;
    const { waiters, waits, census, settings } = this.pool;
    if (settings.growth !== 'adaptive' || waiters.length <= census.coming) return false;
    const now = waits.now();
    const patience = Math.min(this.createMs, this.lateness.patience);
    this.shortSince ??= now;
    this.short = now - this.shortSince >= patience;
    waiters.markOverdue(now - patience);
    if (this.unmet > 0) return true;
    if (this.asking) return false;
    const next = waiters.patientSince;
    if (next === undefined) return false;
    this.asking = true;
    waits.set(this.question, now, next + patience - now);
    return false;
  }

  /** Nobody waits, and nobody will. */
  stop(): void {
    this.pool.waits.cancel(this.question);
  }

  /** How many are likely to come back within the time that a create takes. */
  private get soon(): number {
    // A pool that has made nothing yet knows nothing better than to try.
    const returning = this.pool.census.leased * this.createMs;
    return returning === 0 ? 0 : Math.floor(returning / this.hold);
  }

  /** How long a create takes; 0 while nothing is known. */
  private get createMs(): number {
    return this.lateness.paces.creating.expected(this.pool.clock.now()) ?? 0;
  }

  /** How long leases last. While none has come back, they last as long as the first has. */
  private get hold(): number {
    const { latencies, clock } = this.pool;
    return latencies.hold.recent ?? clock.now() - latencies.firstLeaseAt;
  }
}
