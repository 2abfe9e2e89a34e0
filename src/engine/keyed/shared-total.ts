import { breakDeadlock, type Places } from '../queue/deadlock.js';
import { WaitingOwners } from '../queue/owners.js';
import { Census, type Slot } from '../slots/slot.js';
import type { Sharer } from '../supply/share.js';
import { Member } from './total-member.js';

/**
 * A total that several pools share, in this process.
 *
 * Places that are free go to the pools that want one, those that have fewest first, and in turn among those. When none
 * is free, the resource that has been idle longest makes room, whosever it is. When none is idle, a pool that gets one
 * back gives it up for a pool that has nothing, or that would still have fewer; but not before it has served for as long
 * as it took to make, so that however many pools compete, at least half of the time goes into work.
 */
export class SharedTotal<T> {
  readonly census = new Census();
  readonly owners = new WaitingOwners();
  readonly members = new Set<Member<T>>();
  /** The idle resources of all members, the one that has been idle longest first. */
  private readonly idle = new Map<Slot<T>, Member<T>>();
  /** Members that could make use of a place, by how many they have; among equals, whose turn it is first. */
  private readonly queues: Set<Member<T>>[] = [];
  /** All before this one are empty. */
  private fewest = 0;
  /** How many members could make use of a place. */
  private wanting = 0;
  /** How many places they could make use of, taken together. */
  private demand = 0;
  private readonly places: Places<T>;
  private dispatching = false;
  private dispatchAgain = false;

  constructor(private readonly max: number) {
    const { census, owners, members } = this;
    this.places = {
      census,
      owners,
      cap: max,
      slots: {
        *[Symbol.iterator]() {
          for (const { sharer } of members) yield* sharer.interior.slots;
        },
      },
      queues: {
        *[Symbol.iterator]() {
          for (const { sharer } of members) yield sharer.interior.waiters;
        },
      },
    };
  }

  /** @param empty called when the member holds nothing, nobody waits, and it has no failure to remember */
  member(order: 'lifo' | 'fifo', empty: () => void): Member<T> {
    return new Member(this, this.idle, order, empty);
  }

  joined(member: Member<T>): void {
    this.members.add(member);
  }

  left(member: Member<T>): void {
    this.members.delete(member);
    this.note(member, 0);
  }

  roomFor(member: Member<T>): number {
    // One place at a time; those that want nothing for a borrower have what is left when all others have had theirs.
    return this.first === member ? Math.min(this.free, 1) : this.free - this.wanting;
  }

  /** It was its turn; the next one is somebody else's. */
  took(member: Member<T>): void {
    this.note(member, member.demand);
  }

  yields(member: Member<T>): boolean {
    const { first } = this;
    if (!first || this.demand - member.demand <= this.free + this.census.closing) {
      return false;
    }
    const has = first.sharer.interior.census.alive;
    return has === 0 || member.sharer.interior.census.alive >= has + 2;
  }

  /** A member has changed: notes what it wants, and sees what can be done for all. */
  settled(member: Member<T>): void {
    this.note(member, demandOf(member.sharer));
    this.dispatchAgain = true;
    if (this.dispatching) return;
    this.dispatching = true;
    try {
      while (this.dispatchAgain) {
        this.dispatchAgain = false;
        this.grant();
        this.makeRoom();
        breakDeadlock(this.places, (waiter, holders, queue) => {
          for (const { sharer } of this.members) {
            if (sharer.interior.waiters === queue) sharer.deadlocked(waiter, holders);
          }
        });
      }
    } finally {
      this.dispatching = false;
    }
  }

  private get free(): number {
    return this.max - this.census.places;
  }

  private get first(): Member<T> | undefined {
    while (this.queues[this.fewest]?.size === 0) this.fewest++;
    const [first] = this.queues[this.fewest] ?? [];
    return first;
  }

  private note(member: Member<T>, demand: number): void {
    this.demand += demand - member.demand;
    member.demand = demand;
    this.enqueue(member, demand > 0 ? this.queueOf(member.sharer.interior.census.alive) : undefined);
  }

  /** One that stays in its queue keeps its turn. */
  private enqueue(member: Member<T>, queue: Set<Member<T>> | undefined): void {
    if (queue === member.queue) return;
    if (member.queue?.delete(member)) this.wanting--;
    if (queue?.add(member)) this.wanting++;
    member.queue = queue;
  }

  private queueOf(alive: number): Set<Member<T>> {
    while (this.queues.length <= alive) this.queues.push(new Set());
    this.fewest = Math.min(this.fewest, alive);
    return this.queues[alive]!;
  }

  private grant(): void {
    for (let { first } = this; first && this.free > 0; first = this.first) {
      const before = this.census.places;
      first.sharer.serve();
      // It could make no use of it after all; it comes back when it can.
      if (this.first === first && this.census.places === before) this.note(first, 0);
    }
  }

  private makeRoom(): void {
    while (this.demand > this.free + this.census.closing) {
      const [oldest] = this.idle;
      if (!oldest) return;
      const [slot, { sharer }] = oldest;
      sharer.evict(slot);
    }
  }
}

/** How many more resources it would make now, if only the total allowed it. */
function demandOf<T>({ interior, growth }: Sharer<T>): number {
  const { census, limits } = interior;
  if (!growth.ready) return 0;
  const room = limits.max + limits.overflow - census.places;
  return Math.max(0, Math.min(growth.demand.unmet, room));
}
