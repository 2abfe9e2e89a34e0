import { isThenable } from '../engine/basics/user-code.js';
import type { BorrowScope } from '../scope/index.js';
import { watchOf } from './bodies.js';
import { HttpScope } from './http.js';

/**
 * Holds a scope until a promise has settled or a stream has closed.
 *
 * @param hold takes the hold
 * @returns what it was given; of a thenable that is no promise (a query that is sent when somebody waits for it) a promise,
 *   as it may be asked only once
 * @throws TypeError when it is neither
 */
export function holdUntil(scope: BorrowScope, work: unknown, hold: () => () => void): unknown {
  const watch = watchOf(work);
  if (watch) {
    const endUnread = watch(scope, hold());
    if (scope instanceof HttpScope) scope.endsAtReply(endUnread);
    return work;
  }
  if (!isThenable(work)) {
    throw new TypeError(
      'scopes.until() takes a promise, a stream or an async iterable: what it is given must be able to tell its end.',
    );
  }
  const drop = hold();
  const promise = Promise.resolve(work);
  // Whoever awaits it gets its error; that it is waited for here must not end the process.
  promise.then(drop, drop);
  return promise;
}
