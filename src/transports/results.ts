import { Readable, finished } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import { Observable } from 'rxjs';
import { inScope, type BorrowScope } from '../scope/index.js';

/**
 * Holds the scope from subscription to the end of the subscription, however it ends.
 *
 * @param endless it may never complete by itself (SSE): it is completed when the application stops
 */
export function holdWhileSubscribed<V>(
  scope: BorrowScope,
  source: Observable<V>,
  endless: boolean,
): Observable<V> {
  return new Observable<V>(subscriber => {
    const drop = scope.hold();
    const { stopping } = scope.host;
    const complete = (): void => {
      subscriber.complete();
    };
    if (endless) {
      if (stopping.aborted) complete();
      else stopping.addEventListener('abort', complete, { once: true });
    }
    const inner = inScope(scope, () =>
      source.subscribe({
        next: value => {
          subscriber.next(value);
        },
        error: (error: unknown) => {
          scope.fail(error);
          subscriber.error(error);
        },
        complete,
      }),
    );
    return () => {
      stopping.removeEventListener('abort', complete);
      // The source cleans up first: its teardown may still use what the scope has borrowed.
      inner.unsubscribe();
      drop();
    };
  });
}

/**
 * Holds the scope until the source of a streamed body has closed: a `StreamableFile`, a `Readable`, an async generator
 * or another async iterable. Not until the response has: that closes earlier when the client leaves.
 *
 * @returns whether the value is such a body
 */
export function holdWhileStreaming(scope: BorrowScope, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof StreamableFile) {
    holdUntilClosed(scope, value.getStream());
  } else if (value instanceof Readable) {
    holdUntilClosed(scope, value);
  } else if (isAsyncIterator(value)) {
    holdUntilDone(scope, value);
  } else {
    return false;
  }
  return true;
}

function holdUntilClosed(scope: BorrowScope, stream: Readable): void {
  const drop = scope.hold();
  finished(stream, { writable: false }, error => {
    if (error) scope.fail(error);
    drop();
  });
}

/** Its own methods are replaced, as the iterator of an async generator is the generator itself. */
function holdUntilDone(scope: BorrowScope, iterator: AsyncIterator<unknown>): void {
  const drop = scope.hold();
  const step = (
    call: () => Promise<IteratorResult<unknown>>,
    last: boolean,
  ): Promise<IteratorResult<unknown>> =>
    // Whoever pulls may do so from an event that knows nothing of the request.
    inScope(scope, call).then(
      result => {
        if (last || result.done) drop();
        return result;
      },
      (error: unknown) => {
        scope.fail(error);
        drop();
        throw error;
      },
    );
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the iterator as `this` below
  const { next, return: end, throw: fail } = iterator;
  iterator.next = (...args) => step(() => next.apply(iterator, args), false);
  // Ending one that has not begun skips its `finally`: what it holds must go back all the same.
  if (end) iterator.return = value => step(() => end.call(iterator, value), true);
  if (fail) iterator.throw = error => step(() => fail.call(iterator, error), true);
}

function isAsyncIterator(value: object): value is AsyncIterator<unknown> {
  return Symbol.asyncIterator in value && typeof (value as { next?: unknown }).next === 'function';
}
