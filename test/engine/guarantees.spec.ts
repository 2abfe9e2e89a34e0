import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, jest } from '@jest/globals';
import {
  LeaseReleasedError,
  Pool,
  PoolClosedError,
  PoolDeadlockError,
  PoolTimeoutError,
  PoolUnavailableError,
  type Lease,
} from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { ManualClock, turn } from '../support/manual-clock.js';
import { never, ok, rejects, slow, sync, throws, type Thing } from '../support/scripted-factory.js';

// One heading for each of the guarantees in docs/engine.md, with the tests that say most about it. The other files
// beside this one go into the details. An unhandled rejection fails the test it happens in: Jest sees to that.

checkPoolsAfterEach();

const down = new Error('down');

describe('guarantee 1: the cap holds outside too', () => {
  it('a resource whose destroy is running still fills its place', async () => {
    const { pool, factory } = scriptedPool({ max: 1, destroy: slow });
    (await pool.acquire()).destroy();
    const next = follow(pool.acquire());
    await turn();
    expect(pool.stats()).toMatchObject({ closing: 1, creating: 0, waiting: 1 });
    factory.destroys.last.settle();
    await turn();
    expect(next.state).toBe('fulfilled');
    expect(factory.peak).toBe(1);
  });

  it('there are never more than max + overflow, whatever the demand', async () => {
    const { pool, factory } = scriptedPool({ max: 2, overflow: 1 });
    const borrowers = Array.from({ length: 20 }, () => pool.use(() => turn()));
    await Promise.all(borrowers);
    expect(factory.peak).toBe(3);
    expect(pool.stats().total).toBe(2);
  });
});

describe('guarantee 2: nothing is created twice or lost', () => {
  it('a waiter that leaves does not cancel the create: the next waiter gets its resource', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 1, create: slow });
    const late = follow(pool.acquire({ timeout: 100 }));
    const next = follow(pool.acquire());
    await clock.advance(200);
    expect(late.error).toBeInstanceOf(PoolTimeoutError);
    expect(factory.creates.last.given.signal.aborted).toBe(false);
    factory.creates.last.settle();
    await turn();
    expect(next.value?.resource).toEqual({ id: 1 });
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('a create that settles after close is destroyed', async () => {
    const { pool, factory } = scriptedPool({ create: slow });
    follow(pool.acquire());
    const closed = follow(pool.close());
    factory.creates.last.settle();
    await turn();
    expect(closed.state).toBe('fulfilled');
    expect(factory.reasons).toEqual(['closed']);
  });
});

describe('guarantee 3: borrowers wait on the pool, never on a create', () => {
  it('a resource that comes back serves the waiter, and the create becomes spare', async () => {
    const { pool, factory } = scriptedPool({ max: 2 });
    const first = await pool.acquire();
    factory.creates.always(slow);
    const waiter = follow(pool.acquire());
    first.release();
    await turn();
    expect(waiter.value?.resource).toEqual({ id: 1 });
    factory.creates.last.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 1 });
  });

  it('a create that fails does not fail the waiter for whom it was started', async () => {
    const { pool, factory, clock } = scriptedPool();
    factory.creates.next(rejects(down));
    const waiter = follow(pool.acquire());
    await clock.advance(200);
    expect(waiter.state).toBe('fulfilled');
  });
});

describe('guarantee 4: one deadline', () => {
  it('covers queueing, creating and validating together', async () => {
    const { pool, factory, clock } = scriptedPool({
      max: 1,
      validate: ok,
      validateAfterIdle: 0,
      reset: slow,
    });
    const holder = await pool.acquire();
    const waiter = follow(pool.acquire({ timeout: 1_000 }));
    await clock.advance(400);
    factory.creates.always(slow);
    holder.destroy();
    await clock.advance(400);
    expect(waiter.state).toBe('pending');
    await clock.advance(200);
    expect(waiter.state).toBe('pending');
    await clock.advance(20);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
  });

  it('a signal ends the wait at once, with its own reason, also one that is aborted already', async () => {
    const { pool } = scriptedPool({ create: slow });
    const abort = new AbortController();
    const waiter = follow(pool.acquire({ signal: abort.signal }));
    abort.abort(down);
    await turn();
    expect(waiter.error).toBe(down);
    expect(await failureOf(pool.acquire({ signal: abort.signal }))).toBe(down);
    expect(pool.stats().totals.waited).toBe(1);
  });
});

