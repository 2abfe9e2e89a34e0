import type { Title } from '../reports/channels.js';
import type { WaitingOwners } from '../queue/owners.js';
import { IdleSlots } from '../slots/idle-slots.js';
import type { Census, Slot } from '../slots/slot.js';
import type { Share, Sharer } from '../supply/share.js';
import type { Pace } from '../time/pace.js';
import type { Turns } from './turns.js';

/** What a member needs of the total. */
interface Total<T> {
  readonly census: Census;
  readonly owners: WaitingOwners;
  readonly tally: { waiting: number };
  readonly pace: Pace;
  readonly isFull: boolean;
  isCrowded(member: Member<T>): boolean;
  roomFor(member: Member<T>): number;
  joined(member: Member<T>): void;
  left(member: Member<T>): void;
  took(member: Member<T>): void;
  yields(member: Member<T>): boolean;
  settled(member: Member<T>): void;
}

/** One of the pools under the total. */
export class Member<T> implements Share<T> {
  readonly idle: IdleSlots<T>;
  sharer!: Sharer<T>;
  /** How many places it could make use of. */
  demand = 0;
  /** How many creates of it were under way at the last look, and how many waited, while it was unproven. */
  onProbation = 0;
  waitingUnproven = 0;
  /** Who came into any queue earlier has a lower one. */
  ticket = 0;
  /** Among whom it has its turns. */
  turns: Turns<Member<T>> | undefined = undefined;
  /** Where it waits for its turn, while it could make use of any. */
  queue: Set<Member<T>> | undefined = undefined;

  constructor(
    readonly title: Title,
    private readonly total: Total<T>,
    idle: Map<Slot<T>, Member<T>>,
    order: 'lifo' | 'fifo',
    /** Have its creates come to something? */
    public proven: boolean,
    private readonly empty: () => void,
  ) {
    this.idle = new SharedIdleSlots(order, idle, this);
  }

  get census(): Census {
    return this.total.census;
  }

  get owners(): WaitingOwners {
    return this.total.owners;
  }

  get tally(): { waiting: number } {
    return this.total.tally;
  }

  get isFull(): boolean {
    return this.total.isFull;
  }

  get isCrowded(): boolean {
    return this.total.isCrowded(this);
  }

  get pace(): Pace {
    return this.total.pace;
  }

  get room(): number {
    return this.total.roomFor(this);
  }

  join(sharer: Sharer<T>): void {
    this.sharer = sharer;
    this.total.joined(this);
  }

  leave(): void {
    this.total.left(this);
  }

  proved(well: boolean): void {
    this.proven = well;
  }

  took(): void {
    this.total.took(this);
  }

  yields(slot: Slot<T>): boolean {
    // One that has served nobody yet was made in vain; it is also younger than that by the coarse time.
    if (slot.uses === 0 || this.sharer.interior.coarse.now() - slot.bornAt < slot.tookMs) return false;
    return this.total.yields(this);
  }

  settled(): void {
    this.total.settled(this);
    const { census, waiters } = this.sharer.interior;
    if (census.places === 0 && waiters.length === 0) this.empty();
  }
}

/** The idle slots of a pool, that are also noted among those of all. */
class SharedIdleSlots<T> extends IdleSlots<T> {
  constructor(
    order: 'lifo' | 'fifo',
    private readonly all: Map<Slot<T>, Member<T>>,
    private readonly member: Member<T>,
  ) {
    super(order);
  }

  override push(slot: Slot<T>): void {
    super.push(slot);
    this.all.set(slot, this.member);
  }

  /** One that is put back comes before all that became idle after it, as it does among its own. */
  override insert(slot: Slot<T>, next: Slot<T> | undefined): void {
    super.insert(slot, next);
    this.all.set(slot, this.member);
    for (const [other, member] of [...this.all]) {
      if (other.idleSince <= slot.idleSince) continue;
      this.all.delete(other);
      this.all.set(other, member);
    }
  }

  override remove(slot: Slot<T>): void {
    super.remove(slot);
    this.all.delete(slot);
  }
}
