import type { Growth } from './growth.js';
import type { IdleSlots } from './idle-slots.js';
import type { Interior } from './interior.js';
import type { WaitingOwners } from './owners.js';
import type { Census, Slot } from './slot.js';

/** What a pool shows to those it shares a total with. */
export interface Sharer<T> {
  readonly interior: Interior<T>;
  readonly growth: Growth<T>;
  /** Brings its waiters and what there is together. */
  serve(): void;
  /** Destroys one of its idle resources, to make room. */
  evict(slot: Slot<T>): void;
}

/** A pool's part of a total that it shares with others. The total may live elsewhere: other keys, other processes. */
export interface Share<T> {
  /** How many more resources this pool may make now. */
  readonly room: number;
  readonly census: Census;
  readonly owners: WaitingOwners;
  readonly idle: IdleSlots<T>;
  join(sharer: Sharer<T>): void;
  /** A place has been taken. */
  took(): void;
  /** Should a resource that is free now make room for another pool, rather than serve one's own waiters? */
  yields(): boolean;
  /** The pool has done what it can for now. */
  settled(): void;
}
