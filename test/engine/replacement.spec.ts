import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Lease } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import {
  checkPoolsAfterEach,
  scriptedPool,
  type ScriptedOptions,
  type ScriptedPool,
} from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, rejects, slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();
afterEach(() => {
  jest.restoreAllMocks();
});

/** A tenth of this is when a replacement is looked for. */
const LIFE = 10_000;
/** Just after the replacement of those made at the beginning has begun: deadlines are up to 1.6 % late. */
const NEAR_END = 9_200;

/** All are made at once, and end at once. */
function mortalPool(options: ScriptedOptions<Thing> = {}): ScriptedPool<Thing> {
  return scriptedPool({ maxLifetime: LIFE, lifetimeJitter: 0, idleTimeout: Infinity, ...options });
}

/** Borrows as many at once; from then on, creates wait for the test. */
async function borrow({ pool, factory }: ScriptedPool<Thing>, count: number): Promise<Lease<Thing>[]> {
  const leases = await Promise.all(Array.from({ length: count }, () => pool.acquire()));
  factory.creates.always(slow);
  return leases;
}

async function fill(scripted: ScriptedPool<Thing>, count: number): Promise<void> {
  for (const lease of await borrow(scripted, count)) lease.release();
}

async function settle({ factory }: ScriptedPool<Thing>): Promise<void> {
  for (const call of factory.creates.open) call.settle();
  await turn();
}

describe('below max', () => {
  it('the new one is made first, and then the old one retired', async () => {
    const scripted = mortalPool({ max: 2 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    await clock.advance(NEAR_END - 300);
    expect(factory.creates.calls).toHaveLength(1);
    await clock.advance(300);
    expect(pool.stats()).toMatchObject({ idle: 1, creating: 1 });
    await settle(scripted);
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 2 });
    expect(pool.stats().totals.waited).toBe(1);
  });

  it('a long life leaves a create all the time it may take, but not much more', async () => {
    const createTimeout = 5_000;
    const scripted = mortalPool({ max: 2, maxLifetime: 1_800_000, createTimeout });
    const { factory, clock } = scripted;
    await fill(scripted, 1);
    await clock.advance(1_800_000 - 7 * createTimeout);
    expect(factory.creates.calls).toHaveLength(1);
    factory.creates.always(ok);
    await clock.advance(6 * createTimeout);
    expect(factory.creates.calls).toHaveLength(2);
    expect(factory.reasons).toEqual(['lifetime']);
  });

  it('all that end together are replaced together, as far as there is room', async () => {
    const scripted = mortalPool({ max: 5 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 3);
    await clock.advance(NEAR_END);
    expect(pool.stats()).toMatchObject({ idle: 3, creating: 2 });
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ idle: 3, creating: 1 });
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ idle: 3, creating: 0 });
    expect(factory.reasons).toEqual(['lifetime', 'lifetime', 'lifetime']);
    expect(factory.peak).toBe(5);
  });

  it('of two that are idle, one new one takes the place of one', async () => {
    const scripted = mortalPool({ max: 3 });
    const { pool, clock } = scripted;
    await fill(scripted, 2);
    await clock.advance(NEAR_END);
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ idle: 2, creating: 1 });
  });

  it('min is kept all the time', async () => {
    const scripted = mortalPool({ min: 2, max: 3, idleTimeout: 2_000 });
    const { pool, clock } = scripted;
    await fill(scripted, 2);
    for (let i = 0; i < 300; i++) {
      await clock.advance(100);
      const { idle, total } = pool.stats();
      expect([idle, total <= 3]).toEqual([2, true]);
      if (i % 3 === 0) await settle(scripted);
    }
    expect(pool.stats().totals.destroyedBy).toEqual({ lifetime: 6 });
  });

  it.each([
    ['while it is being created', false],
    ['while the old one is out', true],
  ])('the new one does not make another one too many: min is kept %s', async (_, arrives) => {
    const scripted = mortalPool({ min: 2, max: 4, idleTimeout: 2_000 });
    const { pool, factory, clock } = scripted;
    // The second one is younger.
    factory.creates.next(ok, slow);
    const lease = await pool.acquire();
    await clock.advance(500);
    await settle(scripted);
    factory.creates.always(slow);
    if (!arrives) lease.release();
    await clock.advance(NEAR_END - 500);
    if (arrives) await settle(scripted);
    // Now the second one ages, and those that are idle are looked at.
    await clock.advance(500);
    expect(factory.creates.calls).toHaveLength(4);
    expect(pool.stats().totals.destroyedBy).toEqual({});
    if (arrives) lease.release();
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ idle: 2, total: 2 });
    expect(pool.stats().totals.destroyedBy).toEqual({ lifetime: 2 });
  });
});

