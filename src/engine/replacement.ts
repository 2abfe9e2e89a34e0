import type { DestroyReason } from './factory.js';
import type { Interior } from './interior.js';
import type { Slot } from './slot.js';

/**
 * Replaces resources before they expire, so that nobody has to wait because of it.
 *
 * Below `max` the new one is made first and then the old one retired. At `max` one at a time is retired, while it is
 * idle and nobody waits, and its place filled again. When everything is in use all the time, neither is possible: then
 * a resource is retired when it comes back after its end, and the next borrower waits for a create.
 */
export class Replacement<T> {
  /** Near the end of their life, with nothing made for them yet; those that have ended otherwise are still in here. */
  private readonly ageing = new Set<Slot<T>>();
  /** How many are being created to replace another. */
  underWay = 0;
  /** How many have gone before anything was made for them: to make room, or because their end came first. */
  owed = 0;

  /** @param retire destroys a slot that is in no list */
  constructor(
    private readonly pool: Interior<T>,
    private readonly retire: (slot: Slot<T>, reason: DestroyReason) => void,
  ) {}

  get wanted(): boolean {
    return this.owed > 0 || this.ageing.size > 0;
  }

  /** The end of a live slot is near. */
  ages(slot: Slot<T>): void {
    slot.replaceAt = Infinity;
    this.ageing.add(slot);
  }

  /** Whose place the next new slot is to take; undefined when it has gone already, and one is owed, or when there is none. */
  next(): Slot<T> | undefined {
    for (const slot of this.ageing) {
      this.ageing.delete(slot);
      if (serves(slot)) return slot;
      if (slot.doom !== slot.expiry) continue;
      this.owed++;
      return undefined;
    }
    return undefined;
  }

  /** There is no room for a new one beside the old one: makes some, if nobody would have to wait for it. */
  makeRoom(): void {
    const { census, waiters, idle } = this.pool;
    if (this.owed > 0 || waiters.length > 0 || census.creating > 0 || census.closing > 0) return;
    for (const slot of this.ageing) {
      if (serves(slot) && idle.has(slot)) {
        this.ageing.delete(slot);
        this.owed++;
        idle.remove(slot);
        this.retire(slot, slot.expiry);
        return;
      }
    }
  }

  began(slot: Slot<T>): void {
    if (this.owed > 0) this.owed--;
    if (slot.replaces) this.underWay++;
  }

  /** There will be no replacement: the create has failed, or was given up. */
  failed(slot: Slot<T>): void {
    const old = this.ended(slot);
    if (old) this.ageing.add(old);
  }

  /** The new one is there, and has been offered to those who wait. */
  arrived(slot: Slot<T>): void {
    const { idle } = this.pool;
    const old = this.ended(slot);
    if (!old || !serves(old)) return;
    if (!idle.has(slot)) {
      // Somebody needed one more.
      this.ageing.add(old);
    } else if (idle.has(old)) {
      // It is not more in demand for being new.
      slot.idleSince = old.idleSince;
      idle.remove(old);
      this.retire(old, old.expiry);
    } else {
      old.condemn(old.expiry);
    }
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
