import { describe, expect, it } from '@jest/globals';
import { PoolTimeoutError, PoolUnavailableError } from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, rejects, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('a suspended pool', () => {
  it('lends, creates and validates nothing; what is out can come back, and resuming serves', async () => {
    const { pool, factory, events } = scriptedPool({ max: 2, min: 2, validate: ok, validateAfterIdle: 0 });
    const lease = await pool.acquire();
    pool.suspend();
    const created = factory.creates.calls.length;
    lease.release();
    const waiter = follow(pool.acquire());
    expect(pool.tryAcquire()).toBeUndefined();
    expect(await failureOf(pool.acquire({ timeout: 0 }))).toBeInstanceOf(PoolTimeoutError);
    await turn();
    expect(pool.stats()).toMatchObject({ state: 'suspended', waiting: 1, validating: 0 });
    expect(factory.creates.calls).toHaveLength(created);
    expect(factory.validates.calls).toHaveLength(0);
    pool.resume();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    const states = events.filter(({ event }) => event === 'onStateChange').map(({ to }) => to);
    expect(states).toEqual(['suspended', 'ready']);
  });

  it('lets the time of those who wait stand still, and go on from where it stood', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const waiter = follow(pool.acquire({ timeout: 1_000 }));
    await clock.advance(600);
    pool.suspend();
    await clock.advance(60_000);
    expect(pool.stats().oldestWaitMs).toBe(600);
    expect(clock.holdsProcess).toBe(true);
    pool.resume();
    await clock.advance(390);
    expect(waiter.state).toBe('pending');
    await clock.advance(30);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
    lease.release();
  });

  it('forgets the failures from before, and tries at once when it is resumed', async () => {
    const { pool, factory, clock } = scriptedPool({
      create: rejects(new Error('down')),
      unavailableAfter: 1,
    });
    expect(await failureOf(pool.acquire())).toBeInstanceOf(PoolUnavailableError);
    pool.suspend();
    const waiter = follow(pool.acquire());
    const before = factory.creates.calls.length;
    await clock.advance(60_000);
    expect(waiter.state).toBe('pending');
    expect(factory.creates.calls).toHaveLength(before);
    factory.creates.always(ok);
    pool.resume();
    await turn();
    expect(waiter.state).toBe('fulfilled');
  });

  it('is not unavailable when it is resumed because a create from before has failed for good', async () => {
    const { pool, factory } = scriptedPool({ isRetryable: () => false, create: slow });
    const waiter = follow(pool.acquire());
    const [before] = factory.creates.open;
    pool.suspend();
    pool.resume();
    before?.fail(new Error('wrong password'));
    await turn();
    expect(pool.stats()).toMatchObject({ state: 'ready', waiting: 1, creating: 1 });
    factory.creates.last.settle();
    await turn();
    expect(waiter.state).toBe('fulfilled');
  });

  it('is resumed by close, which serves those who wait when it drains', async () => {
    const { pool, events } = scriptedPool({ max: 1 });
    pool.suspend();
    const waiter = follow(pool.acquire());
    const closed = follow(pool.close({ drain: true }));
    await turn();
    expect(waiter.state).toBe('fulfilled');
    waiter.value?.release();
    await turn();
    expect(closed.state).toBe('fulfilled');
    const states = events.filter(({ event }) => event === 'onStateChange').map(({ to }) => to);
    expect(states).toEqual(['suspended', 'draining', 'closed']);
  });

  it('is suspended once, and never again when it is closed', async () => {
    const { pool, events } = scriptedPool();
    pool.suspend();
    pool.suspend();
    await pool.close();
    pool.suspend();
    expect(pool.stats().state).toBe('closed');
    const states = events.filter(({ event }) => event === 'onStateChange').map(({ to }) => to);
    expect(states).toEqual(['suspended', 'draining', 'closed']);
  });
});

