import type { CreateContext } from './factory.js';

/** How a borrow has ended, for `onReturn`. */
export type BorrowOutcome = 'success' | 'error' | 'aborted';

/** What `onReturn` is told. @typeParam R the request, as the platform has it */
export interface ReturnContext<R = unknown> {
  /** The number of the resource in its pool, as listeners are told it. */
  readonly slot: number;
  /** On whose behalf it was borrowed, as `acquire` was given it. */
  readonly owner: object | undefined;
  /** The `request` of the owner, if it has one. That of a borrow in a Nest application is the HTTP request it is for. */
  readonly request: R;
}

/** What `onBorrow` is told. @typeParam R the request, as the platform has it */
export interface BorrowContext<R = unknown> extends ReturnContext<R> {
  /** Aborted when the borrower has gone: its time is up, its own signal was aborted, or the pool is closed. */
  readonly signal: AbortSignal;
}

/**
 * What is done with a resource around its borrows, beside what its factory does. Each may be synchronous or return a
 * promise; what they return is of no account, what they throw is. They get the resource itself, not the handle of a
 * borrower, and run outside of the async context of whoever borrows: what they need of it is in their context.
 */
export interface SessionHooks<T> {
  /**
   * Once in the life of a resource, after `create` and within `createTimeout`; again when a `reset` has answered
   * `'renewed'`, within `resetTimeout`. A throw or a rejection destroys it and counts as a create that has failed.
   */
  onCreate?(resource: T, context: CreateContext): unknown;
  /**
   * Before a borrower gets it, within the time that its acquire has. A throw or a rejection fails that borrow, as it is; it is
   * shown to `isFatal`, and where it is not fatal the resource is cleaned for the next one. For `tryAcquire`, and an acquire
   * with a `timeout` of 0, it must be synchronous.
   */
  onBorrow?(resource: T, context: BorrowContext): unknown;
  /**
   * When it comes back, before `reset`, the time of both being `resetTimeout`. A throw or a rejection destroys it. Not called
   * for a resource that is destroyed anyway, or detached.
   *
   * @param outcome `error` when it was released with an error, or its `onBorrow` has failed; `aborted` when the borrow had
   *   been given up: the lease's signal was aborted, or the borrower had gone before `onBorrow` was done
   */
  onReturn?(resource: T, outcome: BorrowOutcome, context: ReturnContext): unknown;
}

/** What hooks of a keyed pool are told as well. */
interface OfKey<K> {
  readonly key: K;
}

export type KeyedReturnContext<K, R = unknown> = ReturnContext<R> & OfKey<K>;
export type KeyedBorrowContext<K, R = unknown> = BorrowContext<R> & OfKey<K>;

/** {@link SessionHooks} of a keyed pool: each is told the key. */
export interface KeyedSessionHooks<K, T> {
  onCreate?(resource: T, context: CreateContext & OfKey<K>): unknown;
  onBorrow?(resource: T, context: KeyedBorrowContext<K>): unknown;
  onReturn?(resource: T, outcome: BorrowOutcome, context: KeyedReturnContext<K>): unknown;
}

/** The hooks of a pool of one key. */
export function hooksOf<K, T>(hooks: KeyedSessionHooks<K, T>, key: K): SessionHooks<T> {
  // Written into the context, which is made for one call: its signal is made when it is asked for.
  const named = <C extends object>(context: C): C & OfKey<K> => Object.assign(context, { key });
  const own: SessionHooks<T> = {
    onCreate: (resource, context) => hooks.onCreate?.(resource, { ...context, key }),
    onBorrow: (resource, context) => hooks.onBorrow?.(resource, named(context)),
    onReturn: (resource, outcome, context) => hooks.onReturn?.(resource, outcome, named(context)),
  };
  // A pool does more where there is one.
  return Object.fromEntries(Object.entries(own).filter(([name]) => name in hooks));
}

/** What is told of one borrow. */
export class HookContext implements BorrowContext {
  #abort: AbortController | undefined = undefined;
  #gone: Error | undefined = undefined;

  constructor(
    readonly slot: number,
    readonly owner: object | undefined,
  ) {}

  get request(): unknown {
    return (this.owner as { readonly request?: unknown } | undefined)?.request;
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.#gone) this.#abort.abort(this.#gone);
    }
    return this.#abort.signal;
  }

  /** @internal */
  abort(why: Error): void {
    this.#gone = why;
    this.#abort?.abort(why);
  }
}