describe('when the new one arrives', () => {
  it('an old one that is leased serves its borrower to the end, and goes when it comes back', async () => {
    const scripted = mortalPool({ max: 2 });
    const { pool, factory, clock } = scripted;
    const [lease] = await borrow(scripted, 1);
    await clock.advance(NEAR_END);
    await settle(scripted);
    expect(lease!.resource).toEqual({ id: 1 });
    expect(factory.reasons).toEqual([]);
    lease!.release();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 2 });
    expect(factory.creates.calls).toHaveLength(2);
  });

  it('an old one that is being validated goes when that is done', async () => {
    const scripted = mortalPool({ max: 2, validate: slow, validateTimeout: LIFE });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    await clock.advance(NEAR_END);
    const abort = new AbortController();
    follow(pool.acquire({ signal: abort.signal }));
    abort.abort();
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ validating: 1, idle: 1 });
    expect(factory.reasons).toEqual([]);
    factory.validates.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 2 });
  });

  it('an old one that is being reset goes when that is done', async () => {
    const scripted = mortalPool({ max: 2, reset: slow, resetTimeout: LIFE });
    const { pool, factory, clock } = scripted;
    const [lease] = await borrow(scripted, 1);
    await clock.advance(NEAR_END);
    lease!.release();
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ resetting: 1, idle: 1 });
    expect(factory.reasons).toEqual([]);
    factory.resets.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 2 });
  });

  it('and somebody who waits takes it, the old one is replaced once more', async () => {
    const scripted = mortalPool({ max: 3 });
    const { pool, factory, clock } = scripted;
    const [held] = await borrow(scripted, 1);
    while (factory.creates.open.length === 0) await clock.advance(8);
    const waiter = follow(pool.acquire());
    await turn();
    // The one on its way serves the waiter: nothing is created twice.
    expect(factory.creates.open).toHaveLength(1);
    await settle(scripted);
    expect(waiter.value?.resource).toEqual({ id: 2 });
    expect(pool.stats()).toMatchObject({ leased: 2, creating: 1 });
    await settle(scripted);
    held!.release();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 1, total: 2 });
  });

  it('and the old one has ended otherwise, the new one stays', async () => {
    const scripted = mortalPool({ max: 2 });
    const { pool, factory, clock } = scripted;
    const [lease] = await borrow(scripted, 1);
    await clock.advance(NEAR_END);
    lease!.destroy();
    await settle(scripted);
    expect(factory.reasons).toEqual(['caller']);
    expect(pool.stats()).toMatchObject({ idle: 1, total: 1 });
  });
});

describe('an old one that is out when its replacement arrives', () => {
  it('does not leave the pool one short: no room is made in the place of another meanwhile', async () => {
    const scripted = mortalPool({ max: 3 });
    const { pool, clock } = scripted;
    const [lease, other] = await borrow(scripted, 2);
    other!.release();
    await clock.advance(NEAR_END);
    await settle(scripted);
    lease!.release();
    await turn();
    // Two were in use at most, of three: two can be borrowed at any time.
    expect([pool.tryAcquire(), pool.tryAcquire()]).not.toContain(undefined);
  });
});

