import { describe, expect, it } from '@jest/globals';
import { Pool } from '../../src/engine/index.js';
import { BorrowScope } from '../../src/scope/index.js';
import { holdWhileStreaming } from '../../src/transports/results.js';

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
