import type { Priority } from '../basics/priority.js';
import type { Advice } from './advice.js';
import type { DestroyReason } from './destroy-reason.js';
import type { PoolState } from './stats.js';
import type { ResourceTarget } from './target.js';

/** What every event has: the pool's name, the moment on the pool's clock, and the resource's number in its pool. */
export interface PoolEvent {
  readonly pool: string;
  readonly at: number;
}
export interface SlotEvent extends PoolEvent {
  readonly slot: number;
}
export interface AcquireEvent extends SlotEvent {
  /** Milliseconds in the queue. */
  readonly waitedMs: number;
}
export interface ReleaseEvent extends SlotEvent {
  /** The error the borrower reported, if any. */
  readonly error: unknown;
  /** Milliseconds. */
  readonly heldMs: number;
}
export interface WaitedEvent extends PoolEvent {
  /** Milliseconds; 0 for one that was refused at once. */
  readonly waitedMs: number;
  /** The number of the resource that it has got; undefined when it has failed. */
  readonly slot: number | undefined;
  /** Why it has got nothing. */
  readonly error: unknown;
  readonly priority: Priority;
  /** Who wanted to borrow, as it calls itself; undefined where the borrower did not say. */
  readonly owner: string | undefined;
  /** What the resource is a connection to; of a pool by key, with what the factory says of the key. */
  readonly target: ResourceTarget | undefined;
}
export interface CreateEvent extends SlotEvent {
  readonly tookMs: number;
}
export interface CreateFailedEvent extends SlotEvent {
  readonly error: unknown;
  /** How many attempts in a row have failed. */
  readonly attempt: number;
  /** Milliseconds until the next attempt may begin. */
  readonly retryInMs: number;
}
export interface DestroyEvent extends SlotEvent {
  readonly reason: DestroyReason;
  /** What led to it, e.g. the error event of the resource. */
  readonly cause: unknown;
  /** What `destroy` itself failed with, if it did. */
  readonly error: unknown;
}
export type AbandonReason = 'limit' | 'place' | 'closed';

export interface AbandonEvent extends SlotEvent {
  readonly stage: 'create' | 'destroy';
  /** For how long it had been running, in milliseconds. */
  readonly ranMs: number;
  /** How long it may run, in milliseconds. */
  readonly limitMs: number;
  /**
   * Why it was given up: it has reached its limit; it hangs, and somebody else needs its place; or the pool closes, and its
   * deadline has come.
   */
  readonly reason: AbandonReason;
}
export interface TimeoutEvent extends PoolEvent {
  readonly waitedMs: number;
}
export interface RefuseEvent extends PoolEvent {
  /** Of the error that the acquire was refused with at once. */
  readonly code: 'POOL_QUEUE_FULL' | 'POOL_UNAVAILABLE' | 'POOL_CLOSED';
}
export interface ShedEvent extends PoolEvent {
  readonly waitedMs: number;
}
export interface LeakEvent extends SlotEvent {
  /** Which option it exceeds; `close` when it was not back at the deadline of `close()`, and was taken away. */
  readonly limit: 'leakThreshold' | 'maxHold' | 'close';
  /** Undefined for `close` where neither option is set and the hold time was not sampled. */
  readonly heldMs: number | undefined;
  /** Where it was acquired; empty for `close` where nothing wanted to know it then. */
  readonly stack: string;
  /** Who has borrowed it, as it calls itself (of a request its method and path); undefined where the borrower did not say. */
  readonly owner: string | undefined;
  /** false when the threshold passes, true when the lease does come back after all. */
  readonly returned: boolean;
}
export interface LateUseEvent extends SlotEvent {
  /** What was done with the resource, e.g. `query()` or `set tenant`. */
  readonly use: string;
  /** Where. */
  readonly stack: string;
  /** Where its lease had ended. */
  readonly releasedAt: string;
}
export interface StateEvent extends PoolEvent {
  readonly from: PoolState;
  readonly to: PoolState;
  /** For `unavailable`: the last create error. */
  readonly cause: unknown;
}

export interface AdviceEvent extends PoolEvent {
  readonly advice: Advice;
}

/**
 * Somebody who watches a pool: metrics, logs. Every method is optional and synchronous; what it throws or rejects is
 * dropped.
 */
export interface PoolListener {
  onAcquire?(event: AcquireEvent): void;
  onRelease?(event: ReleaseEvent): void;
  /**
   * An acquire that found nothing idle has come to its end, or one has failed. Called in the asynchronous context of its caller,
   * so that a span that begins here is a child of the caller's.
   */
  onWaited?(event: WaitedEvent): void;
  onCreate?(event: CreateEvent): void;
  onCreateFailed?(event: CreateFailedEvent): void;
  onDestroy?(event: DestroyEvent): void;
  /** User code did not settle in time; its slot was given up, and the cap no longer counts it. */
  onAbandon?(event: AbandonEvent): void;
  onTimeout?(event: TimeoutEvent): void;
  /** An acquire was refused at once: the queue was full, or the pool unavailable or closed. */
  onRefuse?(event: RefuseEvent): void;
  /** An acquire was refused because the queue had been standing; see `shed`. */
  onShed?(event: ShedEvent): void;
  onLeak?(event: LeakEvent): void;
  /** A resource was used after its lease had ended; see `detectUseAfterRelease`. */
  onLateUse?(event: LateUseEvent): void;
  /** The factory's `capacity` has told that the pool may open more than the server admits. Told once, if at all. */
  onAdvice?(event: AdviceEvent): void;
  onStateChange?(event: StateEvent): void;
}
