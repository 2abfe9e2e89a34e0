import { Inject, Injectable } from '@nestjs/common';
import {
  type BorrowScope,
  BorrowScopeEndedError,
  DeadlineExceededError,
  NoBorrowScopeError,
  currentScope,
  runInScope,
  type ScopeHost,
} from '../scope/index.js';
import { holdUntil } from '../transports/index.js';
import { OpenBorrowScope } from './open-borrow-scope.js';
import { PoolRegistry } from './registry.js';

/** Scopes by hand: for work that is no request, and for work in a request that the scope cannot see the end of. */
@Injectable()
export class BorrowScopes {
  constructor(@Inject(PoolRegistry) private readonly host: ScopeHost) {}

  /**
   * Runs `work` in a borrow scope: what it borrows goes back when it has settled. Inside a scope that is running
   * already it joins that one; not one that is over, as that of a request which once started a timer or a queue.
   *
   * @param options `own: true` for a scope of its own, e.g. for work that outlives the request
   */
  run<R>(work: () => R | PromiseLike<R>, options: { own?: boolean } = {}): Promise<R> {
    return runInScope(this.host, options, work);
  }

  /**
   * Opens a scope of its own that stays until it is closed: `await using scope = scopes.open()`. Only what is given to its
   * `run` runs in it. One that nobody closes keeps what it has borrowed: until memory is cleared up, if it ever is, and then
   * the log says so.
   */
  open(): OpenBorrowScope {
    return new OpenBorrowScope(this.host);
  }

  /**
   * Keeps what the current scope has borrowed until the returned function is called: for work that goes on unseen, such
   * as a callback, or a loop that writes into a stream. Where an application says so itself, nothing is destroyed on
   * the suspicion that more may go on.
   *
   * @throws NoBorrowScopeError outside any scope
   * @throws BorrowScopeEndedError when the scope has ended
   */
  hold(): () => void {
    return this.current().vouch();
  }

  /**
   * As {@link hold}, until a promise has settled or a stream has closed: `await this.scopes.until(writeReport(db, out))`,
   * `pipeline(this.scopes.until(rows), csv, response)`.
   *
   * @returns what it was given; of a thenable that is no promise, a promise of it
   * @throws TypeError when that is no promise, stream or async iterable; otherwise as {@link hold}
   */
  until<W extends AsyncIterable<unknown> | ReadableStream>(work: W): W;
  until<V>(work: PromiseLike<V>): Promise<V>;
  until(work: unknown): unknown {
    const scope = this.current();
    return holdUntil(scope, work, () => scope.vouch());
  }

  /**
   * Whole milliseconds that whoever the current work is for still waits, to be passed on to the next service; undefined where
   * there is no deadline, or no scope.
   *
   * @throws DeadlineExceededError when nothing is left: the next call would be in vain, and 0 means "no limit" to many
   */
  remaining(): number | undefined {
    const deadline = currentScope(this.host)?.deadline;
    if (!deadline || deadline.at === Infinity) return undefined;
    if (deadline.left === 0) throw new DeadlineExceededError(undefined, 0, deadline.overdue);
    return Math.max(1, Math.floor(deadline.left));
  }

  private current(): BorrowScope {
    const scope = currentScope(this.host);
    if (!scope) throw new NoBorrowScopeError();
    if (scope.over) throw new BorrowScopeEndedError();
    return scope;
  }
}
