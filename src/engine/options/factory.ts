import { isThenable, swallow, type Outcome } from '../basics/user-code.js';
import type { LeaseReleasedError } from '../errors.js';
import type { Capacity } from '../reports/advice.js';
import type { DestroyReason } from '../reports/destroy-reason.js';
import type { ResourceTarget } from '../reports/target.js';

/** What a create is given. */
export interface CreateContext {
  /** The number of the resource in its pool, as listeners are told it. */
  readonly slot: number;
  /** Aborted when nobody wants the result any more: past `createTimeout`, or the pool is closing. */
  readonly signal: AbortSignal;
  /**
   * Tells the pool that the resource has become unusable, at any time of its life; it will be destroyed instead of
   * being lent again. Fits as an event listener: `client.on('error', invalidate)`.
   */
  readonly invalidate: (cause?: unknown) => void;
}

/** `false` and other falsy answers mean no; nothing at all (`undefined`) means yes. */
export type Verdict = boolean | undefined | void | object;

/**
 * As {@link Verdict}; `'renewed'` says that it is clean, and that what `onCreate` had done to it is undone as well. That is
 * then called again before anybody is lent the resource, within the `resetTimeout`.
 */
export type ResetVerdict = Verdict | 'renewed';

/** What one borrower gets in place of the resource itself. */
export interface Handle<T> {
  /** Stands for the resource: what `lease.resource` gives. */
  readonly resource: T;
  /**
   * Has its borrower begun something on the resource (a transaction) that is lost if the resource has broken, and that
   * its borrower has not ended yet? As long as that is so, those who share the borrow are not given another resource, on
   * which they would go on as if nothing were lost. Default false.
   */
  readonly unfinished?: boolean;
  /**
   * The borrow is over: from now on the handle must not let its borrower at the resource. Synchronous, called exactly
   * once, before the resource is reset or destroyed, and not for a resource that is detached.
   *
   * @param why makes the error for a use that comes too late, so that each has the stack of its own user
   */
  revoke(why: () => LeaseReleasedError): void;
}

/** How a transaction is to be; what is not said is up to the server. */
export interface TransactionOptions {
  readonly isolation?: IsolationLevel | undefined;
  /** Default false. */
  readonly readOnly?: boolean | undefined;
  /** Waits for a moment in which nothing can conflict with it: for `serializable` and `readOnly` ones. Default false. */
  readonly deferrable?: boolean | undefined;
}

export type IsolationLevel = 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable';

/** A transaction that a factory has begun, see {@link ResourceFactory.begin}. */
export interface OpenTransaction {
  /** A rejection means that it was not committed, or that nobody knows; its error says which. */
  commit(): unknown;
  /** Ends it without a trace. When that fails, the resource must not pass its reset. */
  rollback(): unknown;
  /** Begins one within it, such as a savepoint. */
  begin?(): OpenTransaction | PromiseLike<OpenTransaction>;
  /** Runs work as a part of it, in which others who share the borrow have none. */
  run?<R>(work: () => R): R;
}

/** How the pool makes, checks, cleans and destroys resources. Every member may be synchronous or return a promise. */
export interface ResourceFactory<T> {
  /** Makes one resource. The only required member. */
  create(context: CreateContext): T | PromiseLike<T>;
  /** Is it still usable? A falsy answer other than `undefined`, a throw or a rejection means no. */
  validate?(resource: T): Verdict | PromiseLike<Verdict>;
  /** Cleans it for the next borrower. A falsy answer other than `undefined`, a throw or a rejection destroys it. */
  reset?(resource: T): ResetVerdict | PromiseLike<ResetVerdict>;
  /** Ends it. Its place in the pool is free only when this has settled, or past `destroyTimeout`. */
  destroy?(resource: T, reason: DestroyReason, context: { readonly slot: number }): unknown;
  /**
   * Makes what one borrower gets in place of the resource, so that it can be taken from it. Synchronous, called when
   * the borrower first asks for `lease.resource`; all other members get the resource itself. A throw destroys it.
   */
  handle?(resource: T): Handle<T>;
  /**
   * Begins a transaction on what one borrower got, for `lease.begin()`. Whoever gives the resource back with one that is
   * open expects it to be rolled back by `reset`.
   *
   * @param whole do all who share the borrow take part, or only the holder of this handle and what it runs?
   */
  begin?(
    handle: T,
    options: TransactionOptions,
    whole: boolean,
  ): OpenTransaction | PromiseLike<OpenTransaction>;
  /**
   * Does this error, seen by the borrower of this resource, mean that it is broken? Synchronous; only `true` counts, but
   * a throw or a promise counts as true, since unknown is unsafe.
   */
  isFatal?(error: unknown, resource: T): boolean;
  /** Is it worth trying again after this create error? Synchronous; only `false` means no. */
  isRetryable?(error: unknown): boolean;
  /** What its resources are connections to, if they all are to the same; see `pool.target`. */
  readonly target?: ResourceTarget | undefined;
  /**
   * How many resources does the other side admit? Asked once, when the first resource has been made, and waited for by
   * nobody; undefined, a throw or a rejection means that it is not known. For `pool.advice()` and `onAdvice`.
   */
  capacity?(): Capacity | undefined | PromiseLike<Capacity | undefined>;
}

/** Did user code say yes? */
export function approves(outcome: Outcome<ResetVerdict>): boolean {
  return outcome.ok && (outcome.value === undefined || Boolean(outcome.value));
}

/** Asks `isFatal`: a throw or a promise counts as true. */
export function isFatal<T>(factory: ResourceFactory<T>, error: unknown, resource: T): boolean {
  try {
    const answer: unknown = factory.isFatal?.(error, resource);
    if (!isThenable(answer)) return answer === true;
    swallow(answer);
    return true;
  } catch {
    return true;
  }
}

/** Asks `isRetryable`: anything but a plain `false` is a yes. */
export function isRetryable<T>(factory: ResourceFactory<T>, error: unknown): boolean {
  try {
    const answer: unknown = factory.isRetryable?.(error);
    if (isThenable(answer)) swallow(answer);
    return answer !== false;
  } catch {
    return true;
  }
}
