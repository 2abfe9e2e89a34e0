import type { Clock } from './clock.js';

/** So many who have left are remembered; of more, those in the middle are told apart less well. */
const KEPT = 16;

interface Leaver {
  readonly since: number;
  readonly waitedMs: number;
}

/**
 * Since when nobody has been served although somebody waits, or has waited until it gave up. Known from what happens in the
 * pool, so that it does not depend on how often anybody asks.
 */
export class Standstill {
  /** When something was lent last. */
  private servedAt = -Infinity;
  /** Those who have left unserved since then. Of a later one only what the earlier ones do not tell: that it stayed longer. */
  private readonly inVain: Leaver[] = [];

  constructor(private readonly clock: Clock) {}

  served(at: number): void {
    this.servedAt = at;
    this.over();
  }

  /** Somebody has left the queue unserved. */
  left(waitedMs: number): void {
    const { inVain } = this;
    if (waitedMs <= (inVain.at(-1)?.waitedMs ?? 0)) return;
    if (inVain.length === KEPT) inVain.pop();
    inVain.push({ since: this.clock.now() - waitedMs, waitedMs });
  }

  /** Somebody comes, nobody waits, and something can be had: that others have waited in vain is over. */
  over(): void {
    if (this.inVain.length > 0) this.inVain.length = 0;
  }

  /**
   * For how many milliseconds somebody has been waiting for too long, or was when it left, with nobody served meanwhile.
   *
   * @param patience who waits for longer waits for too long
   * @param oldestWaitMs of those who wait now
   */
  forMs(patience: number, oldestWaitMs: number): number {
    const now = this.clock.now();
    const left = this.inVain.find(({ waitedMs }) => waitedMs > patience)?.since ?? Infinity;
    const waits = oldestWaitMs > patience ? now - oldestWaitMs : Infinity;
    return Math.max(0, now - Math.max(Math.min(left, waits) + patience, this.servedAt));
  }
}
