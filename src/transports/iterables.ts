import { anyScope, inScope, type BorrowScope } from '../scope/index.js';
import type { Watch } from './watch.js';

/** An async generator is its own iterator; others give one each time they are read. */
export const untilIterated =
  (iterable: AsyncIterable<unknown>): Watch =>
  (scope, drop) => {
    if (Object.prototype.toString.call(iterable) === '[object AsyncGenerator]') {
      let begun = false;
      const iterator = dropAtItsEnd(scope, iterable as AsyncGenerator, drop, () => {
        begun = true;
      });
      return () => {
        if (!begun) iterator.return?.().catch(() => undefined);
      };
    }
    const readers = readersOf(iterable);
    const reader = { scope, drop };
    readers.add(reader);
    return () => {
      if (readers.delete(reader)) drop();
    };
  };

/** Who is about to read an iterable, which may be one for all requests. */
interface Reader {
  readonly scope: BorrowScope;
  readonly drop: () => void;
}
const awaited = new WeakMap<AsyncIterable<unknown>, Set<Reader>>();

/** Has each iterator that an iterable gives watched for the request that it is read in. */
function readersOf(iterable: AsyncIterable<unknown>): Set<Reader> {
  const known = awaited.get(iterable);
  if (known) return known;
  const readers = new Set<Reader>();
  const open = iterable[Symbol.asyncIterator].bind(iterable);
  iterable[Symbol.asyncIterator] = () => {
    const here = anyScope();
    const reader = [...readers].find(({ scope }) => scope === here) ?? [...readers][0];
    if (!reader) return open();
    readers.delete(reader);
    return dropAtItsEnd(reader.scope, inScope(reader.scope, open), reader.drop);
  };
  awaited.set(iterable, readers);
  return readers;
}

/** The iterator's own methods are replaced: whoever holds it already gets the same. */
function dropAtItsEnd(
  scope: BorrowScope,
  iterator: AsyncIterator<unknown>,
  drop: () => void,
  begin: () => void = () => undefined,
): AsyncIterator<unknown> {
  const step = async (
    call: () => Promise<IteratorResult<unknown>>,
    last: boolean,
  ): Promise<IteratorResult<unknown>> => {
    begin();
    try {
      // Whoever pulls may do so from an event that knows nothing of the request.
      const result = await inScope(scope, call);
      // Not every iterator keeps to the protocol.
      if (last || (result as typeof result | undefined)?.done) drop();
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
  iterator.return = value =>
    step(async () => (end ? end.call(iterator, value) : { done: true, value: undefined }), true);
  if (fail) iterator.throw = error => step(() => fail.call(iterator, error), true);
  return iterator;
}
