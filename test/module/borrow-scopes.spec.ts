import { EventEmitter, once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Borrowed } from '../../src/index.js';
import { BorrowScopeEndedError, NoBorrowScopeError, Pool } from '../../src/index.js';
import { TestScopes } from '../../src/testing/index.js';
import { nextTurn } from '../support/borrowing/rig.js';
import { failureOf } from '../support/follow.js';
import { until } from '../support/until.js';

describe('BorrowScopes', () => {
  let pool: Pool<object>;
  let scopes: TestScopes;
  let borrowed: Borrowed<object>;

  beforeEach(() => {
    pool = new Pool({ name: 'things', max: 1, create: () => ({}) });
    scopes = new TestScopes();
    borrowed = scopes.borrowed(pool);
  });
  afterEach(() => pool.close({ timeout: 0 }));

  const leased = (): number => pool.stats().leased;
  const isBack = (): Promise<number> => until(leased, n => n === 0);

  it('holds what is borrowed until each hold is let go of, however often that is said', async () => {
    const [first, second] = await scopes.run(async () => {
      await borrowed.get();
      return [scopes.hold(), scopes.hold()];
    });
    expect(leased()).toBe(1);
    first();
    first();
    expect(leased()).toBe(1);
    second();
    expect(leased()).toBe(0);
  });

  it('gives back what work inside of work has borrowed when the outer is over', async () => {
    await scopes.run(async () => {
      const thing = await borrowed.get();
      await scopes.run(async () => {
        expect(await borrowed.get()).toBe(thing);
      });
      expect(leased()).toBe(1);
    });
    expect(leased()).toBe(0);
  });

  it.each([true, false])('holds until a promise has settled, also one that fails (%s)', async well => {
    let settle!: () => void;
    const work = new Promise<void>((resolve, reject) => {
      settle = () => {
        if (well) resolve();
        else reject(new Error('no'));
      };
    });
    let waited: Promise<unknown> | undefined;
    await scopes.run(async () => {
      await borrowed.get();
      waited = scopes.until(work);
    });
    const outcome = Promise.allSettled([waited]);
    expect(leased()).toBe(1);
    settle();
    await isBack();
    expect(await outcome).toMatchObject([{ status: well ? 'fulfilled' : 'rejected' }]);
  });

  it('begins what is lazy only once, as a query that is sent when somebody waits for it', async () => {
    let begun = 0;
    const query = {
      then: (resolve: (value: string) => unknown) => {
        begun++;
        return Promise.resolve('rows').then(resolve);
      },
    } as PromiseLike<string>;
    await scopes.run(async () => {
      await borrowed.get();
      expect(await scopes.until(query)).toBe('rows');
    });
    expect(begun).toBe(1);
  });

  it('begins what is lazy in its scope, as a query that the work has only built', async () => {
    const query = {
      then: (...callbacks: [(value: object) => unknown]) => borrowed.get().then(...callbacks),
    } as PromiseLike<object>;
    expect(await scopes.run(() => query)).toEqual({});
    expect(leased()).toBe(0);
  });

  it.each(['is read to its end', 'is destroyed', 'fails'])('holds until a stream %s', async how => {
    const stream = new PassThrough();
    stream.on('error', () => undefined);
    await scopes.run(async () => {
      await borrowed.get();
      scopes.until(stream);
    });
    stream.write('one');
    await nextTurn();
    expect(leased()).toBe(1);
    if (how === 'fails') stream.destroy(new Error('no'));
    else if (how === 'is destroyed') stream.destroy();
    else stream.resume().end();
    await isBack();
  });

  it.each(['to its end', 'half-way'])('holds until an async iterable has been read %s', async where => {
    const rows = (async function* () {
      yield await Promise.resolve(1);
      yield 2;
    })();
    await scopes.run(async () => {
      await borrowed.get();
      expect(scopes.until(rows)).toBe(rows);
    });
    expect(leased()).toBe(1);
    for await (const row of rows) {
      expect(leased()).toBe(1);
      if (where === 'half-way' && row === 1) break;
    }
    expect(leased()).toBe(0);
  });

  it('holds until a web stream has been read', async () => {
    const stream = Readable.toWeb(Readable.from(['one', 'two'])) as ReadableStream;
    await scopes.run(async () => {
      await borrowed.get();
      expect(scopes.until(stream)).toBe(stream);
    });
    expect(leased()).toBe(1);
    expect(await new Response(stream.pipeThrough(new TextEncoderStream() as never)).text()).toBe('onetwo');
    await isBack();
  });

  it.each([[undefined], [null], [{}], ['text'], [() => undefined], [new EventEmitter()]])(
    'refuses to wait for what cannot tell its end (%p)',
    async wrong => {
      await scopes.run(async () => {
        await borrowed.get();
        expect(() => scopes.until(wrong as never)).toThrow(TypeError);
      });
      expect(leased()).toBe(0);
    },
  );

  it('says where there is no scope to hold', () => {
    expect(() => scopes.hold()).toThrow(NoBorrowScopeError);
    expect(() => scopes.until(Promise.resolve())).toThrow(NoBorrowScopeError);
  });

  it('begins a scope of its own where that of the code has ended', async () => {
    const events = new EventEmitter();
    let later!: Promise<unknown[]>;
    const first = await scopes.run(async () => {
      const thing = await borrowed.get();
      later = once(events, 'later').then(async () => [
        await failureOf(borrowed.get()),
        await failureOf(Promise.resolve().then(() => scopes.until(Promise.resolve()))),
        await scopes.run(() => borrowed.get()),
      ]);
      return thing;
    });
    expect(leased()).toBe(0);
    events.emit('later');
    const [got, held, again] = await later;
    expect(got).toBeInstanceOf(BorrowScopeEndedError);
    expect(held).toBeInstanceOf(BorrowScopeEndedError);
    expect(again).toBe(first);
    expect(leased()).toBe(0);
  });
});

describe('a borrow that fails and that nobody has awaited', () => {
  it('does not end the process', async () => {
    const pool = new Pool({ name: 'things', max: 1, acquireTimeout: 1, create: () => ({}) });
    const scopes = new TestScopes();
    const borrowed = scopes.borrowed(pool);
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      const other = await pool.acquire();
      void borrowed.get();
      void borrowed.lease();
      await scopes.run(async () => {
        void borrowed.get();
        void borrowed.lease({ fresh: true });
        await failureOf(borrowed.get());
        await failureOf(borrowed.get({ fresh: true }));
      });
      await nextTurn();
      await nextTurn();
      expect(unhandled).toEqual([]);
      other.release();
    } finally {
      process.off('unhandledRejection', note);
      await pool.close();
    }
  });
});