describe('guarantee 5: order', () => {
  it('high before normal before low, within one who came first; nobody passes, tryAcquire included', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const holder = await pool.acquire();
    const order: string[] = [];
    const served = (['low', 'normal', 'high'] as const).flatMap(priority =>
      [1, 2].map(async number => {
        const lease = await pool.acquire({ priority });
        order.push(`${priority} ${number}`);
        expect(pool.tryAcquire()).toBeUndefined();
        await turn();
        lease.release();
      }),
    );
    holder.release();
    await Promise.all(served);
    expect(order).toEqual(['high 1', 'high 2', 'normal 1', 'normal 2', 'low 1', 'low 2']);
  });
});

describe('guarantee 6: user code cannot corrupt accounting', () => {
  const broken = new Error('broken');
  const bad = { throws: throws(broken), rejects: rejects(broken), never, garbage: () => 0 as never };
  it.each(Object.entries(bad))('whatever it does: every member %s', async (_, behaviour) => {
    const { pool, clock } = scriptedPool({
      max: 2,
      validateAfterIdle: 0,
      validate: behaviour,
      reset: behaviour,
      destroy: behaviour,
      isFatal: throws(broken),
      listeners: [{ onAcquire: throws(broken), onDestroy: () => void Promise.reject(broken).catch(() => 0) }],
    });
    for (let i = 0; i < 5; i++) {
      const lease = follow(pool.acquire());
      await clock.advance(6_000);
      lease.value?.release(i % 2 ? broken : undefined);
      await clock.advance(12_000);
    }
    expect(pool.stats()).toMatchObject({ leased: 0, waiting: 0 });
    expect(pool.stats().totals).toMatchObject({ acquired: 5, released: 5, timedOut: 0 });
  });

  it('not even by coming back into the pool from each of its calls', async () => {
    const again: (() => void)[] = [];
    const reenter = (): void => {
      for (const act of again) act();
    };
    const { pool, clock } = scriptedPool({
      max: 2,
      validateAfterIdle: 0,
      validate: call => (reenter(), sync(call)),
      reset: call => (reenter(), sync(call)),
      destroy: call => (reenter(), sync(call)),
      listeners: [{ onAcquire: reenter, onRelease: reenter, onDestroy: reenter }],
    });
    const leases: Lease<Thing>[] = [];
    let calls = 0;
    again.push(() => {
      if (calls++ < 20) follow(pool.acquire({ timeout: 50 }).then(lease => leases.push(lease)));
      leases.pop()?.release();
      pool.tryAcquire()?.destroy();
    });
    for (let i = 0; i < 20; i++) {
      calls = 0;
      follow(pool.acquire({ timeout: 50 }).then(lease => leases.push(lease)));
      await clock.advance(10);
      for (const lease of leases.splice(0)) lease.release();
    }
    calls = 20;
    await clock.advance(100);
    for (const lease of leases.splice(0)) lease.release();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 0, waiting: 0 });
    expect(pool.stats().totals.acquired).toBeGreaterThan(30);
  });
});

