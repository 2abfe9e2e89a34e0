import type { BorrowScope } from '../scope/index.js';
import { watchOf } from './bodies.js';

/**
 * Holds a scope until a promise has settled or a stream has closed.
 *
 * @param hold takes the hold
 * @throws TypeError when it is neither
 */
export function holdUntil(scope: BorrowScope, work: unknown, hold: () => () => void): void {
  const watch = watchOf(work);
  if (watch) watch(scope, hold());
  else if (isThenable(work)) {
    const drop = hold();
    work.then(drop, drop);
  } else {
    throw new TypeError(
      'scopes.until() takes a promise, a stream or an async iterable: what it is given must be able to tell its end.',
    );
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
