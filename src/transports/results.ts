import { Readable, finished } from 'node:stream';
import { Logger, StreamableFile } from '@nestjs/common';
import { Observable } from 'rxjs';
import { inScope, type BorrowScope } from '../scope/index.js';
import { HttpScope } from './http.js';

/**
 * Holds the scope from subscription to the end of the subscription, however it ends.
 *
 * @param endless it may never complete by itself (SSE): it is completed when the application stops, and when its response
 *   is over and nobody has unsubscribed, as interceptors can swallow that
 */
export function holdWhileSubscribed<V>(
  scope: BorrowScope,
  source: Observable<V>,
  endless: boolean,
): Observable<V> {
  return new Observable<V>(subscriber => {
    const { stopping } = scope.host;
    const complete = (): void => {
      subscriber.complete();
    };
    const response = endless && scope instanceof HttpScope ? scope : undefined;
    if (response?.over) {
      complete();
      return;
    }
    const drop = scope.hold();
    const end = (): void => {
      try {
        complete();
      } catch (error) {
        // A teardown of the application has failed, and this was called by an event.
        new Logger('PoolModule').error(error);
      }
    };
    if (endless) {
      if (stopping.aborted) complete();
      else stopping.addEventListener('abort', end, { once: true });
    }
    const forget = response?.whenOver(end);
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
      stopping.removeEventListener('abort', end);
      forget?.();
      try {
        // The source cleans up first: its teardown may still use what the scope has borrowed.
        inner.unsubscribe();
      } catch (error) {
        scope.fail(error);
        throw error;
      } finally {
        drop();
      }
    };
  });
}

/**
 * Holds the scope until the source of a streamed body has closed: a `StreamableFile`, a `Readable`, an async generator
 * or another async iterable, a web `ReadableStream` or `Response`. Not until the response has: that closes earlier when
 * the client leaves.
 *
 * @returns whether the value is such a body
 */
export function holdWhileStreaming(scope: BorrowScope, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof StreamableFile) holdUntilClosed(scope, value.getStream());
  else if (value instanceof Readable) holdUntilClosed(scope, value);
  else if (isWebStream(value)) holdUntilRead(scope, value);
  else if (isWebResponse(value) && value.body) holdUntilRead(scope, value.body);
  else if (Symbol.asyncIterator in value && !('then' in value)) holdUntilIterated(scope, value as Iterable);
  else return false;
  return true;
}

// Not by their class: a `fetch` of another package than Node's has classes of its own.
function isWebStream(value: object): value is ReadableStream {
  return 'getReader' in value && typeof value.getReader === 'function';
}
function isWebResponse(value: object): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

type Iterable = AsyncIterable<unknown> & Partial<AsyncIterator<unknown>>;

function holdUntilClosed(scope: BorrowScope, stream: Readable): void {
  const drop = scope.hold();
  finished(stream, { writable: false }, error => {
    if (error) scope.fail(error);
    drop();
  });
}

/** Whoever reads it takes a reader, which knows when it is over; ending it takes as long as its source needs. */
function holdUntilRead(scope: BorrowScope, stream: ReadableStream): void {
  const drop = scope.hold();
  const getReader = stream.getReader.bind(stream) as () => ReadableStreamDefaultReader;
  const cancel = stream.cancel.bind(stream);
  stream.cancel = reason => cancel(reason).finally(drop);
  stream.getReader = (() => {
    const reader = getReader();
    const cancelReader = reader.cancel.bind(reader);
    let cancelled = false;
    reader.cancel = reason => {
      cancelled = true;
      return cancelReader(reason).finally(drop);
    };
    const closed = (): void => {
      if (!cancelled) drop();
    };
    reader.closed.then(closed, closed);
    return reader;
  }) as ReadableStream['getReader'];
}

/** An async generator is its own iterator; others give one when they are read. */
function holdUntilIterated(scope: BorrowScope, iterable: Iterable): void {
  const drop = scope.hold();
  if (typeof iterable.next === 'function') {
    dropAtItsEnd(scope, iterable as AsyncIterator<unknown>, drop);
    return;
  }
  const open = iterable[Symbol.asyncIterator].bind(iterable);
  iterable[Symbol.asyncIterator] = () => dropAtItsEnd(scope, open(), drop);
}

/** The iterator's own methods are replaced: whoever holds it already gets the same. */
function dropAtItsEnd(
  scope: BorrowScope,
  iterator: AsyncIterator<unknown>,
  drop: () => void,
): AsyncIterator<unknown> {
  const step = async (
    call: () => Promise<IteratorResult<unknown>> | undefined,
    last: boolean,
  ): Promise<IteratorResult<unknown>> => {
    try {
      // Whoever pulls may do so from an event that knows nothing of the request.
      const result = (await inScope(scope, call)) ?? { done: true, value: undefined };
      if (last || result.done) drop();
      return result;
    } catch (error) {
      scope.fail(error);
      drop();
      throw error;
    }
  };
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the iterator as `this` below
  const { next, return: end, throw: fail } = iterator;
  iterator.next = (...args) => step(() => next.apply(iterator, args), false);
  // Ending one that has not begun skips its `finally`, and not every iterator can be ended: it must go back all the same.
  iterator.return = value => step(() => end?.call(iterator, value), true);
  if (fail) iterator.throw = error => step(() => fail.call(iterator, error), true);
  return iterator;
}
