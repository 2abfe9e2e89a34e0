import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import {
  KeyedPool,
  Pool,
  PoolClosedError,
  PoolOptionsError,
  PoolTimeoutError,
  ResourceInvalidatedError,
  type BorrowContext,
  type BorrowOutcome,
  type KeyedBorrowContext,
  type PoolOptions,
} from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { never, ok, rejects, sync, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

/** A hook that settles when the test says so. */
function gate(): { hook: () => Promise<void>; open: (() => void)[]; fail: ((error: unknown) => void)[] } {
  const open: (() => void)[] = [];
  const fail: ((error: unknown) => void)[] = [];
  const hook = (): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      open.push(resolve);
      fail.push(reject);
    });
  return { hook, open, fail };
}

describe('onCreate', () => {
  it('is called once in the life of a resource, before anybody has it', async () => {
    const { hook, open } = gate();
    const made: unknown[] = [];
    const { pool } = scriptedPool({
      onCreate: (thing, { slot }) => {
        made.push([thing.id, slot]);
        return hook();
      },
    });
    const first = follow(pool.acquire());
    await turn();
    expect(first.state).toBe('pending');
    expect(pool.stats()).toMatchObject({ creating: 1, idle: 0 });
    open[0]?.();
    await turn();
    first.value?.release();
    (await pool.acquire()).release();
    expect(made).toEqual([[1, 1]]);
  });

  it.each<[string, () => unknown]>([
    ['throws', rejects(new Error('no'))],
    [
      'rejects',
      () => {
        throw new Error('no');
      },
    ],
  ])('that %s has the resource destroyed, and counts as a create that has failed', async (_, onCreate) => {
    const { pool, factory } = scriptedPool({ onCreate, unavailableAfter: 1 });
    expect(await failureOf(pool.acquire())).toMatchObject({
      code: 'POOL_UNAVAILABLE',
      cause: { message: 'no' },
    });
    expect(factory.reasons).toEqual(['invalid']);
    expect(pool.stats()).toMatchObject({ total: 0, totals: { createFailed: 1, acquired: 0 } });
  });

  it('that fails goes to who waits, with propagateCreateError', async () => {
    const why = new Error('no');
    const { pool } = scriptedPool({ onCreate: rejects(why), propagateCreateError: true });
    expect(await failureOf(pool.acquire())).toBe(why);
  });

  it('that hangs is given up at createTimeout, and its resource destroyed', async () => {
    let signal: AbortSignal | undefined;
    const { pool, factory, clock } = scriptedPool({
      createTimeout: 100,
      max: 1,
      onCreate: (_, context) => {
        signal = context.signal;
        return never();
      },
    });
    // Nobody waits any more by then, so that there is no other attempt.
    follow(pool.acquire({ timeout: 50 }));
    await clock.advance(130);
    expect(signal?.aborted).toBe(true);
    expect(factory.reasons).toEqual(['late']);
  });

  it('is called again when reset answers renewed, before the next loan and within resetTimeout', async () => {
    const { hook, open } = gate();
    let calls = 0;
    const { pool, factory, clock } = scriptedPool({
      max: 1,
      resetTimeout: 50,
      reset: () => 'renewed' as never,
      onCreate: () => (++calls === 1 ? undefined : hook()),
    });
    (await pool.acquire()).release();
    const next = follow(pool.acquire());
    await turn();
    expect([calls, next.state, pool.stats().resetting]).toEqual([2, 'pending', 1]);
    open[0]?.();
    await turn();
    expect(next.value?.resource).toEqual({ id: 1 });
    next.value?.release();
    await clock.advance(60);
    expect(factory.reasons).toEqual(['reset-failed']);
  });
});

