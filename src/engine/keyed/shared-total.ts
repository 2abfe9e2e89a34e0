import { breakDeadlock, type Places } from '../queue/deadlock.js';
import { WaitingOwners } from '../queue/owners.js';
import type { Title } from '../reports/channels.js';
import { Census, type Slot } from '../slots/slot.js';
import type { Sharer } from '../supply/share.js';
import { Pace } from '../time/pace.js';
import { Member } from './total-member.js';
import { Turns } from './turns.js';

/**
 * A total that several pools share, in this process.
 *
 * Places that are free go to the pools that want one, those that have fewest first, and in turn among those. When none
 * is free, the resource that has been idle longest makes room, whosever it is. When none is idle, a pool that gets one
 * back gives it up for a pool that has nothing, or that would still have fewer; but not before it has served for as long
 * as it took to make, so that however many pools compete, at least half of the time goes into work.
 *
 * Who makes up keys would have as many turns as it likes. So pools whose creates have not come to anything, or have failed
 * or are late, are on probation: they may have a quarter of the places under way, all together, and turns of their own
 * among each other; where one of them hangs, the next one gets its place. What serves is never evicted for more than that.
 */
export class SharedTotal<T> {
  readonly census = new Census();
  readonly owners = new WaitingOwners();
  readonly members = new Set<Member<T>>();
  readonly tally = { waiting: 0 };
  /** How many of those wait for unproven members. */
  private waitingUnproven = 0;
  readonly pace = new Pace();
  /** The idle resources of all members, the one that has been idle longest first. */
  private readonly idle = new Map<Slot<T>, Member<T>>();
  private readonly proven = new Turns<Member<T>>();
  private readonly unproven = new Turns<Member<T>>();
  /** Unproven members that have creates under way, and how many those are. */
  private readonly probationers = new Set<Member<T>>();
  private onProbation = 0;
  private readonly mostOnProbation: number;
  private tickets = 0;
  private readonly places: Places<T>;
  private dispatching = false;
  private dispatchAgain = false;

  constructor(private readonly max: number) {
    const { census, owners, members } = this;
    this.mostOnProbation = Math.max(1, max >> 2);
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

  /**
   * @param proven has it been known to come to something before?
   * @param empty called when the member holds nothing, and nobody waits
   */
  member(title: Title, order: 'lifo' | 'fifo', proven: boolean, empty: () => void): Member<T> {
    return new Member(title, this, this.idle, order, proven, empty);
  }

  joined(member: Member<T>): void {
    this.members.add(member);
  }

  left(member: Member<T>): void {
    this.members.delete(member);
    this.note(member, 0);
    this.watch(member, 0, 0);
  }

  get isFull(): boolean {
    return this.free <= 0;
  }

  /** Do so many wait already that one more for this member is too much? Those for the unproven do not count for others. */
  isCrowded({ proven, sharer }: Member<T>): boolean {
    const { out, closing } = this.census;
    const waiting = this.tally.waiting - (proven ? this.waitingUnproven : 0);
    return waiting >= sharer.interior.settings.maxWaiting + Math.max(0, this.max - out - closing);
  }

  roomFor(member: Member<T>): number {
    if (!member.proven && this.probation === 0) return 0;
    // One place at a time; those that want nothing for a borrower have what is left when all others have had theirs.
    const wanting = this.proven.size + Math.min(this.unproven.size, this.probation);
    return this.first === member ? Math.min(this.free, 1) : this.free - wanting;
  }

  /** It was its turn; the next one is somebody else's. */
  took(member: Member<T>): void {
    this.note(member, member.demand);
    const { census, waiters } = member.sharer.interior;
    // Its create is about to begin.
    if (!member.proven) this.watch(member, census.creating + 1, waiters.length);
  }

  yields(member: Member<T>): boolean {
    const { first } = this;
    if (!first || this.demandBeside(member) <= this.free + this.census.closing) return false;
    const has = first.sharer.interior.census.alive;
    return has === 0 || member.sharer.interior.census.alive >= has + 2;
  }

  /** A member has changed: notes what it wants, and sees what can be done for all. */
  settled(member: Member<T>): void {
    if (this.isQuietFor(member)) return;
    this.note(member, demandOf(member.sharer));
    this.dispatchAgain = true;
    if (this.dispatching) return;
    this.dispatching = true;
    try {
      while (this.dispatchAgain) {
        this.dispatchAgain = false;
        this.grant();
        this.makeRoom();
        this.endProbation();
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

  /**
   * Nobody is noted to want anything, and this member wants nothing either, since nobody waits, or since it has all that it
   * may have: so it is at most borrows and returns.
   */
  private isQuietFor({ onProbation, sharer }: Member<T>): boolean {
    if (this.proven.size > 0 || this.unproven.size > 0 || onProbation > 0) return false;
    if (this.tally.waiting === 0) return true;
    const { census, limits } = sharer.interior;
    return !this.owners.any && census.places >= limits.max + limits.overflow;
  }

  private get free(): number {
    return this.max - this.census.places;
  }

  /** How many creates of unproven members may begin. */
  private get probation(): number {
    return Math.max(0, this.mostOnProbation - this.onProbation);
  }

  /** How many places members could make use of, as far as they are allowed to. */
  private get demand(): number {
    return this.proven.demand + Math.min(this.unproven.demand, this.probation);
  }

  private demandBeside({ proven, demand }: Member<T>): number {
    return proven
      ? this.demand - demand
      : this.proven.demand + Math.min(this.unproven.demand - demand, this.probation);
  }

  private get first(): Member<T> | undefined {
    const proven = this.proven.first;
    const unproven = this.probation > 0 ? this.unproven.first : undefined;
    if (!proven || !unproven) return proven ?? unproven;
    // By what each had when it came into its queue: one that has just given its place away does not come first for that.
    const more = this.proven.fewest - this.unproven.fewest;
    return (more || proven.ticket - unproven.ticket) > 0 ? unproven : proven;
  }

  private note(member: Member<T>, demand: number): void {
    const { census, waiters } = member.sharer.interior;
    const { creating, alive } = census;
    if (member.proven) this.watch(member, 0, 0);
    else this.watch(member, creating, waiters.length);
    const turns = member.proven ? this.proven : this.unproven;
    const queue = demand > 0 ? turns.queueOf(alive) : undefined;
    // One that stays in its queue keeps its turn.
    if (queue !== member.queue) {
      if (member.queue?.delete(member)) member.turns!.size--;
      if (queue) {
        queue.add(member);
        member.ticket = ++this.tickets;
        turns.size++;
      }
      member.queue = queue;
    }
    if (member.turns) member.turns.demand -= member.demand;
    turns.demand += demand;
    member.turns = turns;
    member.demand = demand;
  }

  /** How much of a member is on probation. */
  private watch(member: Member<T>, creating: number, waiting: number): void {
    this.waitingUnproven += waiting - member.waitingUnproven;
    member.waitingUnproven = waiting;
    this.onProbation += creating - member.onProbation;
    member.onProbation = creating;
    if (creating > 0) this.probationers.add(member);
    else this.probationers.delete(member);
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

  /** Others wait for their turn behind unproven ones: the place of one that hangs goes to the next. */
  private endProbation(): void {
    if (this.probation > 0 || this.unproven.size === 0) return;
    for (const { sharer } of this.probationers) {
      for (const slot of sharer.interior.slots) {
        if (slot.state !== 'creating' || !slot.hangs) continue;
        sharer.giveUp(slot);
        return;
      }
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