describe('guarantee 7: failure is fast and truthful', () => {
  it('1,000 borrowers cause a few creates, all hear the cause, and then the pool probes one at a time', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 10, create: rejects(down) });
    const borrowers = Array.from({ length: 1_000 }, () => follow(pool.acquire()));
    await clock.advance(1_000);
    for (const { error } of borrowers) {
      expect(error).toBeInstanceOf(PoolUnavailableError);
      expect((error as Error).cause).toBe(down);
    }
    // The first attempt has one for each place; after it they come singly.
    expect(factory.creates.calls.length).toBeLessThanOrEqual(10 + 10);
    expect(await failureOf(pool.acquire())).toBeInstanceOf(PoolUnavailableError);
    expect(pool.stats().creating).toBeLessThanOrEqual(1);
  });

  it('the pool serves again within one step of the back-off, without a stampede', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 10, create: rejects(down) });
    follow(pool.acquire());
    await clock.advance(60_000);
    factory.creates.always(ok);
    const before = factory.creates.calls.length;
    await clock.advance(10_200);
    expect(pool.stats()).toMatchObject({ state: 'ready', idle: 1 });
    expect(factory.creates.calls).toHaveLength(before + 1);
  });

  it('an error that is not worth repeating makes it unavailable at once', async () => {
    const { pool } = scriptedPool({ create: rejects(down), isRetryable: () => false });
    expect(await failureOf(pool.acquire())).toBeInstanceOf(PoolUnavailableError);
  });
});

describe('guarantee 8: returned means clean', () => {
  it('a second release is harmless, and use after release throws', async () => {
    const { pool } = scriptedPool({ max: 1, reset: slow });
    const lease = await pool.acquire();
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    lease.release();
    lease.release();
    lease.destroy();
    await turn();
    expect(waiters.map(({ state }) => state)).toEqual(['pending', 'pending']);
    expect(() => lease.resource).toThrow(LeaseReleasedError);
  });

  it('a resource whose reset fails is destroyed, and somebody else gets another', async () => {
    const { pool, factory } = scriptedPool({ max: 1, reset: rejects(down) });
    (await pool.acquire()).release();
    const next = await pool.acquire();
    expect(next.resource).toEqual({ id: 2 });
    expect(factory.reasons).toEqual(['reset-failed']);
  });
});

describe('guarantee 9: generations', () => {
  it('recycle retires everything older, what is being created included', async () => {
    const { pool, factory } = scriptedPool({ max: 3 });
    const [idle, leased] = [await pool.acquire(), await pool.acquire()];
    idle.release();
    factory.creates.next(slow);
    const taken = await pool.acquire();
    const waiter = follow(pool.acquire());
    pool.recycle();
    factory.creates.last.settle();
    leased.release();
    taken.release();
    await turn();
    expect(factory.destroys.calls.map(call => call.given.resource.id).sort()).toEqual([1, 2, 3]);
    expect(waiter.value?.resource.id).toBeGreaterThan(3);
  });

  it('one validation that fails does not empty the pool', async () => {
    const { pool, factory } = scriptedPool({ validate: ok, validateAfterIdle: 0 });
    const leases = [await pool.acquire(), await pool.acquire()];
    for (const lease of leases) lease.release();
    factory.validates.next(rejects(down));
    const lease = await pool.acquire();
    expect(factory.reasons).toEqual(['invalid']);
    expect(lease.resource).toEqual({ id: 1 });
  });

  it.each([{}, { recycleOnFatal: false }, { recycleOnFatal: true }])(
    'a fatal error does so only with recycleOnFatal: %j',
    async options => {
      const { pool, factory } = scriptedPool({ isFatal: () => true, ...options });
      const [broken, other] = [await pool.acquire(), await pool.acquire()];
      other.release();
      broken.release(down);
      await turn();
      expect(factory.reasons.sort()).toEqual(options.recycleOnFatal ? ['fatal', 'recycled'] : ['fatal']);
    },
  );
});

describe('guarantee 10: close is orderly and idempotent', () => {
  it('refuses at once, awaits what is leased until its deadline, and then takes it', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 2, destroy: slow });
    const [kept, given] = [await pool.acquire(), await pool.acquire()];
    const waiter = follow(pool.acquire());
    const closed = follow(pool.close({ timeout: 1_000 }));
    expect(pool.close()).toBe(pool.close());
    await turn();
    expect(waiter.error).toBeInstanceOf(PoolClosedError);
    expect(await failureOf(pool.acquire())).toBeInstanceOf(PoolClosedError);
    given.release();
    await clock.advance(900);
    expect(kept.signal.aborted).toBe(false);
    await clock.advance(120);
    expect(kept.signal.reason).toBeInstanceOf(PoolClosedError);
    expect(factory.reasons).toEqual(['closed', 'closed']);
    expect(closed.state).toBe('pending');
    for (const destroy of factory.destroys.open) destroy.settle();
    await turn();
    expect(closed.state).toBe('fulfilled');
  });
});