describe('a replacement that fails', () => {
  it('is tried again with the back-off, while the old one serves until its end', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999_999);
    const scripted = mortalPool({ max: 2 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    factory.creates.next(rejects(new Error('down')), rejects(new Error('down')));
    await clock.advance(NEAR_END);
    expect(pool.stats()).toMatchObject({ state: 'ready', idle: 1 });
    expect(pool.stats().totals.createFailed).toBeGreaterThanOrEqual(1);
    (await pool.acquire()).release();
    await clock.advance(500);
    expect(pool.stats().totals.createFailed).toBe(2);
    expect(factory.creates.open).toHaveLength(1);
    await settle(scripted);
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 2 });
    const [, second, third, fourth] = factory.creates.calls.map(call => call.at);
    expect(third! - second!).toBeGreaterThanOrEqual(99);
    expect(fourth! - third!).toBeGreaterThanOrEqual(199);
  });

  it('because it hangs is given up, and tried again', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    const scripted = mortalPool({ max: 2, maxLifetime: 100_000, createTimeout: 1_000 });
    const { pool, factory, clock } = scripted;
    const [lease] = await borrow(scripted, 1);
    await clock.advance(97_400);
    expect(factory.creates.calls).toHaveLength(1);
    factory.creates.always(ok);
    factory.creates.next(slow);
    await clock.advance(2_500);
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 1, abandoned: 1 });
    expect(factory.creates.calls[1]!.given.signal.aborted).toBe(true);
    lease!.release();
    await settle(scripted);
    expect(factory.reasons).toEqual(['lifetime', 'late']);
    expect(pool.stats()).toMatchObject({ idle: 1, total: 1, abandoned: 0 });
  });

  it('does not keep the old one beyond its end', async () => {
    const scripted = mortalPool({ max: 2 });
    await fill(scripted, 1);
    scripted.factory.creates.always(rejects(new Error('down')));
    await scripted.clock.advance(LIFE * 1.02);
    expect(scripted.factory.reasons).toEqual(['lifetime']);
    expect(scripted.pool.stats()).toMatchObject({ idle: 0, total: 0 });
  });
});

describe('at max', () => {
  it('one at a time goes while it is idle and nobody waits, and its place is filled again', async () => {
    const scripted = mortalPool({ max: 3 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 3);
    await clock.advance(NEAR_END);
    for (let gone = 1; gone <= 3; gone++) {
      expect(pool.stats()).toMatchObject({ idle: 2, creating: 1 });
      expect(factory.reasons).toHaveLength(gone);
      await settle(scripted);
    }
    expect(pool.stats()).toMatchObject({ idle: 3, total: 3 });
    expect(factory.peak).toBe(3);
  });

  it('the next one goes only when the destroy of the one before has settled', async () => {
    const scripted = mortalPool({ max: 2, destroy: slow });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 2);
    await clock.advance(NEAR_END);
    expect(pool.stats()).toMatchObject({ idle: 1, closing: 1, creating: 0 });
    factory.destroys.last.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 1, closing: 0, creating: 1 });
  });

  it('none goes early while all are in use: each serves to its end, and goes when it comes back after that', async () => {
    const scripted = mortalPool({ max: 2 });
    const { pool, factory, clock } = scripted;
    let leases = await borrow(scripted, 2);
    await clock.advance(NEAR_END);
    for (let i = 0; i < 3; i++) {
      // Somebody waits for each that comes back.
      const waiters = [pool.acquire(), pool.acquire()];
      for (const lease of leases) lease.release();
      leases = await Promise.all(waiters);
      await clock.advance(100);
    }
    expect(factory.reasons).toEqual([]);
    await clock.advance(LIFE - NEAR_END);
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    for (const lease of leases) lease.release();
    await turn();
    expect(factory.reasons).toEqual(['lifetime', 'lifetime']);
    expect(pool.stats()).toMatchObject({ creating: 2, waiting: 2 });
    await settle(scripted);
    expect(waiters.map(waiter => waiter.state)).toEqual(['fulfilled', 'fulfilled']);
  });

  it('and beyond, in its overflow, the cap holds', async () => {
    const scripted = mortalPool({ max: 2, overflow: 1 });
    const { pool, factory, clock } = scripted;
    const leases = await borrow(scripted, 3);
    await clock.advance(NEAR_END);
    expect(pool.stats()).toMatchObject({ leased: 3, total: 3 });
    for (const lease of leases) lease.release();
    await turn();
    await settle(scripted);
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ idle: 2, total: 2 });
    expect(pool.stats().totals.destroyedBy).toEqual({ overflow: 1, lifetime: 2 });
    expect(factory.peak).toBe(3);
  });
});