describe('onBorrow', () => {
  it('is called for each borrower before it has its lease, and told for whom', async () => {
    const owner = { request: { url: '/orders' } };
    const seen: unknown[] = [];
    const { pool } = scriptedPool({
      onBorrow: (thing, { slot, owner: by, request, signal }) => {
        seen.push([thing.id, slot, by, request, signal.aborted]);
      },
    });
    (await pool.acquire({ owner })).release();
    (await pool.acquire()).release();
    expect(seen).toEqual([
      [1, 1, owner, owner.request, false],
      [1, 1, undefined, undefined, false],
    ]);
  });

  it('keeps its resource for its borrower, neither idle nor leased', async () => {
    const { hook, open } = gate();
    const { pool, events } = scriptedPool({ onBorrow: hook, max: 2 });
    const first = follow(pool.acquire());
    const second = follow(pool.acquire());
    await turn();
    expect(pool.stats()).toMatchObject({ preparing: 2, idle: 0, leased: 0, total: 2, waiting: 0 });
    expect(pool.tryAcquire()).toBeUndefined();
    expect(events.filter(({ event }) => event === 'onAcquire')).toHaveLength(0);
    open[1]?.();
    await turn();
    expect([first.state, second.value?.resource]).toEqual(['pending', { id: 2 }]);
    open[0]?.();
    await turn();
    expect(first.value?.resource).toEqual({ id: 1 });
    first.value?.release();
    second.value?.release();
  });

  it('that fails fails that borrow with its own error, and the resource is cleaned for the next', async () => {
    const why = new Error('no such tenant');
    let fails = true;
    const { pool, factory } = scriptedPool({
      max: 1,
      reset: sync,
      onBorrow: () => (fails ? Promise.reject(why) : undefined),
    });
    const first = follow(pool.acquire());
    await turn();
    expect(first.error).toBe(why);
    expect(factory.resets.calls).toHaveLength(1);
    fails = false;
    expect((await pool.acquire()).resource).toEqual({ id: 1 });
  });

  it('that fails fatally has the resource destroyed', async () => {
    const why = new Error('gone');
    const { pool, factory } = scriptedPool({ onBorrow: rejects(why), isFatal: error => error === why });
    expect(await failureOf(pool.acquire())).toBe(why);
    await turn();
    expect(factory.reasons).toEqual(['fatal']);
  });

  it('that fails at once for very many who wait fails each, and nothing else', async () => {
    const why = new Error('no');
    let fails = false;
    const { pool } = scriptedPool({
      max: 1,
      reset: sync,
      onBorrow: () => {
        if (fails) throw why;
      },
    });
    const lease = await pool.acquire();
    const waiting = Array.from({ length: 1_500 }, () => failureOf(pool.acquire()));
    fails = true;
    lease.release();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([why]));
    expect(pool.stats()).toMatchObject({ idle: 1, waiting: 0 });
  });

  it('has what the queue has left of the time; then its borrower is told so at once', async () => {
    const { hook, open } = gate();
    const outcomes: BorrowOutcome[] = [];
    const { pool, clock, events } = scriptedPool({
      max: 1,
      onBorrow: (_, { owner }) => (owner ? hook() : undefined),
      onReturn: (_, outcome) => void outcomes.push(outcome),
    });
    const holder = await pool.acquire();
    const next = follow(pool.acquire({ timeout: 200, owner: {} }));
    await clock.advance(150);
    holder.release();
    await turn();
    expect(pool.stats().preparing).toBe(1);
    await clock.advance(40);
    expect(next.state).toBe('pending');
    await clock.advance(20);
    expect(next.error).toBeInstanceOf(PoolTimeoutError);
    expect((next.error as Error).message).toContain('onBorrow was not done within the 200 ms');
    expect(events.filter(({ event }) => event === 'onTimeout')).toHaveLength(1);
    // Nobody else has it before the hook has settled.
    const third = follow(pool.acquire());
    await turn();
    expect(third.state).toBe('pending');
    open[0]?.();
    await turn();
    expect(third.value?.resource).toEqual({ id: 1 });
    expect(outcomes).toEqual(['success', 'aborted']);
    third.value?.release();
  });

  it('hears of its borrower that has gone', async () => {
    const { hook, open } = gate();
    let signal: AbortSignal | undefined;
    const { pool } = scriptedPool({
      onBorrow: (_, context) => {
        signal = context.signal;
        return hook();
      },
    });
    const abort = new AbortController();
    const borrow = follow(pool.acquire({ signal: abort.signal }));
    await turn();
    expect(signal?.aborted).toBe(false);
    abort.abort(new Error('client left'));
    await turn();
    expect(borrow.error).toMatchObject({ message: 'client left' });
    expect(signal?.aborted).toBe(true);
    open[0]?.();
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 1, preparing: 0, totals: { aborted: 1, acquired: 0 } });
  });

  it('that hangs when its borrower has gone costs the resource after resetTimeout, and no place', async () => {
    let hangs = true;
    const { pool, factory, clock } = scriptedPool({
      max: 1,
      resetTimeout: 100,
      onBorrow: () => (hangs ? never() : undefined),
    });
    const first = follow(pool.acquire({ timeout: 50 }));
    await clock.advance(60);
    expect(first.error).toBeInstanceOf(PoolTimeoutError);
    hangs = false;
    const second = follow(pool.acquire());
    await clock.advance(120);
    expect(factory.reasons).toEqual(['reset-failed']);
    expect(second.value?.resource).toEqual({ id: 2 });
  });

  it('is too slow for who does not wait, unless it is synchronous', async () => {
    const { hook, open } = gate();
    let slowly = false;
    const { pool } = scriptedPool({ onBorrow: () => (slowly ? hook() : undefined) });
    (await pool.acquire()).release();
    const lease = pool.tryAcquire();
    expect(lease?.resource).toEqual({ id: 1 });
    lease?.release();
    slowly = true;
    expect(() => pool.tryAcquire()).toThrow(PoolOptionsError);
    open[0]?.();
    await turn();
    expect(await failureOf(pool.acquire({ timeout: 0 }))).toBeInstanceOf(PoolTimeoutError);
    open[1]?.();
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 1, total: 1 });
  });

  it('of a resource that is invalidated meanwhile fails the borrow', async () => {
    const { hook, open } = gate();
    const { pool, factory } = scriptedPool({ onBorrow: hook });
    const borrow = follow(pool.acquire());
    await turn();
    factory.creates.last.given.invalidate(new Error('socket closed'));
    open[0]?.();
    await turn();
    expect(borrow.error).toBeInstanceOf(ResourceInvalidatedError);
    expect(factory.reasons).toEqual(['invalid']);
  });

  it('is no deadlock while it runs, and what follows from it is seen', async () => {
    const { hook, open } = gate();
    const [a, b] = [{}, {}];
    let slowly = false;
    const { pool } = scriptedPool({ max: 2, onBorrow: () => (slowly ? hook() : undefined) });
    const one = await pool.acquire({ owner: a });
    slowly = true;
    const two = follow(pool.acquire({ owner: b }));
    await turn();
    const more = [follow(pool.acquire({ owner: a })), follow(pool.acquire({ owner: b }))];
    await turn();
    expect(more.map(({ state }) => state)).toEqual(['pending', 'pending']);
    open[0]?.();
    await turn();
    expect(more.map(({ error }) => (error as { code?: string } | undefined)?.code)).toEqual([
      undefined,
      'POOL_DEADLOCK',
    ]);
    slowly = false;
    two.value?.release();
    await turn();
    one.release();
    more[0]?.value?.release();
  });

  it('goes on while the pool is suspended or drained, until the deadline of close()', async () => {
    const { hook, open } = gate();
    const { pool, factory, clock } = scriptedPool({ max: 2, onBorrow: hook });
    const borrows = [follow(pool.acquire()), follow(pool.acquire())];
    await turn();
    pool.suspend();
    open[0]?.();
    await turn();
    expect(borrows[0]?.state).toBe('fulfilled');
    pool.resume();
    const closed = follow(pool.close({ timeout: 100 }));
    await clock.advance(50);
    expect(borrows[1]?.state).toBe('pending');
    await clock.advance(60);
    expect(borrows[1]?.error).toBeInstanceOf(PoolClosedError);
    expect(closed.state).toBe('fulfilled');
    expect(factory.reasons).toEqual(['closed', 'closed']);
  });
});

