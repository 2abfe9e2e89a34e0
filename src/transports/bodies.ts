import { Duplex, Readable, finished } from 'node:stream';
import { clearImmediate, setImmediate } from 'node:timers';
import { StreamableFile } from '@nestjs/common';
import type { BorrowScope } from '../scope/index.js';
import { untilIterated } from './iterables.js';
import type { EndUnread, Watch } from './watch.js';
import { untilRead } from './web-streams.js';

/**
 * Holds the scope until the source of a streamed body has closed: a `StreamableFile`, a `Readable`, an async generator
 * or another async iterable, a web `ReadableStream` or `Response`. Not until the response has: that closes earlier when
 * the client leaves, and later when it reads slowly.
 *
 * @param reply is told when that hold has dropped
 * @returns when the value is such a body, what to call when the reply is complete
 */
export function holdWhileStreaming(
  scope: BorrowScope,
  value: unknown,
  reply?: { sourceClosed(): void },
): EndUnread | undefined {
  const watch = watchOf(value);
  if (!watch) return undefined;
  const drop = scope.hold();
  try {
    return watch(scope, () => {
      drop();
      reply?.sourceClosed();
    });
  } catch (error) {
    // One that is frozen, say: nobody can tell when it ends.
    drop();
    throw error;
  }
}

/** Is it a body that is streamed, and not one that is sent at once? */
export function isStreamed(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof StreamableFile || value instanceof Readable || isWebStream(value)) return true;
  return isWebResponse(value) ? value.body !== null : Symbol.asyncIterator in value && !('then' in value);
}

/** How to see the end of a body that is streamed; undefined for any other value. */
export function watchOf(value: unknown): Watch | undefined {
  if (!isStreamed(value)) return undefined;
  if (value instanceof StreamableFile) return untilClosed(value.getStream());
  if (value instanceof Readable) return untilClosed(value);
  if (isWebStream(value)) return untilRead(value);
  if (isWebResponse(value)) return value.body ? untilRead(value.body) : undefined;
  return untilIterated(value as AsyncIterable<unknown>);
}

// Not by their class: a `fetch` of another package than Node's has classes of its own.
function isWebStream(value: object): value is ReadableStream {
  return 'getReader' in value && typeof value.getReader === 'function';
}
function isWebResponse(value: object): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

/** Until a stream has closed. */
export const untilClosed =
  (stream: Readable): Watch =>
  (scope, drop) => {
    let unread = false;
    // Asked for first, so that it is known when `finished` tells; what streams say of themselves is said before they do.
    let hasClosed = false;
    stream.once('close', () => {
      hasClosed = true;
    });
    const closed = stream instanceof Duplex ? watchWriters(scope, stream) : undefined;
    const over = (error?: Error | null): void => {
      if (error && !unread) scope.fail(error);
      closed?.();
      drop();
    };
    finished(stream, { writable: false }, error => {
      // Of a duplex this is only the end of what could be read. It closes by itself then, as long as its other side has
      // been ended too, which that of a transform has and that of a socket may not have.
      if (!error && stream instanceof Duplex && stream.writableEnded) finished(stream, over);
      else if (error && !hasClosed) afterClose(stream, () => over(error));
      else over(error);
    });
    return () => {
      unread =
        stream.readableFlowing === null && !stream.readableDidRead && !stream.listenerCount('readable');
      if (unread) stream.destroy();
    };
  };

/** One that fails says so just before it closes; one that does not close has failed all the same. */
function afterClose(stream: Readable, tell: () => void): void {
  const timer = setImmediate(() => {
    stream.off('close', closed);
    tell();
  });
  const closed = (): void => {
    clearImmediate(timer);
    tell();
  };
  stream.once('close', closed);
}

/**
 * A stream that is written into can close before whoever writes is done. What is piped into it is known once that pipe is
 * taken apart, and holds until it has closed itself. Who writes by other means (a loop) may go on, and is told or not
 * told: there is a doubt, until the stream has been ended.
 *
 * @returns what to call when it has closed
 */
function watchWriters(scope: BorrowScope, stream: Duplex): () => void {
  let clear: (() => void) | undefined;
  let piping = 0;
  let piped = false;
  stream.on('unpipe', (source: Readable) => {
    piped = true;
    piping++;
    const drop = scope.hold();
    untilClosed(source)(scope, () => {
      if (--piping === 0) clear?.();
      drop();
    });
    if (stream.destroyed) setImmediate(endOrphan, source);
  });
  return () => {
    if (stream.writableEnded || stream.readableEnded || (piped && piping === 0)) return;
    clear = scope.doubt();
    const end = stream.end.bind(stream) as (...args: unknown[]) => Duplex;
    stream.end = (...args: unknown[]) => {
      clear?.();
      return end(...args);
    };
  };
}

/**
 * Ends a source that was piped into what has closed: `pipe` leaves it open, and nobody would ever read on. Who reads it by
 * other means than the pipe that has ended keeps it.
 */
export function endOrphan(source: Readable): void {
  if (source.readableFlowing === false && !source.closed && source.listenerCount('readable') === 0)
    source.destroy();
}
