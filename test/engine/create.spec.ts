import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Pool, PoolUnavailableError } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { gives, never, ok, rejects, slow, sync, throws, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();
// The longest back-off each time.
beforeEach(() => {
  jest.spyOn(Math, 'random').mockReturnValue(0.999);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const down = new Error('connection refused');

describe('create', () => {
  it('may be synchronous', async () => {
    const { pool } = scriptedPool({ create: sync, max: 2 });
    const borrowed = [pool.acquire(), pool.acquire()];
    expect(pool.stats()).toMatchObject({ leased: 2, creating: 0 });
    const leases = await Promise.all(borrowed);
    expect(leases.map(lease => lease.resource.id).sort()).toEqual([1, 2]);
  });

  it.each([0, '', false, null, NaN])('may make %p, which is lent like anything else', async value => {
    const { pool, factory } = scriptedPool<unknown>({ create: () => value, max: 1 });
    const lease = await pool.acquire();
    expect(lease.resource).toBe(value);
    const next = follow(pool.acquire());
    lease.release();
    await turn();
    expect(next.value?.resource).toBe(value);
    next.value?.destroy();
    await turn();
    expect(factory.reasons).toEqual(['caller']);
    expect(pool.stats()).toMatchObject({ total: 0 });
  });

  it('that gives undefined has failed', async () => {
    const pool = new Pool<unknown>({ create: () => Promise.resolve(undefined), unavailableAfter: 1 });
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'POOL_UNAVAILABLE',
      cause: {
        message: 'Pool "pool": create gave undefined. It must return the resource, or a promise of it.',
      },
    });
    await pool.close();
  });

  it('has a code when it did not settle in time, for who asks for the cause', async () => {
    const { pool, clock } = scriptedPool({ create: never, createTimeout: 1_000, acquireTimeout: 1_500 });
    const waiter = follow(pool.acquire());
    await clock.advance(1_600);
    expect(waiter.error).toMatchObject({ code: 'POOL_TIMEOUT', cause: { code: 'POOL_TIMEOUT' } });
  });

  it('is called once for a listener of onCreate that borrows', async () => {
    const borrowed: Promise<unknown>[] = [];
    const { pool, factory } = scriptedPool({
      min: 1,
      listeners: [
        {
          onCreate: () => {
            if (borrowed.length === 0) borrowed.push(pool.use(() => undefined));
          },
        },
      ],
    });
    await pool.start();
    await Promise.all(borrowed);
    expect(borrowed).toHaveLength(1);
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('may be followed by the end of the pool in a listener of onCreate', async () => {
    const { pool, factory } = scriptedPool({
      listeners: [{ onCreate: () => void pool.close({ timeout: 0 }) }],
    });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    await turn();
    expect(factory.reasons).toEqual(['late']);
  });

  it('may make the same object twice, which is then two resources', async () => {
    const shared = { id: 7 };
    const { pool, factory } = scriptedPool({ create: gives(shared), max: 2 });
    const [one, two] = await Promise.all([pool.acquire(), pool.acquire()]);
    one.release();
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 1 });
    expect(two.resource).toBe(shared);
    two.destroy();
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0, total: 1 });
    expect(factory.destroys.calls).toHaveLength(1);
  });

  it('may return any thenable', async () => {
    const thenable = { then: (done: (value: { id: number }) => void) => done({ id: 9 }) };
    const { pool } = scriptedPool({ create: () => thenable as unknown as Promise<{ id: number }> });
    expect((await pool.acquire()).resource).toEqual({ id: 9 });
  });

  it('may return a thenable that is a function, as some query builders are', async () => {
    const thenable = Object.assign(() => {}, {
      then: (done: (value: { id: number }) => void) => done({ id: 9 }),
    });
    const pool = new Pool<Thing>({ create: () => thenable as unknown as Promise<Thing> });
    const lease = await pool.acquire();
    expect(lease.resource).toEqual({ id: 9 });
    lease.release();
    await pool.close();
  });

  it('is called no more often at once than createConcurrency', async () => {
    const { pool, factory } = scriptedPool({ create: slow, createConcurrency: 2, max: 5 });
    const borrowers = Array.from({ length: 5 }, () => follow(pool.acquire()));
    await turn();
    expect(factory.creates.calls).toHaveLength(2);
    factory.creates.calls[0]!.settle();
    await turn();
    expect(factory.creates.calls).toHaveLength(3);
    while (factory.creates.open.length > 0) {
      expect(factory.creates.open.length).toBeLessThanOrEqual(2);
      factory.creates.open[0]!.settle();
      await turn();
    }
    expect(borrowers.every(one => one.state === 'fulfilled')).toBe(true);
  });

  it('is called for every waiter at once, up to max', async () => {
    const { pool, factory } = scriptedPool({ create: slow, max: 3 });
    for (let i = 0; i < 5; i++) follow(pool.acquire());
    await turn();
    expect(factory.creates.open).toHaveLength(3);
  });

  it('gives its result to whoever waits first, not to whoever caused it', async () => {
    const { pool, factory } = scriptedPool({ create: slow, max: 2 });
    const first = follow(pool.acquire());
    const second = follow(pool.acquire());
    await turn();
    factory.creates.calls[1]!.settle();
    await turn();
    expect([first.state, second.state]).toEqual(['fulfilled', 'pending']);
  });
});

