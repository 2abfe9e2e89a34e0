import { nameOf } from '../basics/name-of.js';
import type { DeadlockedHolder } from '../errors.js';
import type { Lease } from '../lease.js';
import type { Census, Slot } from '../slots/slot.js';
import type { WaitingOwners } from './owners.js';
import type { Waiter, WaiterQueue } from './waiter-queue.js';

/** Places, and those who wait for one of them: of one pool, or of all keys of a keyed pool. */
export interface Places<T> {
  readonly census: Census;
  readonly owners: WaitingOwners;
  /** How many there are. */
  readonly cap: number;
  readonly slots: Iterable<Slot<T>>;
  readonly queues: Iterable<WaiterQueue<Lease<T>>>;
}

/**
 * Ends hold-and-wait. An owner promises to give nothing back while one of its acquires waits. So when every place is
 * leased to owners that all wait here, nobody will ever be served (Coffman, Elphick & Shoshani 1971). Then the youngest
 * acquire whose owner holds something fails, and its owner can give back what it has.
 *
 * While anything is on its way, or can be made, or a holder does not wait, there is no deadlock: that is seen from a
 * few counts, and mostly from one holder. Only then are all places looked at, once.
 *
 * @param refuse tells a waiter, taken out of its queue, why it gets nothing
 */
export function breakDeadlock<T>(
  places: Places<T>,
  refuse: (
    waiter: Waiter<Lease<T>>,
    holders: readonly DeadlockedHolder[],
    queue: WaiterQueue<Lease<T>>,
  ) => void,
): void {
  const { census, owners } = places;
  // Once is not enough for an owner that has several acquires under way.
  while (owners.any && census.leased === census.places && census.leased >= places.cap) {
    const held = holdersIfAllWait(places);
    if (!held) return;
    const holders = describe(places, held);
    const { queue, waiter } = youngest(places, held);
    queue.remove(waiter);
    // Last of all: to name an owner is users' code, which may make use of the pool.
    const named = holders.map(({ owner, ...where }) => ({ owner: nameOf(owner), ...where }));
    refuse(waiter, named, queue);
  }
}

/** What each owner holds (one of it), if all that is leased is leased to owners that wait. */
function holdersIfAllWait<T>(places: Places<T>): Map<object, Slot<T>> | undefined {
  const held = new Map<object, Slot<T>>();
  for (const slot of places.slots) {
    if (slot.state !== 'leased') continue;
    if (!slot.owner || !places.owners.has(slot.owner)) return undefined;
    held.set(slot.owner, slot);
  }
  return held;
}

/** The last to come of those whose owner holds something; there is one, as all who hold wait. */
function youngest<T>(
  places: Places<T>,
  held: Map<object, Slot<T>>,
): { queue: WaiterQueue<Lease<T>>; waiter: Waiter<Lease<T>> } {
  let last!: { queue: WaiterQueue<Lease<T>>; waiter: Waiter<Lease<T>> };
  let ticket = -1;
  for (const queue of places.queues) {
    for (const waiter of queue) {
      const { owner } = waiter.wish;
      if (!owner || !held.has(owner) || waiter.ticket < ticket) continue;
      last = { queue, waiter };
      ticket = waiter.ticket;
    }
  }
  return last;
}

/** One who holds something, not yet named. */
type Holder = Omit<DeadlockedHolder, 'owner'> & { readonly owner: object };

function describe<T>(places: Places<T>, held: Map<object, Slot<T>>): Holder[] {
  const waitsAt = new Map<object | undefined, string | undefined>();
  for (const queue of places.queues) {
    for (const { wish } of queue) waitsAt.set(wish.owner, wish.trace?.stack);
  }
  return [...held].map(([owner, { trace }]) => ({
    owner,
    waitsAt: waitsAt.get(owner),
    borrowedAt: trace?.stack,
  }));
}
