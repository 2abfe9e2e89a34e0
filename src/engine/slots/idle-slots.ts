import { IntrusiveList } from '../basics/intrusive-list.js';
import type { Slot } from './slot.js';

/** The idle slots, the one that has been idle longest first; every operation but {@link putBack} O(1). */
export class IdleSlots<T> extends IntrusiveList<Slot<T>> {
  constructor(private readonly order: 'lifo' | 'fifo') {
    super();
  }

  /** Is it in this list, and not merely in state `idle` on its way to it? */
  has(slot: Slot<T>): boolean {
    return slot === this.first || slot.prev !== undefined;
  }

  /** The one whose turn it is to be borrowed; it stays in the list. */
  peek(): Slot<T> | undefined {
    return this.order === 'lifo' ? this.last : this.first;
  }

  /** Puts it where it was before it was validated: behind those that have been idle for longer, which are few. */
  putBack(slot: Slot<T>): void {
    let next = this.first;
    while (next && next.idleSince < slot.idleSince) next = next.next;
    this.insert(slot, next);
  }
}