describe('a create that takes longer than createTimeout', () => {
  it('is told so, no longer counts, and is replaced; what it makes after all is destroyed', async () => {
    const { pool, factory, clock, events } = scriptedPool({
      create: slow,
      createTimeout: 1_000,
      max: 1,
      acquireTimeout: Infinity,
    });
    const borrower = follow(pool.acquire());
    await clock.advance(999);
    const hanging = factory.creates.last;
    expect(hanging.given.signal.aborted).toBe(false);
    await clock.advance(21);
    expect(hanging.given.signal.reason).toMatchObject({ message: 'create did not settle within 1000 ms' });
    expect(pool.stats()).toMatchObject({ abandoned: 1, total: 0, waiting: 1 });
    expect(events.find(one => one.event === 'onAbandon')).toMatchObject({
      stage: 'create',
      ranMs: expect.closeTo(1_000, -2),
      limitMs: 1_000,
      reason: 'limit',
    });

    await clock.advance(110);
    expect(factory.creates.calls).toHaveLength(2);
    factory.creates.last.settle();
    await turn();
    expect(borrower.state).toBe('fulfilled');

    hanging.settle();
    await turn();
    expect(factory.reasons).toEqual(['late']);
    expect(pool.stats()).toMatchObject({ abandoned: 0, leased: 1, total: 1 });
    expect(pool.stats().totals.destroyedBy).toEqual({ late: 1 });
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({ slot: 1, reason: 'late' });
  });

  it('is forgotten when it fails after all', async () => {
    const { pool, factory, clock } = scriptedPool({ createTimeout: 1_000, acquireTimeout: Infinity });
    factory.creates.next(slow);
    const borrower = follow(pool.acquire());
    await clock.advance(1_200);
    factory.creates.calls[0]!.fail(down);
    await turn();
    expect(borrower.state).toBe('fulfilled');
    expect(pool.stats()).toMatchObject({ abandoned: 0, leased: 1 });
  });

  it('may close the pool when it hears that it was given up', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, createTimeout: 1_000 });
    const borrower = follow(pool.acquire());
    factory.creates.last.given.signal.addEventListener('abort', () => {
      void pool.close({ timeout: 0 });
    });
    await clock.advance(1_100);
    expect(borrower.error).toMatchObject({ code: 'POOL_CLOSED' });
    expect(pool.stats()).toMatchObject({ state: 'closed', abandoned: 1 });
  });
});