describe('onReturn', () => {
  it('is told how the borrow has ended, before the reset', async () => {
    const seen: unknown[] = [];
    const { pool, clock } = scriptedPool({
      maxHold: 100,
      reset: call => {
        seen.push('reset');
        return ok(call);
      },
      onReturn: (thing, outcome, { owner, slot }) => {
        seen.push([thing.id, outcome, owner, slot]);
      },
    });
    const owner = {};
    const end = async (how: (lease: Awaited<ReturnType<typeof pool.acquire>>) => unknown): Promise<void> => {
      await how(await pool.acquire({ owner }));
      await turn();
    };
    await end(lease => lease.release());
    await end(lease => lease.release(new Error('harmless')));
    await end(lease => clock.advance(130).then(() => lease.release()));
    expect(seen).toEqual([
      ...[[1, 'success', owner, 1], 'reset', [1, 'error', owner, 1], 'reset'],
      ...[[1, 'aborted', owner, 1], 'reset'],
    ]);
  });

  it.each<[string, () => unknown, number]>([
    ['fails', rejects(new Error('no')), 0],
    ['hangs', never, 130],
  ])('that %s costs the resource, which is not reset any more', async (_, onReturn, ms) => {
    const { pool, factory, clock } = scriptedPool({ onReturn, reset: ok, resetTimeout: 100 });
    (await pool.acquire()).release();
    await clock.advance(ms);
    expect(factory.reasons).toEqual(['reset-failed']);
    expect(factory.resets.calls).toHaveLength(0);
  });

  it('that settles too late does not have a destroyed resource reset', async () => {
    const { hook, open } = gate();
    const { pool, factory, clock } = scriptedPool({ onReturn: hook, reset: ok, resetTimeout: 100 });
    (await pool.acquire()).release();
    await clock.advance(130);
    open[0]?.();
    await turn();
    expect(factory.resets.calls).toHaveLength(0);
  });

  it('is not called for what is destroyed or detached', async () => {
    const outcomes: BorrowOutcome[] = [];
    const { pool } = scriptedPool({
      isFatal: () => true,
      onReturn: (_, outcome) => void outcomes.push(outcome),
    });
    (await pool.acquire()).destroy();
    (await pool.acquire()).release(new Error('fatal'));
    (await pool.acquire()).detach();
    expect(outcomes).toEqual([]);
  });

  it('is told of an onBorrow that has failed', async () => {
    const outcomes: BorrowOutcome[] = [];
    const { pool } = scriptedPool({
      onBorrow: rejects(new Error('no')),
      onReturn: (_, outcome) => void outcomes.push(outcome),
    });
    await failureOf(pool.acquire());
    await turn();
    expect(outcomes).toEqual(['error']);
  });
});

