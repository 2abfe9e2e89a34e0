import { once } from 'node:events';
import { Duplex, PassThrough, Transform } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { Observable } from 'rxjs';
import { Pool } from '../../src/engine/index.js';
import { BorrowScope } from '../../src/scope/index.js';
import { holdWhileStreaming, holdWhileSubscribed } from '../../src/transports/results.js';

describe('the hold of an async generator', () => {
  const pool = new Pool({ create: () => ({}) });

  const held = async <V>(generator: AsyncGenerator<V>): Promise<AsyncGenerator<V>> => {
    const scope = new BorrowScope({ stopping: new AbortController().signal });
    const drop = scope.hold();
    await scope.borrow(pool);
    expect(holdWhileStreaming(scope, generator)).toBeDefined();
    drop();
    expect(pool.stats().leased).toBe(1);
    return generator;
  };

  async function* numbers(): AsyncGenerator<number> {
    try {
      yield 1;
      yield 2;
    } finally {
      yield 3;
    }
  }

  it('ends when it is done', async () => {
    const seen: number[] = [];
    for await (const n of await held(numbers())) seen.push(n);
    expect(seen).toEqual([1, 2, 3]);
    expect(pool.stats().leased).toBe(0);
  });

  it('ends when it is returned before it has begun', async () => {
    await (await held(numbers())).return(0);
    expect(pool.stats().leased).toBe(0);
  });

  it('ends when it is returned half-way, even if it has more to say', async () => {
    const generator = await held(numbers());
    await generator.next();
    expect(pool.stats().leased).toBe(1);
    expect(await generator.return(0)).toEqual({ done: false, value: 3 });
    expect(pool.stats().leased).toBe(0);
  });

  it('ends when one that cannot be ended is given up', async () => {
    const { next } = numbers();
    const numbersOnly = {
      next,
      [Symbol.asyncIterator]: () => numbersOnly,
    } as unknown as AsyncGenerator<number>;
    expect(await (await held(numbersOnly)).return(0)).toEqual({ done: true, value: undefined });
    expect(pool.stats().leased).toBe(0);
  });

  it('ends when it throws', async () => {
    const generator = await held(
      // eslint-disable-next-line require-yield -- it fails before it yields
      (async function* () {
        throw new Error('broken source');
      })(),
    );
    await expect(generator.next()).rejects.toThrow('broken source');
    expect(pool.stats().leased).toBe(0);
  });
});

describe('the hold of a stream that is also written to', () => {
  const pool = new Pool({ create: () => ({}) });

  const hold = async (stream: Duplex): Promise<void> => {
    const scope = new BorrowScope({ stopping: new AbortController().signal });
    const drop = scope.hold();
    await scope.borrow(pool);
    expect(holdWhileStreaming(scope, stream)).toBeDefined();
    drop();
    expect(pool.stats().leased).toBe(1);
  };

  it('ends when it has closed, not when its last byte has been read', async () => {
    let close!: () => void;
    const transform = new Transform({
      transform: (chunk, _encoding, done) => done(null, chunk),
      destroy: (error, done) => (close = () => done(error)),
    });
    await hold(transform);
    transform.end('all of it');
    await once(transform.resume(), 'end');
    // It ends, then it is destroyed.
    await new Promise(resolve => setImmediate(resolve));
    expect(pool.stats().leased).toBe(1);
    close();
    await once(transform, 'close');
    expect(pool.stats().leased).toBe(0);
  });

  it('ends when it has been read, if nobody ends what is written to it', async () => {
    const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
    await hold(socket);
    socket.push('all of it');
    socket.push(null);
    await once(socket.resume(), 'end');
    expect(pool.stats().leased).toBe(0);
    socket.destroy();
  });

  it('ends when it is destroyed half-way', async () => {
    const stream = new PassThrough();
    await hold(stream);
    stream.write('half of it');
    stream.destroy();
    await once(stream, 'close');
    expect(pool.stats().leased).toBe(0);
  });
});

it('ends the hold of a subscription whose teardown throws, and shows the error to isFatal', async () => {
  const shown: unknown[] = [];
  const pool = new Pool({ create: () => ({}), isFatal: error => (shown.push(error), false) });
  const scope = new BorrowScope({ stopping: new AbortController().signal });
  const drop = scope.hold();
  await scope.borrow(pool);
  const broken = new Observable(() => () => {
    throw new Error('broken teardown');
  });
  const subscription = holdWhileSubscribed(scope, broken, { endless: true }).subscribe();
  drop();
  expect(() => subscription.unsubscribe()).toThrow('broken teardown');
  expect(pool.stats().leased).toBe(0);
  expect(shown).toHaveLength(1);
});

it('holds a web stream until its source has ended, however often it is cancelled', async () => {
  const pool = new Pool({ create: () => ({}) });
  const scope = new BorrowScope({ stopping: new AbortController().signal });
  const drop = scope.hold();
  await scope.borrow(pool);
  let end!: () => void;
  const source = new Promise<void>(resolve => (end = resolve));
  const stream = new ReadableStream({ cancel: () => source });
  holdWhileStreaming(scope, stream);
  drop();
  const first = stream.cancel();
  await stream.cancel();
  await stream.getReader().cancel();
  expect(pool.stats().leased).toBe(1);
  end();
  await first;
  expect(pool.stats().leased).toBe(0);
});