describe('a create that fails', () => {
  it('does not fail the waiter it was made for', async () => {
    const { pool, factory, clock } = scriptedPool();
    factory.creates.next(rejects(down));
    const borrower = follow(pool.acquire());
    await clock.advance(50);
    expect(borrower.state).toBe('pending');
    await clock.advance(60);
    expect(borrower.state).toBe('fulfilled');
  });

  it('may fail by throwing synchronously, and leaks no place', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 1 });
    factory.creates.next(throws(down));
    const borrower = follow(pool.acquire());
    await turn();
    expect(pool.stats()).toMatchObject({ total: 0, totals: { createFailed: 1 } });
    await clock.advance(110);
    expect(borrower.state).toBe('fulfilled');
  });

  it('backs off once for the whole pool, not once for each waiter', async () => {
    const { pool, factory, clock } = scriptedPool({
      create: rejects(down),
      unavailableAfter: Infinity,
      acquireTimeout: Infinity,
      max: 20,
    });
    for (let i = 0; i < 20; i++) follow(pool.acquire());
    await turn();
    const first = factory.creates.calls.length;
    expect(first).toBeLessThanOrEqual(20);
    // 100, 200, 400, 800, 1600 ms: five probes in about three seconds.
    await clock.advance(3_200);
    expect(factory.creates.calls.length - first).toBe(5);
  });

  it('does not turn into a busy loop when it fails at once', async () => {
    for (const create of [throws(down), rejects(down)]) {
      const { pool, factory, clock } = scriptedPool({
        create,
        unavailableAfter: Infinity,
        acquireTimeout: 500,
      });
      const borrower = follow(pool.acquire());
      await turn();
      expect(factory.creates.calls).toHaveLength(1);
      await clock.advance(99);
      expect(factory.creates.calls).toHaveLength(1);
      await clock.advance(411);
      expect(borrower.error).toMatchObject({ code: 'POOL_TIMEOUT' });
      expect(factory.creates.calls.length).toBeLessThanOrEqual(4);
    }
  });

  it('waits longer after each failure, up to the max of createBackoff', async () => {
    const { pool, factory, clock } = scriptedPool({
      create: rejects(down),
      unavailableAfter: Infinity,
      acquireTimeout: Infinity,
      createBackoff: { initial: 100, max: 400, factor: 3 },
    });
    follow(pool.acquire());
    const gaps: number[] = [];
    while (factory.creates.calls.length < 6) {
      await clock.advance(8);
    }
    for (let i = 1; i < 6; i++) gaps.push(factory.creates.calls[i]!.at - factory.creates.calls[i - 1]!.at);
    const expected = [100, 300, 400, 400, 400];
    gaps.forEach((gap, i) => {
      expect(gap).toBeGreaterThanOrEqual(expected[i]! * 0.999 - 0.01);
      expect(gap).toBeLessThanOrEqual(expected[i]! + 16);
    });
  });

  it('is told to the listeners with its number and the time of the next try', async () => {
    const { pool, clock, events } = scriptedPool({ create: rejects(down), acquireTimeout: 150 });
    follow(pool.acquire());
    await clock.advance(120);
    const failures = events.filter(one => one.event === 'onCreateFailed');
    expect(failures).toMatchObject([
      { attempt: 1, error: down },
      { attempt: 2, error: down },
    ]);
    expect(failures[1]!.retryInMs).toBeCloseTo(199.8);
  });

  it('is not made up for by one of an earlier attempt that is no good any more', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 3, recycleOnFatal: true, isFatal: () => true });
    const lease = await pool.acquire();
    factory.creates.next(slow, rejects(down));
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    await turn();
    lease.release(new Error('fatal'));
    factory.creates.open[0]?.settle();
    await clock.advance(200);
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
  });

  it('has a cause also when it rejects with nothing', async () => {
    const { pool, clock } = scriptedPool({ create: rejects(undefined as never), unavailableAfter: 5 });
    const waiter = follow(pool.acquire({ timeout: 20 }));
    await clock.advance(50);
    expect(waiter.error).toMatchObject({
      code: 'POOL_TIMEOUT',
      cause: new Error('create failed without an error'),
      message: expect.stringContaining('Creates are failing: create failed without an error'),
    });
  });

  it('counts once for all creates that were started together', async () => {
    const { pool, factory } = scriptedPool({ create: slow, max: 5, unavailableAfter: 2 });
    const borrowers = Array.from({ length: 5 }, () => follow(pool.acquire()));
    await turn();
    for (const call of factory.creates.open) call.fail(down);
    await turn();
    expect(pool.stats()).toMatchObject({ state: 'ready', waiting: 5, totals: { createFailed: 5 } });
    expect(borrowers.every(one => one.state === 'pending')).toBe(true);
  });

  it('is followed by a probe although another create of the same attempt hangs', async () => {
    const { pool, factory, clock } = scriptedPool({ create: rejects(down), createTimeout: 60_000 });
    factory.creates.next(never);
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    await turn();
    expect(factory.creates.calls).toHaveLength(2);
    factory.creates.always(ok);
    await clock.advance(120);
    expect(waiters[0]!.state).toBe('fulfilled');
    waiters[0]!.value!.release();
    await turn();
    expect(waiters[1]!.state).toBe('fulfilled');
  });

  it('is followed by a single probe, and that by more and more', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, max: 20 });
    const borrowers = Array.from({ length: 20 }, () => follow(pool.acquire()));
    await turn();
    for (const call of factory.creates.open) call.fail(down);
    await clock.advance(110);
    expect(factory.creates.open).toHaveLength(1);
    await clock.advance(2_000);
    expect(factory.creates.open).toHaveLength(1);
    for (const wave of [2, 4, 8]) {
      for (const call of factory.creates.open) call.settle();
      await turn();
      expect(factory.creates.open).toHaveLength(wave);
    }
    factory.finish();
    await turn();
    expect(borrowers.every(one => one.state === 'fulfilled')).toBe(true);
  });

  it('begins with a single probe again when the backend fails while it is coming back', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, max: 20 });
    for (let i = 0; i < 20; i++) follow(pool.acquire());
    await turn();
    for (const call of factory.creates.open) call.fail(down);
    await clock.advance(110);
    factory.creates.last.settle();
    await turn();
    const [first, second] = factory.creates.open;
    first!.settle();
    second!.fail(down);
    await clock.advance(110);
    // What is on its way already goes on; of new ones there is one.
    expect(factory.creates.open.filter(({ at }) => at > second!.at)).toHaveLength(1);
  });
});

