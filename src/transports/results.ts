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
 * or another async iterable, a web `ReadableStream` or `Response`. Not until the response has: that closes earlier when
 * the client leaves.
 *
 * @returns when the value is such a body, what to call when the reply is complete
 */
export function holdWhileStreaming(scope: BorrowScope, value: unknown): EndUnread | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof StreamableFile) return holdUntilClosed(scope, value.getStream());
  if (value instanceof Readable) return holdUntilClosed(scope, value);
  if (isWebStream(value)) return holdUntilRead(scope, value);
  if (isWebResponse(value) && value.body) return holdUntilRead(scope, value.body);
  if (Symbol.asyncIterator in value && !('then' in value)) return holdUntilIterated(scope, value as Iterable);
  return undefined;
}

/**
 * Ends a source that nobody has begun to read, and nobody will: an interceptor has put something else in its place, or
 * this version of NestJS does not stream its kind. (11 on Express streams a `StreamableFile` and makes JSON of the rest.)
 */
export type EndUnread = () => void;

// Not by their class: a `fetch` of another package than Node's has classes of its own.
function isWebStream(value: object): value is ReadableStream {
  return 'getReader' in value && typeof value.getReader === 'function';
}
function isWebResponse(value: object): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

type Iterable = AsyncIterable<unknown> & Partial<AsyncIterator<unknown>>;

function holdUntilClosed(scope: BorrowScope, stream: Readable): EndUnread {
  const drop = scope.hold();
  let unread = false;
  finished(stream, { writable: false }, error => {
    if (error && !unread) scope.fail(error);
    drop();
  });
  return () => {
    unread = stream.readableFlowing === null && !stream.readableDidRead && !stream.listenerCount('readable');
    if (unread) stream.destroy();
  };
}

/** Whoever reads it takes a reader, which knows when it is over; ending it takes as long as its source needs. */
function holdUntilRead(scope: BorrowScope, stream: ReadableStream): EndUnread {
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
  return () => {
    if (!stream.locked) stream.cancel().catch(() => undefined);
  };
}

/** An async generator is its own iterator; others give one when they are read. */
function holdUntilIterated(scope: BorrowScope, iterable: Iterable): EndUnread {
  const drop = scope.hold();
  let begun = false;
  const begin = (): void => {
    begun = true;
  };
  if (typeof iterable.next === 'function') {
    const iterator = dropAtItsEnd(scope, iterable as AsyncIterator<unknown>, drop, begin);
    return () => {
      if (!begun) iterator.return?.().catch(() => undefined);
    };
  }
  const open = iterable[Symbol.asyncIterator].bind(iterable);
  iterable[Symbol.asyncIterator] = () => {
    begin();
    return dropAtItsEnd(scope, open(), drop);
  };
  return () => {
    if (!begun) drop();
  };
}

/** The iterator's own methods are replaced: whoever holds it already gets the same. */
function dropAtItsEnd(
  scope: BorrowScope,
  iterator: AsyncIterator<unknown>,
  drop: () => void,
  begin: () => void = () => undefined,
): AsyncIterator<unknown> {
  const step = async (
    call: () => Promise<IteratorResult<unknown>> | undefined,
    last: boolean,
  ): Promise<IteratorResult<unknown>> => {
    begin();
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
