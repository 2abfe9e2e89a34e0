import type { DestroyReason } from '../reports/destroy-reason.js';
import type { Slot } from '../slots/slot.js';
import type { Supply } from './supply.js';

/**
 * Replaces resources before they expire, so that nobody has to wait because of it.
 *
 * Below `max` the new one is made first and then the old one retired. At `max` one at a time is retired, while it is
 * idle and nobody waits, and its place filled again. When everything is in use all the time, neither is possible: then
 * a resource is retired when it comes back after its end, and the next borrower waits for a create.
 */
export class Replacement<T> {
  /** Near the end of their life, with nothing made for them yet. */
  private readonly ageing = new Set<Slot<T>>();
  /** Replaced, but not idle when the new one came: they go when they are. */
  private readonly replaced = new Set<Slot<T>>();
  /** How many are being created to replace another. */
  private underWay = 0;
  /**
   * Those that have gone before anything was made for them, to make room, or because their end came first: since when
   * they had been idle.
   */
  private readonly owing: number[] = [];
  /** Is there anything of the above, or was there at the last look? Asked at each return, when there is nothing as a rule. */
  wanted = false;

  /** @param retire destroys a slot that is in no list */
  constructor(
    private readonly pool: Supply<T>,
    private readonly retire: (slot: Slot<T>, reason: DestroyReason) => void,
  ) {}

  get owed(): number {
    return this.owing.length;
  }

  /** How many more there are, or will be, than are to stay. */
  get surplus(): number {
    return this.underWay + this.replaced.size;
  }

  /** The end of a live slot is near. */
  ages(slot: Slot<T>): void {
    slot.replaceAt = Infinity;
    if (!serves(slot)) return;
    this.ageing.add(slot);
    this.wanted = true;
  }

  /** A slot has come to an end, whichever. */
  gone(slot: Slot<T>): void {
    this.replaced.delete(slot);
    if (this.ageing.delete(slot)) this.owe(slot);
  }

  /** Whose place the next new slot is to take. */
  next(): Slot<T> | undefined {
    for (const slot of this.ageing) {
      // It will end for another reason.
      if (slot.doom) continue;
      this.ageing.delete(slot);
      // Or else it was detached.
      if (slot.live) return slot;
    }
    return undefined;
  }

  /** Retires those that have been replaced and are idle by now. */
  settle(): void {
    for (const slot of this.replaced) {
      if (this.pool.idle.has(slot)) this.end(slot);
      else if (!serves(slot)) this.replaced.delete(slot);
    }
    this.wanted = this.owed > 0 || this.ageing.size > 0 || this.replaced.size > 0;
  }

  /** There is no room for a new one beside the old one: makes some, if nobody would have to wait for it. */
  makeRoom(): void {
    const { census, waiters, idle } = this.pool;
    // One that has just arrived is still to take the place of another.
    if (this.owed > 0 || this.underWay > 0 || waiters.length > 0) return;
    if (census.creating > 0 || census.closing > 0) return;
    for (const slot of this.ageing) {
      if (!idle.has(slot)) continue;
      // Were one that is replaced to come back and go as well, two would be missing: it is to be replaced again.
      const [instead] = this.replaced;
      if (instead) {
        this.ageing.delete(slot);
        this.replaced.delete(instead);
        this.ageing.add(instead);
      }
      this.end(slot);
      return;
    }
  }

  began(slot: Slot<T>): void {
    const idleSince = this.owing.shift();
    // It is not more in demand for being new.
    if (idleSince !== undefined) slot.idleSince = idleSince;
    if (slot.replaces) this.underWay++;
  }

  /** There will be no replacement: the create has failed, or was given up. */
  failed(slot: Slot<T>): void {
    this.wanted = true;
    const old = this.ended(slot);
    if (!old) {
      // It was to fill the place of one that has gone.
      if (slot.idleSince !== Infinity) this.owing.push(slot.idleSince);
    } else if (serves(old)) {
      this.ageing.add(old);
    } else {
      this.owe(old);
    }
  }

  /** The new one is there, and has been offered to those who wait. */
  arrived(slot: Slot<T>): void {
    const { idle } = this.pool;
    const old = this.ended(slot);
    if (!old || !serves(old)) return;
    this.wanted = true;
    if (!idle.has(slot)) {
      // Somebody needed one more.
      this.ageing.add(old);
    } else if (idle.has(old)) {
      slot.idleSince = old.idleSince;
      this.end(old);
    } else {
      this.replaced.add(old);
    }
  }

  /** Nothing was made for one that has gone: if its time had come, its place is to be filled again. */
  private owe(slot: Slot<T>): void {
    if (slot.doom !== slot.expiry) return;
    this.owing.push(slot.idleSince);
    this.wanted = true;
  }

  private end(slot: Slot<T>): void {
    this.pool.idle.remove(slot);
    this.retire(slot, slot.expiry);
  }

  private ended(slot: Slot<T>): Slot<T> | undefined {
    const old = slot.replaces;
    slot.replaces = undefined;
    if (old) this.underWay--;
    return old;
  }
}

/** Will it be lent again? */
function serves(slot: Slot<unknown>): boolean {
  return !slot.doom && slot.live;
}