describe('a pool that cannot create', () => {
  it('becomes unavailable after unavailableAfter failed attempts, and fails those who wait', async () => {
    const { pool, factory, clock, events } = scriptedPool({ create: rejects(down), name: 'orders', max: 2 });
    const waiters = [1, 2, 3].map(() => follow(pool.acquire()));
    await clock.advance(110);
    expect(waiters.every(one => one.state === 'pending')).toBe(true);
    await clock.advance(220);
    for (const { error } of waiters) {
      expect(error).toBeInstanceOf(PoolUnavailableError);
      expect(error).toMatchObject({
        code: 'POOL_UNAVAILABLE',
        cause: down,
        message: expect.stringMatching(/"orders" is unavailable.*3 attempt.*connection refused/),
      });
    }
    expect(pool.stats()).toMatchObject({ state: 'unavailable', waiting: 0, totals: { refused: 3 } });
    expect(events.filter(one => one.event === 'onStateChange')).toMatchObject([
      { from: 'ready', to: 'unavailable', cause: down },
    ]);
    expect(factory.creates.calls.length).toBeLessThanOrEqual(4);
  });

  it('is not unavailable as long as others of those that were started together may still come', async () => {
    const { pool, factory } = scriptedPool({ create: slow, max: 3, unavailableAfter: 1 });
    const waiters = [1, 2, 3].map(() => follow(pool.acquire()));
    await turn();
    const [first, second, third] = factory.creates.open;
    // As a server that is full does: those that it turns away are told at once, and those that it lets in take longer.
    first!.fail(down);
    second!.fail(down);
    await turn();
    expect(pool.stats()).toMatchObject({ state: 'ready', waiting: 3 });
    third!.settle();
    await turn();
    expect(waiters.filter(({ state }) => state === 'fulfilled')).toHaveLength(1);
    expect(pool.stats()).toMatchObject({ state: 'ready', waiting: 2 });
  });

  it('is unavailable when the last of those that were started together is late', async () => {
    const { pool, factory, clock } = scriptedPool({
      create: slow,
      max: 3,
      unavailableAfter: 1,
      acquireTimeout: 10_000,
      createBackoff: { initial: 20_000, max: 20_000 },
    });
    const waiters = [1, 2, 3].map(() => follow(pool.acquire()));
    await turn();
    const [first, second] = factory.creates.open;
    first!.fail(down);
    second!.fail(down);
    await clock.advance(4_900);
    expect(waiters.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);
    await clock.advance(500);
    expect(waiters.map(({ error }) => error)).toMatchObject(Array(3).fill({ code: 'POOL_UNAVAILABLE' }));
  });

  it('does not wait for one that hangs once one that was started later has failed', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, max: 3, unavailableAfter: 2 });
    const waiters = [1, 2, 3].map(() => follow(pool.acquire()));
    await turn();
    factory.creates.always(rejects(down));
    factory.creates.open[0]!.fail(down);
    await clock.advance(110);
    expect(waiters.map(({ error }) => error)).toMatchObject(Array(3).fill({ code: 'POOL_UNAVAILABLE' }));
    expect(factory.creates.open).toHaveLength(2);
  });

  it('refuses acquires at once, without creating for them', async () => {
    const { pool, factory, clock } = scriptedPool({ create: rejects(down), unavailableAfter: 1 });
    follow(pool.acquire());
    await clock.advance(0);
    const calls = factory.creates.calls.length;
    for (let i = 0; i < 10; i++) {
      await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_UNAVAILABLE', cause: down });
    }
    expect(pool.tryAcquire()).toBeUndefined();
    expect(factory.creates.calls).toHaveLength(calls);
    const error = follow(pool.acquire());
    await turn();
    expect((error.error as PoolUnavailableError).retryInMs).toBeCloseTo(99.9);
    // Now the next attempt has begun, and has no time yet at which it would be tried again.
    factory.creates.next(never);
    await clock.advance(200);
    await expect(pool.acquire()).rejects.toMatchObject({
      retryInMs: 0,
      message: expect.stringContaining('in 0 ms'),
    });
  });

  it('becomes so at once when the error is not retryable', async () => {
    const denied = new Error('wrong password');
    const { pool, clock } = scriptedPool({ create: rejects(denied), isRetryable: error => error !== denied });
    const waiter = follow(pool.acquire());
    await clock.advance(0);
    expect(waiter.error).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: denied });
  });

  it('takes an isRetryable that throws or answers with a promise for a yes', async () => {
    const answers: (() => boolean)[] = [
      throws(new Error('broken')),
      (): boolean => Promise.reject(new Error('broken')) as unknown as boolean,
      (): boolean => undefined as unknown as boolean,
    ];
    for (const isRetryable of answers) {
      const { pool, factory, clock } = scriptedPool({ isRetryable });
      factory.creates.next(rejects(down));
      const borrower = follow(pool.acquire());
      await clock.advance(110);
      expect(borrower.state).toBe('fulfilled');
    }
  });

  it('keeps probing, one at a time, although nobody asks', async () => {
    const { pool, factory, clock } = scriptedPool({ create: rejects(down), unavailableAfter: 1 });
    follow(pool.acquire());
    await clock.advance(1_600);
    expect(factory.creates.calls).toHaveLength(5);
    factory.creates.always(slow);
    await clock.advance(1_610);
    expect(factory.creates.open).toHaveLength(1);
    await clock.advance(8_000);
    // Half of the time that borrowers have: it is late, and the next one does not wait for it.
    expect(factory.creates.open).toHaveLength(2);
    // Looks at everything anew.
    pool.resize({ max: 20 });
    expect(pool.stats().state).toBe('unavailable');
    factory.creates.always(ok);
  });

  it('serves again within one step of the back-off after the backend is back', async () => {
    const { pool, factory, clock, events } = scriptedPool({
      create: rejects(down),
      unavailableAfter: 1,
      createBackoff: { max: 1_000 },
    });
    follow(pool.acquire());
    await clock.advance(30_000);
    // Looks at everything anew.
    pool.resize({ max: 20 });
    expect(pool.stats().state).toBe('unavailable');
    factory.creates.always(ok);
    const calls = factory.creates.calls.length;
    await clock.advance(1_020);
    expect(pool.stats()).toMatchObject({ state: 'ready', idle: 1 });
    expect(factory.creates.calls).toHaveLength(calls + 1);
    expect((await pool.acquire()).resource).toBeDefined();
    expect(events.filter(one => one.event === 'onStateChange').at(-1)).toMatchObject({ to: 'ready' });
    await Promise.all([pool.acquire(), pool.acquire()]);
    expect(pool.stats().leased).toBe(3);
  });

  it('is not unavailable while something is live', async () => {
    const { pool, factory, clock } = scriptedPool({ unavailableAfter: 1, max: 2 });
    const lease = await pool.acquire();
    factory.creates.always(rejects(down));
    const waiter = follow(pool.acquire());
    await clock.advance(1_000);
    expect(pool.stats()).toMatchObject({ state: 'ready', waiting: 1 });
    lease.release();
    await turn();
    expect(waiter.state).toBe('fulfilled');
  });

  it('becomes unavailable as soon as the last live one is gone', async () => {
    const { pool, factory, clock } = scriptedPool({ unavailableAfter: 1, max: 2 });
    const lease = await pool.acquire();
    factory.creates.always(rejects(down));
    const waiter = follow(pool.acquire());
    await clock.advance(50);
    lease.destroy();
    await turn();
    expect(waiter.error).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: down });
    expect(pool.stats().state).toBe('unavailable');
  });

  it('tells the truth of the moment although a create succeeds right afterwards', async () => {
    const { pool, factory } = scriptedPool({ create: slow, max: 2, isRetryable: () => false });
    const borrowers = [follow(pool.acquire()), follow(pool.acquire())];
    await turn();
    factory.creates.calls[0]!.fail(down);
    factory.creates.calls[1]!.settle();
    await turn();
    for (const { error } of borrowers) {
      expect(error).toMatchObject({
        cause: down,
        message: expect.stringMatching(/1 attempt.*connection refused/),
        stats: { state: 'unavailable', idle: 0 },
      });
    }
  });

  it('says all addresses of a connect that failed on each of them', async () => {
    const { pool, clock } = scriptedPool({
      create: rejects(new AggregateError([new Error('::1 refused'), new Error('127.0.0.1 refused')], '')),
      unavailableAfter: 1,
    });
    const borrower = follow(pool.acquire());
    await clock.advance(0);
    expect((borrower.error as Error).message).toContain('::1 refused; 127.0.0.1 refused');
  });

  it('becomes unavailable also while the destroy of the last live one hangs', async () => {
    const { pool, factory, clock } = scriptedPool({ unavailableAfter: 1, max: 2, destroy: never });
    const lease = await pool.acquire();
    factory.creates.always(rejects(down));
    const waiter = follow(pool.acquire());
    await clock.advance(50);
    lease.destroy();
    await turn();
    expect(pool.stats()).toMatchObject({ state: 'unavailable', closing: 1 });
    expect(waiter.error).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: down });
  });

  it('is told unavailable once, however often it fails from then on', async () => {
    const { pool, clock, events } = scriptedPool({ create: rejects(down), unavailableAfter: 1 });
    follow(pool.acquire());
    await clock.advance(5_000);
    expect(pool.stats().totals.createFailed).toBeGreaterThan(1);
    expect(events.filter(one => one.event === 'onStateChange')).toHaveLength(1);
  });

  it('says so to borrowers who do not wait as well, and lets nobody queue', async () => {
    const { pool, clock } = scriptedPool({ create: rejects(down), unavailableAfter: 1 });
    follow(pool.acquire());
    await clock.advance(0);
    for (const timeout of [0, 1_000]) {
      const refused = follow(pool.acquire({ timeout }));
      await turn();
      expect(refused.error).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: down });
    }
    expect(pool.stats().totals).toMatchObject({ waited: 1, timedOut: 0, refused: 3 });
  });
});
