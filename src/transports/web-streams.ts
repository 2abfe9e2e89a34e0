import type { Watch } from './watch.js';

/**
 * Whoever reads it takes a reader, which knows when it is over; ending it takes as long as its source needs. What else reads
 * it (pipes, tee, iteration) does so without asking for a reader, and gets a stream that reads this one with one.
 */
export const untilRead =
  (stream: ReadableStream): Watch =>
  (scope, drop) => {
    let cancelled = false;
    // A second time is over at once, although the source may still be busy with the first.
    const cancelling = (ending: Promise<void>): Promise<void> => {
      if (!cancelled) ending.then(drop, drop);
      cancelled = true;
      return ending;
    };
    const getReader = stream.getReader.bind(stream) as (...args: unknown[]) => ReadableStreamDefaultReader;
    const cancel = stream.cancel.bind(stream);
    stream.cancel = reason => cancelling(cancel(reason));
    const read = (...args: unknown[]): ReadableStreamDefaultReader => {
      const reader = getReader(...args);
      const cancelReader = reader.cancel.bind(reader);
      const releaseLock = reader.releaseLock.bind(reader);
      let released = false;
      reader.cancel = reason => cancelling(cancelReader(reason));
      reader.releaseLock = () => {
        // Its `closed` rejects then; but it is for the next reader to come to the end.
        released = true;
        releaseLock();
      };
      reader.closed.then(
        () => {
          if (!cancelled) drop();
        },
        (error: unknown) => {
          if (released) return;
          scope.fail(error);
          drop();
        },
      );
      return reader;
    };
    stream.getReader = read as ReadableStream['getReader'];
    const others = stream as unknown as Record<PropertyKey, unknown>;
    for (const name of ['tee', 'pipeTo', 'pipeThrough', 'values', Symbol.asyncIterator] as const) {
      if (typeof others[name] !== 'function') continue;
      others[name] = (...args: unknown[]) => {
        const relayed = relay(read()) as unknown as Record<PropertyKey, (...args: unknown[]) => unknown>;
        return relayed[name]?.(...args);
      };
    }
    return () => {
      if (!stream.locked) stream.cancel().catch(() => undefined);
    };
  };

/** A stream of what a reader reads, nothing of it before it is asked for. */
function relay(reader: ReadableStreamDefaultReader): ReadableStream {
  return new ReadableStream(
    {
      pull: async controller => {
        const { done, value } = (await reader.read()) as { done: boolean; value?: unknown };
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