describe('an unused pool', () => {
  it.each([
    ['below max', 3, 2],
    ['at max', 2, 2],
  ])('shrinks although what it has is replaced more often than idleTimeout: %s', async (_, max, filled) => {
    const scripted = mortalPool({ max, idleTimeout: 3.5 * LIFE });
    const { pool, factory, clock } = scripted;
    await fill(scripted, filled);
    factory.creates.always(ok);
    await clock.advance(3 * LIFE);
    expect(pool.stats()).toMatchObject({ idle: filled });
    await clock.advance(LIFE);
    expect(pool.stats()).toMatchObject({ idle: 0, total: 0 });
    expect(pool.stats().totals.destroyedBy.idle).toBe(filled);
  });
});

describe('other ends', () => {
  it('a pool that closes meanwhile destroys the old one and the new one', async () => {
    const scripted = mortalPool({ max: 2 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    await clock.advance(NEAR_END);
    const closed = follow(pool.close());
    await turn();
    expect(factory.creates.last.given.signal.aborted).toBe(true);
    await settle(scripted);
    expect(closed.state).toBe('fulfilled');
    expect(factory.count('destroyed')).toBe(2);
  });

  it('a pool that closes makes none for what has ended while it was suspended', async () => {
    const scripted = mortalPool({ max: 2 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 2);
    pool.suspend();
    await clock.advance(2 * LIFE);
    expect(pool.stats().total).toBe(0);
    const closed = follow(pool.close());
    await turn();
    expect(factory.creates.calls).toHaveLength(2);
    expect(closed.state).toBe('fulfilled');
  });

  it('a create that fails after room was made for it is tried again', async () => {
    const scripted = mortalPool({ max: 1 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    factory.creates.next(rejects(new Error('down')));
    await clock.advance(NEAR_END);
    await clock.advance(200);
    expect(pool.stats()).toMatchObject({ creating: 1, total: 1, totals: { createFailed: 1 } });
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ idle: 1 });
  });

  it('one that ends while its replacement is being made is made up for, also when that fails', async () => {
    const scripted = mortalPool({ max: 2 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    await clock.advance(LIFE + 200);
    expect(factory.reasons).toEqual(['lifetime']);
    factory.creates.last.fail(new Error('down'));
    await clock.advance(200);
    await settle(scripted);
    expect(pool.stats()).toMatchObject({ idle: 1, total: 1 });
  });

  it('nothing is made for one that will end for another reason, nor for one that was detached', async () => {
    const scripted = mortalPool({ max: 3 });
    const { pool, factory, clock } = scripted;
    await borrow(scripted, 2);
    factory.creates.calls[0]?.given.invalidate();
    await clock.advance(NEAR_END);
    expect(pool.stats()).toMatchObject({ leased: 2, creating: 1 });

    const full = mortalPool({ max: 1 });
    const [lease] = await borrow(full, 1);
    await full.clock.advance(NEAR_END);
    lease?.detach();
    await turn();
    expect(full.pool.stats()).toMatchObject({ total: 0 });
  });

  it('one whose place went to a waiter is not replaced once more when there is room again', async () => {
    const scripted = mortalPool({ max: 1, idleTimeout: 1_000 });
    const { pool, factory, clock } = scripted;
    const [lease] = await borrow(scripted, 1);
    await clock.advance(LIFE + 200);
    const waiter = follow(pool.acquire());
    lease!.release();
    await turn();
    await settle(scripted);
    waiter.value?.release();
    await clock.advance(1_100);
    expect(factory.reasons).toEqual(['lifetime', 'idle']);
    expect(pool.stats()).toMatchObject({ total: 0 });
  });

  it('recycle with a spread replaces what is idle before it ends', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    const scripted = mortalPool({ max: 3, maxLifetime: Infinity });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 2);
    pool.recycle({ spread: 20_000 });
    await clock.advance(8_900);
    expect(pool.stats()).toMatchObject({ idle: 2, creating: 0 });
    await clock.advance(400);
    expect(pool.stats()).toMatchObject({ idle: 2, creating: 1 });
    await settle(scripted);
    await settle(scripted);
    expect(factory.reasons).toEqual(['recycled', 'recycled']);
    expect(pool.stats()).toMatchObject({ idle: 2, total: 2 });
  });
});
