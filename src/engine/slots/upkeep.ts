import { Deadline } from '../time/deadlines.js';
import type { Slot } from './slot.js';
import type { Stock } from './stock.js';

/** What upkeep tells its pool. */
export interface UpkeepEvents<T> {
  /** An idle slot, taken out of the idle list, has reached the end of its life or of its idleness. */
  ended(slot: Slot<T>, reason: 'idle' | Slot<T>['expiry']): void;
  /** An idle slot, taken out of the idle list, has not been seen in good health for long. */
  unproven(slot: Slot<T>): void;
  /** The end of a live slot is near. */
  ages(slot: Slot<T>): void;
  /** All that has been told. */
  done(): void;
}

/** When to look again at what could not be dealt with now. */
const SOON_MS = 50;

/**
 * What is done while nobody borrows: resources that are idle for long, or at the end of their life, go, and those that
 * stay are kept alive. One round looks at all of them, when the first of them is due.
 */
export class Upkeep<T> {
  private readonly round: Deadline;
  /** When the next round is planned; nothing is ever earlier once it has been stopped. */
  private nextRound = Infinity;
  /** Nothing is due for having been idle, or not seen in good health, for less than this. */
  private readonly shortest: number;

  constructor(
    private readonly pool: Stock<T>,
    private readonly events: UpkeepEvents<T>,
    /** How many of those that are being created take the place of others. */
    private readonly replacing: () => number,
  ) {
    const { settings, factory } = pool;
    this.shortest = Math.min(settings.idleTimeout, factory.validate ? settings.keepAlive : Infinity);
    this.round = new Deadline(now => {
      this.sweep(now);
    });
  }

  /** Draws the moment at which a new resource expires: at a random age, so that not all end together. */
  born(slot: Slot<T>, now: number): void {
    const { maxLifetime, lifetimeJitter } = this.pool.settings;
    slot.provenAt = this.pool.coarse.now();
    if (maxLifetime === Infinity) return;
    const lead = this.lead(maxLifetime);
    // Replaced early, it still reaches the least age.
    const jitter = Math.max(0, maxLifetime * lifetimeJitter - lead);
    this.expires(slot, now, now + maxLifetime - jitter * Math.random(), lead);
  }

  /** An idle slot is to end at a given time, unless it ends sooner. */
  recycles(slot: Slot<T>, now: number, at: number): void {
    if (at >= slot.expiresAt) return;
    slot.expiry = 'recycled';
    this.expires(slot, now, at, this.lead(at - now));
  }

  /** How long before the end of a life a replacement is looked for: deadlines may be late by 1/64. */
  private lead(life: number): number {
    return Math.min(life / 10, this.pool.settings.createTimeout + life / 64);
  }

  private expires(slot: Slot<T>, now: number, at: number, lead: number): void {
    // As the coarse time, which it is compared with.
    slot.expiresAt = Math.floor(at);
    slot.replaceAt = at - lead;
    this.expect(slot.replaceAt, now);
  }

  /** A slot has become idle. Two comparisons, unless no round is planned early enough. */
  rests(slot: Slot<T>, now: number): void {
    const { nextRound } = this;
    if (slot.idleSince + this.shortest < nextRound || slot.expiresAt < nextRound) this.plan(slot, now);
  }

  private plan(slot: Slot<T>, now: number): void {
    const { census, settings, limits } = this.pool;
    const spare = census.alive > limits.min && this.pool.idle.length > settings.minIdle;
    const idleEnds = spare ? slot.idleSince + settings.idleTimeout : Infinity;
    this.expect(Math.min(idleEnds, slot.expiresAt, this.checkAt(slot)), now);
  }

  /** The pool is suspended no longer: what has become due meanwhile is looked at now. */
  resume(): void {
    const { settings, factory, clock } = this.pool;
    if (settings.keepAlive === Infinity || !factory.validate) return;
    const now = clock.now();
    this.expect(now, now);
  }

  /** For good. */
  stop(): void {
    this.pool.deadlines.cancel(this.round);
    this.nextRound = -Infinity;
  }

  private checkAt(slot: Slot<T>): number {
    const { factory, settings } = this.pool;
    return factory.validate ? slot.provenAt + settings.keepAlive : Infinity;
  }

  private expect(at: number, now: number): void {
    if (at >= this.nextRound) return;
    this.nextRound = at;
    this.pool.deadlines.set(this.round, now, at - now);
  }

  private sweep(now: number): void {
    const { idle, census, settings, limits, slots, suspended } = this.pool;
    const ending: [Slot<T>, 'idle' | Slot<T>['expiry']][] = [];
    const unproven: Slot<T>[] = [];
    // Half of them stay for borrowers.
    let checks = suspended ? 0 : Math.max(1, idle.length >> 1) - census.validating;
    let spare = Math.min(census.alive - limits.min - this.replacing(), idle.length - settings.minIdle);
    let due = Infinity;
    for (let slot = idle.first; slot; slot = slot.next) {
      const idleEnds = spare > 0 ? slot.idleSince + settings.idleTimeout : Infinity;
      const checkAt = this.checkAt(slot);
      if (slot.expiresAt <= now || idleEnds <= now) {
        ending.push([slot, slot.expiresAt <= now ? slot.expiry : 'idle']);
        spare--;
        continue;
      }
      due = Math.min(due, slot.expiresAt, idleEnds);
      if (checkAt > now) due = Math.min(due, checkAt);
      else if (checks-- > 0) unproven.push(slot);
      // Suspended, nothing is validated until resume() says so.
      else if (!suspended) due = Math.min(due, now + SOON_MS);
    }
    for (const slot of slots) {
      if (slot.replaceAt <= now) this.events.ages(slot);
      due = Math.min(due, slot.replaceAt);
    }
    this.nextRound = Infinity;
    this.expect(due, now);
    // What is done with one runs user code, which may have borrowed the next.
    for (const [slot, reason] of ending) if (this.take(slot)) this.events.ended(slot, reason);
    for (const slot of unproven) if (this.take(slot)) this.events.unproven(slot);
    this.events.done();
  }

  private take(slot: Slot<T>): boolean {
    const { idle } = this.pool;
    if (!idle.has(slot)) return false;
    idle.remove(slot);
    return true;
  }
}
