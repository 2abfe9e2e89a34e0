import { Deadline } from './deadlines.js';
import type { DestroyReason } from './factory.js';
import type { Interior } from './interior.js';
import type { Slot } from './slot.js';

/** What is done while nobody borrows: idle resources above `min`, and resources at the end of their life, go. */
export class Upkeep<T> {
  private readonly round: Deadline;
  private nextRound = Infinity;

  /** @param retire destroys a slot that has been taken out of the idle list */
  constructor(
    private readonly pool: Interior<T>,
    private readonly retire: (slot: Slot<T>, reason: DestroyReason) => void,
  ) {
    this.round = new Deadline(now => {
      this.sweep(now);
    });
  }

  /** Draws the moment at which a new resource will be retired: at a random age, so that not all end together. */
  born(slot: Slot<T>, now: number): void {
    const { maxLifetime, lifetimeJitter } = this.pool.settings;
    slot.expiresAt = now + maxLifetime * (1 - lifetimeJitter * Math.random());
    this.expect(slot.expiresAt, now);
  }

  /** A slot has become idle. One comparison, unless no round is planned early enough. */
  rests(slot: Slot<T>, now: number): void {
    const { census, settings } = this.pool;
    this.expect(
      census.alive > settings.min ? Math.min(now + settings.idleTimeout, slot.expiresAt) : slot.expiresAt,
      now,
    );
  }

  stop(): void {
    this.pool.deadlines.cancel(this.round);
    this.nextRound = Infinity;
  }

  private expect(at: number, now: number): void {
    if (at >= this.nextRound || at === Infinity) return;
    this.nextRound = at;
    this.pool.deadlines.set(this.round, now, at - now);
  }

  private sweep(now: number): void {
    const { idle, census, settings } = this.pool;
    const ending: [Slot<T>, DestroyReason][] = [];
    let spare = census.alive - settings.min;
    let due = Infinity;
    for (let slot = idle.first; slot; slot = slot.next) {
      const idleEnds = spare > 0 ? slot.idleSince + settings.idleTimeout : Infinity;
      if (slot.expiresAt <= now || idleEnds <= now) {
        ending.push([slot, slot.expiresAt <= now ? 'lifetime' : 'idle']);
        spare--;
      } else {
        due = Math.min(due, slot.expiresAt, idleEnds);
      }
    }
    this.nextRound = Infinity;
    this.expect(due, now);
    for (const [slot, reason] of ending) {
      // Destroying one runs user code, which may have borrowed the next.
      if (slot.state !== 'idle') continue;
      idle.remove(slot);
      this.retire(slot, reason);
    }
  }
}
