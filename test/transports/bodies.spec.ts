import { once } from 'node:events';
import { Duplex, PassThrough, Transform } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { Observable } from 'rxjs';
import { Pool } from '../../src/engine/index.js';
import { BorrowScope, RequestAbortedError, anyScope, inScope } from '../../src/scope/index.js';
import { holdWhileStreaming } from '../../src/transports/bodies.js';
import { holdWhileSubscribed } from '../../src/transports/subscription.js';

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
    const iterator = (await held(numbersOnly))[Symbol.asyncIterator]();
    expect(await iterator.return(0)).toEqual({ done: true, value: undefined });
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

  it('leaves a doubt when it is destroyed half-way, until whoever writes has ended it', async () => {
    const stream = new PassThrough();
    await hold(stream);
    stream.write('half of it');
    stream.destroy();
    await once(stream, 'close');
    expect(pool.stats().leased).toBe(1);
    stream.end();
    expect(pool.stats()).toMatchObject({ leased: 0, totals: { destroyed: 0 } });
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

describe('a body that is read otherwise than Nest does', () => {
  const pool = new Pool({ create: () => ({}) });

  /** Returns it from a handler, whose own hold has dropped. */
  const held = async (body: object): Promise<BorrowScope> => {
    const scope = new BorrowScope({ stopping: new AbortController().signal });
    const drop = scope.hold();
    await scope.borrow(pool);
    try {
      holdWhileStreaming(scope, body);
    } finally {
      drop();
    }
    return scope;
  };
  const leased = (): number => pool.stats().leased;
  const numbers = (more: { cancel?: () => Promise<void> } = {}): ReadableStream<number> => {
    let next = 0;
    return new ReadableStream<number>({
      pull: controller => (next < 3 ? controller.enqueue(next++) : controller.close()),
      ...more,
    });
  };
  const all = async (stream: ReadableStream<unknown>): Promise<unknown[]> => {
    const seen: unknown[] = [];
    const reader = stream.getReader();
    for (let step = await reader.read(); !step.done; step = await reader.read()) seen.push(step.value);
    return seen;
  };

  it.each<[string, (stream: ReadableStream<number>) => Promise<unknown>]>([
    ['piped through something', stream => all(stream.pipeThrough(new TransformStream()))],
    ['piped into something', stream => stream.pipeTo(new WritableStream())],
    ['in two branches', stream => Promise.all(stream.tee().map(branch => all(branch)))],
    [
      'iterated',
      async stream => {
        for await (const _ of stream);
      },
    ],
  ])('is held until it has been read, %s', async (_how, read) => {
    const stream = numbers();
    await held(stream);
    expect(leased()).toBe(1);
    await read(stream);
    expect(leased()).toBe(0);
  });

  it('is held until its source has ended, when what it is piped through is given up', async () => {
    let end!: () => void;
    const stream = numbers({ cancel: () => new Promise<void>(resolve => (end = resolve)) });
    await held(stream);
    const reader = stream.pipeThrough(new TransformStream()).getReader();
    await reader.read();
    void reader.cancel();
    await new Promise(resolve => setImmediate(resolve));
    expect(leased()).toBe(1);
    end();
    await new Promise(resolve => setImmediate(resolve));
    expect(leased()).toBe(0);
  });

  it('is held from one reader to the next', async () => {
    const stream = numbers();
    const scope = await held(stream);
    const first = stream.getReader();
    await first.read();
    first.releaseLock();
    await new Promise(resolve => setImmediate(resolve));
    expect(leased()).toBe(1);
    expect(await all(stream)).toEqual([1, 2]);
    expect(leased()).toBe(0);
    expect(scope.ended).toBe(true);
  });

  it('is each request’s own, although it is one object for all of them', async () => {
    const seen: unknown[] = [];
    const feed = {
      async *[Symbol.asyncIterator]() {
        seen.push(anyScope());
        yield await Promise.resolve(1);
      },
    };
    const read = async (): Promise<void> => {
      for await (const _ of feed);
    };
    const scopes = [await held(feed), await held(feed), await held(feed)];
    expect(leased()).toBe(3);
    for (const scope of scopes.toReversed()) await inScope(scope, read);
    expect(seen).toEqual(scopes.toReversed());
    expect(leased()).toBe(0);
    // Nobody's any more: nothing of those requests is left on it.
    await read();
    expect(seen).toHaveLength(4);
  });

  it('keeps what its own next() gives where that is no iterator’s', async () => {
    const cursor = {
      left: [1, 2],
      next: async () => cursor.left.shift() ?? null,
      async *[Symbol.asyncIterator]() {
        for (let row = await cursor.next(); row !== null; row = await cursor.next()) yield row;
      },
    };
    const rows: number[] = [];
    await held(cursor);
    for await (const row of cursor) rows.push(row);
    expect(rows).toEqual([1, 2]);
    expect(await cursor.next()).toBeNull();
    expect(leased()).toBe(0);
  });

  it('gives back at once what a body has borrowed that cannot be watched', async () => {
    const frozen = Object.freeze({ [Symbol.asyncIterator]: async function* () {} });
    await expect(held(frozen)).rejects.toThrow(TypeError);
    expect(leased()).toBe(0);
  });

  it('is not subscribed to after the end of its scope', async () => {
    const scope = await held({});
    let subscribed = false;
    const late = new Observable(() => {
      subscribed = true;
    });
    const errors: unknown[] = [];
    holdWhileSubscribed(scope, late, {}).subscribe({ error: error => errors.push(error) });
    expect(subscribed).toBe(false);
    expect(errors).toEqual([expect.any(RequestAbortedError)]);
  });
});
