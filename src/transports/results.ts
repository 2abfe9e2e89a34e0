import { Duplex, Readable, finished } from 'node:stream';
import { Logger, StreamableFile } from '@nestjs/common';
import { Observable } from 'rxjs';
import { inScope, type BorrowScope } from '../scope/index.js';

/** Where the events of a subscription go to. */
export interface Audience {
  readonly over: boolean;
  /** @returns forgets it */
  whenOver(tell: () => void): () => void;
}

export interface Subscription<V> {
  /** It may never complete by itself (SSE): it is completed when the application stops. */
  readonly endless?: boolean;
  /** It is completed when this is over and nobody has unsubscribed, as interceptors can swallow that. */
  readonly audience?: Audience | undefined;
  readonly emitted?: (value: V) => void;
  readonly ended?: (how: 'to its end' | 'given up') => void;
}

/** Holds the scope from subscription to the end of the subscription, however it ends. */
export function holdWhileSubscribed<V>(
  scope: BorrowScope,
  source: Observable<V>,
  { endless = false, audience, emitted, ended }: Subscription<V>,
): Observable<V> {
  return new Observable<V>(subscriber => {
    const { stopping } = scope.host;
    let how: 'to its end' | 'given up' = 'given up';
    const complete = (): void => {
      how = 'to its end';
      subscriber.complete();
    };
    if (audience?.over) {
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
    const forget = audience?.whenOver(end);
    const inner = inScope(scope, () =>
      source.subscribe({
        next: value => {
          emitted?.(value);
          subscriber.next(value);
        },
        error: (error: unknown) => {
          how = 'to its end';
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
        ended?.(how);
        drop();
      }
    };
  });
}

/**
 * Holds the scope until the source of a streamed body has closed: a `StreamableFile`, a `Readable`, an async generator
 * or another async iterable, a web `ReadableStream` or `Response`. Not until the response has: that closes earlier when
 * the client leaves, and later when it reads slowly.
 *
 * @param closed called when that hold has dropped
 * @returns when the value is such a body, what to call when the reply is complete
 */
export function holdWhileStreaming(
  scope: BorrowScope,
  value: unknown,
  closed: () => void = () => undefined,
): EndUnread | undefined {
  const watch = watchOf(value);
  if (!watch) return undefined;
  const drop = scope.hold();
  return watch(scope, () => {
    drop();
    closed();
  });
}

/**
 * Ends a source that nobody has begun to read, and nobody will: an interceptor has put something else in its place, or
 * this version of NestJS does not stream its kind. (11 on Express streams a `StreamableFile` and makes JSON of the rest.)
 */
export type EndUnread = () => void;

type Watch = (scope: BorrowScope, drop: () => void) => EndUnread;

function watchOf(value: unknown): Watch | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof StreamableFile) return untilClosed(value.getStream());
  if (value instanceof Readable) return untilClosed(value);
  if (isWebStream(value)) return untilRead(value);
  if (isWebResponse(value) && value.body) return untilRead(value.body);
  if (Symbol.asyncIterator in value && !('then' in value)) return untilIterated(value as Iterable);
  return undefined;
}

// Not by their class: a `fetch` of another package than Node's has classes of its own.
function isWebStream(value: object): value is ReadableStream {
  return 'getReader' in value && typeof value.getReader === 'function';
}
function isWebResponse(value: object): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

type Iterable = AsyncIterable<unknown> & Partial<AsyncIterator<unknown>>;

const untilClosed =
  (stream: Readable): Watch =>
  (scope, drop) => {
    let unread = false;
    const over = (error?: Error | null): void => {
      if (error && !unread) scope.fail(error);
      drop();
    };
    finished(stream, { writable: false }, error => {
      // Of a duplex this is only the end of what could be read. It closes by itself then, as long as its other side has
      // been ended too, which that of a transform has and that of a socket may not have.
      if (!error && stream instanceof Duplex && stream.writableEnded) finished(stream, over);
      else over(error);
    });
    return () => {
      unread =
        stream.readableFlowing === null && !stream.readableDidRead && !stream.listenerCount('readable');
      if (unread) stream.destroy();
    };
  };

/** Whoever reads it takes a reader, which knows when it is over; ending it takes as long as its source needs. */
const untilRead =
  (stream: ReadableStream): Watch =>
  (scope, drop) => {
    let cancelled = false;
    // A second time is over at once, although the source may still be busy with the first.
    const cancelling = (ending: Promise<void>): Promise<void> => {
      if (!cancelled) ending.then(drop, drop);
      cancelled = true;
      return ending;
    };
    const getReader = stream.getReader.bind(stream) as () => ReadableStreamDefaultReader;
    const cancel = stream.cancel.bind(stream);
    stream.cancel = reason => cancelling(cancel(reason));
    stream.getReader = (() => {
      const reader = getReader();
      const cancelReader = reader.cancel.bind(reader);
      reader.cancel = reason => cancelling(cancelReader(reason));
      reader.closed.then(
        () => {
          if (!cancelled) drop();
        },
        (error: unknown) => {
          scope.fail(error);
          drop();
        },
      );
      return reader;
    }) as ReadableStream['getReader'];
    return () => {
      if (!stream.locked) stream.cancel().catch(() => undefined);
    };
  };

/** An async generator is its own iterator; others give one when they are read. */
const untilIterated =
  (iterable: Iterable): Watch =>
  (scope, drop) => {
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
  };

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