describe('hooks', () => {
  it('of a keyed pool are told the key', async () => {
    const seen: unknown[] = [];
    const pools = new KeyedPool({
      maxTotal: 2,
      create: ({ key }: { readonly key: string }) => ({ key }),
      onCreate: (thing, { key }) => void seen.push(['create', thing.key, key]),
      onBorrow: (thing, { key, request }: KeyedBorrowContext<string>) =>
        void seen.push(['borrow', thing.key, key, request]),
      onReturn: (thing, outcome, { key }) => void seen.push(['return', thing.key, key, outcome]),
    });
    await pools.use('red', () => undefined, { owner: { request: 7 } });
    expect(seen).toEqual([
      ['create', 'red', 'red'],
      ['borrow', 'red', 'red', 7],
      ['return', 'red', 'red', 'success'],
    ]);
    await pools.close();
  });

  it('must be functions', () => {
    expect(() => new Pool({ create: () => 1, onBorrow: 'x' as never })).toThrow(
      'option "onBorrow" is a string; it must be a function.',
    );
  });

  it('have the type of the resource, beside members and beside a factory', () => {
    const options: PoolOptions<Thing> = { create: () => ({ id: 1 }) };
    const pool = new Pool({
      factory: { create: () => ({ id: 1, name: 'a' }) },
      onCreate: thing => expectTypeOf(thing).toEqualTypeOf<{ id: number; name: string }>(),
      onBorrow: (thing, context) => {
        expectTypeOf(thing).toEqualTypeOf<{ id: number; name: string }>();
        expectTypeOf(context).toEqualTypeOf<BorrowContext>();
      },
      onReturn: (thing, outcome) => {
        expectTypeOf(thing.name).toEqualTypeOf<string>();
        expectTypeOf(outcome).toEqualTypeOf<'success' | 'error' | 'aborted'>();
      },
    });
    expectTypeOf(pool).toEqualTypeOf<Pool<{ id: number; name: string }>>();
    expectTypeOf(new Pool({ ...options, onBorrow: thing => thing.id })).toEqualTypeOf<Pool<Thing>>();
  });
});
