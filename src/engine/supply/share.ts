import type { DeadlockedHolder } from '../errors.js';
import type { Lease } from '../lease.js';
import type { Title } from '../reports/channels.js';
import type { WaitingOwners } from '../queue/owners.js';
import type { Waiter } from '../queue/waiter-queue.js';
import type { Waiting } from '../queue/waiting.js';
import type { IdleSlots } from '../slots/idle-slots.js';
import type { Census, Slot } from '../slots/slot.js';
import type { Stock } from '../slots/stock.js';

/** Whether a pool would make more, and how much; growth.ts knows. */
interface Appetite {
  /** May a create begin now, if there is room? */
  readonly ready: boolean;
  readonly demand: { readonly unmet: number };
  readonly attempts: { readonly backsOff: boolean };
}
import type { Pace } from '../time/pace.js';

/** What a pool shows to those it shares a total with. */
export interface Sharer<T> {
  readonly interior: Stock<T> & Waiting<T>;
  readonly growth: Appetite;
  /** Brings its waiters and what there is together. */
  serve(): void;
  /** Gives a create of it up, to make room. */
  giveUp(slot: Slot<T>): void;
  /** Destroys one of its idle resources, to make room. */
  evict(slot: Slot<T>): void;
  /** Tells one of its waiters, taken out of the queue, that it would wait for ever. */
  deadlocked(waiter: Waiter<Lease<T>>, holders: readonly DeadlockedHolder[]): void;
}

/** A pool's part of a total that it shares with others. The total may live elsewhere: other keys, other processes. */
export interface Share<T> {
  /** What those who know the whole call this pool. */
  readonly title: Title;
  /** How many more resources this pool may make now. */
  readonly room: number;
  /** How many wait for a resource of any of them; kept by their queues. */
  readonly tally: { waiting: number };
  /** Are all places taken, by whichever of them? */
  readonly isFull: boolean;
  /** Do more wait than may, of all of them together? */
  readonly isCrowded: boolean;
  /** How long creates take, of all of them. */
  readonly pace: Pace;
  readonly census: Census;
  readonly owners: WaitingOwners;
  readonly idle: IdleSlots<T>;
  join(sharer: Sharer<T>): void;
  /** The pool is closed. */
  leave(): void;
  /** A create has succeeded: this pool is known to come to something. Or it has failed, or is late. */
  proved(well: boolean): void;
  /** A place has been taken. */
  took(): void;
  /** Should a resource that is free now make room for another pool, rather than serve one's own waiters? */
  yields(slot: Slot<T>): boolean;
  /** The pool has done what it can for now. */
  settled(): void;
}