describe('guarantee 11: hold-and-wait is detected', () => {
  it('of two owners that hold one each and want another, the younger fails at once and the other goes on', async () => {
    const { pool } = scriptedPool({ max: 2 });
    const [a, b] = [{ toString: () => 'job A' }, { toString: () => 'job B' }];
    const [, heldByB] = [await pool.acquire({ owner: a }), await pool.acquire({ owner: b })];
    const wantedByA = follow(pool.acquire({ owner: a }));
    await turn();
    expect(wantedByA.state).toBe('pending');
    const error = await failureOf(pool.acquire({ owner: b }));
    expect(error).toBeInstanceOf(PoolDeadlockError);
    expect((error as Error).message).toMatch(/job A, job B/);
    heldByB.release();
    await turn();
    expect(wantedByA.state).toBe('fulfilled');
  });
});

describe('guarantee 12: neutral context', () => {
  it('user code and timers run outside the context of any request; borrowers keep their own', async () => {
    const requests = new AsyncLocalStorage<string>();
    const seen = new Set<string | undefined>();
    const look = (): void => void seen.add(requests.getStore());
    const clock = new ManualClock();
    const { pool } = requests.run('the builder', () =>
      scriptedPool({
        clock,
        max: 1,
        validateAfterIdle: 0,
        create: call => (look(), ok(call)),
        validate: call => (look(), ok(call)),
        reset: call => (look(), ok(call)),
        destroy: call => (look(), ok(call)),
        listeners: [{ onTimeout: look }],
      }),
    );
    await requests.run('a request', async () => {
      const lease = await pool.acquire();
      expect(requests.getStore()).toBe('a request');
      lease.release();
      const other = await pool.acquire();
      const late = follow(pool.acquire({ timeout: 10 }));
      await clock.advance(20);
      expect(late.state).toBe('rejected');
      other.destroy();
      await turn();
    });
    expect([...seen]).toEqual([undefined]);
  });
});

describe('guarantee 13: quiet', () => {
  it('one timer, whatever the number of waiters, leases and slots; it holds the process while somebody waits', async () => {
    const { pool, clock } = scriptedPool({ max: 20, leakThreshold: 1_000, maxHold: 5_000, keepAlive: 700 });
    const leases = await Promise.all(Array.from({ length: 20 }, () => pool.acquire()));
    expect(clock.holdsProcess).toBe(false);
    const waiters = Array.from({ length: 100 }, (_, i) => follow(pool.acquire({ timeout: 100 + i * 50 })));
    expect(clock.timersLeft).toBe(1);
    expect(clock.holdsProcess).toBe(true);
    await clock.advance(6_000);
    expect(waiters.every(({ state }) => state === 'rejected')).toBe(true);
    expect(clock.timersLeft).toBeLessThanOrEqual(1);
    expect(clock.holdsProcess).toBe(false);
    for (const lease of leases) lease.release();
    const closed = follow(pool.close());
    await turn();
    expect(closed.state).toBe('fulfilled');
    expect(clock.timersLeft).toBe(0);
  });

  it('on the real clock no timer of an idle pool holds the process either', async () => {
    const setting = jest.spyOn(globalThis, 'setTimeout');
    const timers = setting.mock.results;
    const holding = (): number => timers.filter(({ value }) => (value as NodeJS.Timeout).hasRef()).length;
    const pool = new Pool({ create: () => ({}) });
    await pool.use(() => undefined);
    expect(holding()).toBe(0);
    const holder = await pool.acquire();
    pool.resize({ max: 1 });
    const waiter = follow(pool.acquire());
    expect(holding()).toBe(1);
    holder.release();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    expect(holding()).toBe(0);
    waiter.value?.release();
    await pool.close();
    setting.mockRestore();
  });
});