describe('resize', () => {
  it('serves those who wait when max is raised, and ends what is beyond a lower one', async () => {
    const { pool, factory } = scriptedPool({ max: 1 });
    const first = await pool.acquire();
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    pool.resize({ max: 3 });
    await turn();
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    first.release();
    pool.resize({ max: 1 });
    await turn();
    expect(factory.reasons).toEqual(['shrink']);
    for (const { value } of waiters) value?.release();
    await turn();
    expect(factory.reasons).toEqual(['shrink', 'shrink']);
    expect(pool.stats()).toMatchObject({ idle: 1, total: 1, max: 1 });
  });

  it.each([
    [{ max: 0 }, 'option "max" is 0; it must be a whole number ≥ 1'],
    [{ min: 11 }, 'option "min" is 11; it must be at most max, which is 10'],
    [{ maxUses: 3 }, 'option "maxUses" is 3; it must be left out: resize takes min, max, overflow'],
    [20, 'option "resize" is 20; it must be { min?, max?, overflow? }'],
    [null, 'option "resize" is null'],
  ])('refuses %j, and changes nothing', (limits, message) => {
    const { pool } = scriptedPool();
    expect(() => {
      pool.resize(limits as never);
    }).toThrow(message);
    expect(pool.stats()).toMatchObject({ min: 0, max: 10, overflow: 0 });
  });
});

describe('detach', () => {
  it('gives the resource to its borrower for good, and its place to the next', async () => {
    const { pool, factory } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const waiter = follow(pool.acquire());
    expect(lease.detach()).toEqual({ id: 1 });
    expect(() => lease.detach()).toThrow('has been released');
    await turn();
    expect(waiter.value?.resource).toEqual({ id: 2 });
    factory.creates.calls[0]?.given.invalidate();
    expect(factory.reasons).toEqual([]);
    expect(pool.stats().totals.detached).toBe(1);
  });
});

describe('maxHold', () => {
  it.each(['report', 'destroy'] as const)(
    'reports who holds on for too long, and with %s',
    async maxHoldAction => {
      const { pool, factory, clock, events } = scriptedPool({ max: 1, maxHold: 1_000, maxHoldAction });
      const lease = await pool.acquire();
      const waiter = follow(pool.acquire());
      await clock.advance(990);
      expect(lease.signal.aborted).toBe(false);
      await clock.advance(40);
      expect(lease.signal.reason).toBeInstanceOf(PoolTimeoutError);
      expect(events.find(({ event }) => event === 'onLeak')).toMatchObject({ limit: 'maxHold' });
      const taken = maxHoldAction === 'destroy';
      expect(lease.released).toBe(taken);
      expect(factory.reasons).toEqual(taken ? ['held'] : []);
      expect(waiter.state).toBe(taken ? 'fulfilled' : 'pending');
      lease.release();
      expect(() => lease.resource).toThrow(
        taken ? 'held for longer than maxHold (1000 ms)' : 'this lease has been released',
      );
    },
  );

  it('ends a lease once, also when a listener that hears of it gives it back', async () => {
    const { pool, factory, clock } = scriptedPool({
      maxHold: 1_000,
      maxHoldAction: 'destroy',
      listeners: [{ onLeak: ({ returned }) => returned || lease.release() }],
    });
    const lease = await pool.acquire();
    await clock.advance(1_020);
    expect(lease.signal.aborted).toBe(false);
    expect(factory.reasons).toEqual([]);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { acquired: 1, released: 1 } });
  });

  it('leaves no timer when the lease comes back in time', async () => {
    const { pool, clock } = scriptedPool({ maxHold: 60_000, idleTimeout: Infinity, maxLifetime: Infinity });
    (await pool.acquire()).release();
    await clock.advance(200);
    expect(clock.timersLeft).toBe(0);
  });
});

describe('keepAlive', () => {
  it('validates what is idle in the background, at most half at once, and replaces what is bad to min', async () => {
    const { pool, factory, clock } = scriptedPool({ min: 4, keepAlive: 1_000, validate: ok });
    await pool.start();
    factory.validates.next(rejects(new Error('gone')));
    await clock.advance(1_010);
    expect(factory.validates.calls).toHaveLength(2);
    await clock.advance(100);
    expect(factory.validates.calls.length).toBeGreaterThanOrEqual(4);
    expect(factory.reasons).toEqual(['invalid']);
    expect(pool.stats()).toMatchObject({ idle: 4, waiting: 0 });
  });
});
