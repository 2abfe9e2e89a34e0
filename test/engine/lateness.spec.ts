import { describe, expect, it, jest } from '@jest/globals';
import type { PoolSettings } from '../../src/engine/index.js';
import { Pace } from '../../src/engine/time/pace.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool, type ScriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { never, ok, rejects, slow, sync, throws, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

/** What takes `usual` as a rule is late after twice as long and 20 ms; deadlines are rounded up to 8 ms. */
const late = (usual: number): number => 2 * usual + 20 + 16;

/** A pool with so many idle, each of which took `createMs` to make. */
async function filled(
  idle: number,
  {
    createMs = 10,
    ...settings
  }: Omit<PoolSettings, 'clock'> & { createMs?: number; validate?: boolean } = {},
): Promise<ScriptedPool<Thing>> {
  const { validate, ...rest } = settings;
  const scripted = scriptedPool({
    max: 10,
    ...rest,
    create: slow,
    ...(validate && { validate: ok, validateAfterIdle: 500 }),
    reset: ok,
  });
  const { pool, factory, clock } = scripted;
  const borrowers = Array.from({ length: idle }, () => follow(pool.acquire()));
  await turn();
  await clock.advance(createMs);
  factory.finish();
  await turn();
  for (const { value } of borrowers) value!.release();
  await turn();
  expect(pool.stats()).toMatchObject({ idle });
  factory.creates.always(ok);
  return scripted;
}

describe.each(['adaptive', 'eager', 'single'] as const)(
  'with %s growth, supply that is late is none',
  growth => {
    it('when a create hangs', async () => {
      const { pool, factory, clock } = await filled(1, { growth });
      const [held] = [await pool.acquire()];
      factory.creates.next(never);
      const waiter = follow(pool.acquire());
      await clock.advance(2 * 10 + 20 - 1);
      expect(waiter.state).toBe('pending');
      await clock.advance(16);
      expect(waiter.state).toBe('fulfilled');
      held.release();
    });

    it('when a validation hangs', async () => {
      const { pool, factory, clock } = await filled(1, { growth, validate: true });
      await clock.advance(1_000);
      factory.validates.next(never);
      const waiter = follow(pool.acquire());
      await clock.advance(late(10));
      expect(waiter.value?.resource).toEqual({ id: 2 });
    });

    it('when a reset hangs', async () => {
      const { pool, factory, clock } = await filled(1, { growth });
      factory.resets.next(never);
      (await pool.acquire()).release();
      const waiter = follow(pool.acquire());
      await clock.advance(late(10));
      expect(waiter.value?.resource).toEqual({ id: 2 });
    });
  },
);

describe('what is late', () => {
  it('is what takes half of the time that borrowers have, while nothing is known', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, acquireTimeout: 1_000 });
    const waiter = follow(pool.acquire());
    await clock.advance(490);
    expect(factory.creates.calls).toHaveLength(1);
    await clock.advance(20);
    expect(factory.creates.calls).toHaveLength(2);
    factory.creates.last.settle();
    await turn();
    expect(waiter.state).toBe('fulfilled');
  });

  it('is told by the first that succeeds also of those that began before', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow });
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    await clock.advance(10);
    factory.creates.calls[1]!.settle();
    factory.creates.always(ok);
    await clock.advance(late(10));
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
  });

  it('is welcome when it comes after all', async () => {
    const { pool, factory, clock } = await filled(1);
    await pool.acquire();
    factory.creates.next(slow, never);
    const waiter = follow(pool.acquire());
    await clock.advance(200);
    factory.creates.open[0]!.settle();
    await turn();
    expect(waiter.value?.resource).toEqual({ id: 2 });
  });

  it('is not made twice for one that nobody waits for', async () => {
    const { pool, factory, clock } = await filled(1);
    factory.creates.next(never);
    await pool.acquire();
    expect(pool.tryAcquire()).toBeUndefined();
    await clock.advance(2_000);
    expect(factory.creates.calls).toHaveLength(2);
  });
});

describe('one validation that fails or is late', () => {
  it.each([
    ['fails', rejects(new Error('gone')), 0],
    ['is late', never, late(10)],
  ])('has all that are as old looked at when it %s, and one made meanwhile', async (_, first, after) => {
    const { pool, factory, clock } = await filled(6, { validate: true });
    await clock.advance(1_000);
    factory.validates.always(slow);
    factory.validates.next(first);
    const waiter = follow(pool.acquire());
    await turn();
    await clock.advance(after);
    expect(factory.validates.open.length).toBeGreaterThanOrEqual(5);
    expect(factory.creates.calls).toHaveLength(7);
    expect(waiter.value?.resource).toEqual({ id: 7 });
  });

  it('says nothing once another one has been found good', async () => {
    const { pool, factory, clock } = await filled(3, { validate: true });
    await clock.advance(1_000);
    factory.validates.next(rejects(new Error('gone')));
    (await pool.acquire()).release();
    expect(factory.creates.calls).toHaveLength(4);
    await clock.advance(1_000);
    const validated = factory.validates.calls.length;
    await pool.acquire();
    expect(factory.validates.calls).toHaveLength(validated + 1);
    expect(factory.creates.calls).toHaveLength(4);
  });

  it('says nothing of those that have not been looked at once one of them has been found good', async () => {
    const { pool, factory, clock } = await filled(3, { validate: true, growth: 'eager' });
    await clock.advance(1_000);
    factory.validates.next(throws(new Error('gone')), sync, slow);
    await pool.acquire();
    const made = factory.creates.calls.length;
    const borrower = follow(pool.acquire());
    await turn();
    expect(factory.creates.calls).toHaveLength(made);
    factory.validates.last.settle();
    await turn();
    expect(borrower.state).toBe('fulfilled');
  });

  it('is late by how long validations take, as soon as that is known', async () => {
    const { pool, factory, clock } = await filled(1, { validate: true });
    const validated = async (ms: number): Promise<number> => {
      await clock.advance(1_000);
      factory.validates.next(slow);
      const borrower = follow(pool.acquire());
      await clock.advance(ms);
      factory.validates.last.settle();
      await turn();
      borrower.value!.release();
      await turn();
      return factory.creates.calls.length;
    };
    const made = await validated(30);
    // More than twice as long as a create takes, and 20 ms.
    expect(await validated(75)).toBe(made);
  });

  it('lets nobody wait for one dead connection after the other', async () => {
    const { pool, factory, clock } = await filled(5, { validate: true, acquireTimeout: 2_000 });
    await clock.advance(60_000);
    factory.validates.next(never, never, never, never, never);
    const waiters = [1, 2, 3].map(() => follow(pool.acquire()));
    await clock.advance(late(10));
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  });
});

describe('creates that hang', () => {
  it('are followed by another one at once, and by more at the pace of the back-off', async () => {
    const { pool, factory, clock } = await filled(1, { acquireTimeout: Infinity, max: 100 });
    await pool.acquire();
    factory.creates.always(never);
    follow(pool.acquire());
    await clock.advance(late(10));
    expect(factory.creates.open).toHaveLength(2);
    await clock.advance(10_000);
    const begun = factory.creates.open.map(({ at }) => at);
    // With full jitter each step is at most 100, 200, 400 … ms, after each has been late.
    expect(begun.length).toBeGreaterThan(4);
    expect(begun.length).toBeLessThan(50);
  });

  it('are noticed at the first that fails, not one create timeout after the other', async () => {
    const { pool, clock } = scriptedPool({
      create: never,
      createTimeout: 10_000,
      acquireTimeout: 10_000,
      createBackoff: { initial: 100, max: 1_000 },
      max: 20,
    });
    const told: unknown[] = [];
    for (let i = 0; i < 40; i++) {
      pool.acquire().catch((error: unknown) => told.push((error as { code: string }).code));
      await clock.advance(1_000);
    }
    expect(pool.stats().state).toBe('unavailable');
    expect(told.indexOf('POOL_UNAVAILABLE')).toBeLessThan(20);
  });

  it('make room at the cap, one after the other, when creates have been known to take less', async () => {
    const { pool, factory, clock } = await filled(1, { max: 3, acquireTimeout: 30_000 });
    const held = await pool.acquire();
    factory.creates.next(never, never);
    const waiters = [follow(pool.acquire()), follow(pool.acquire())];
    await turn();
    await clock.advance(900);
    expect(waiters.map(({ state }) => state)).toEqual(['pending', 'pending']);
    await clock.advance(400);
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    expect(pool.stats()).toMatchObject({ leased: 3, abandoned: 2 });
    held.release();
  });

  it('keep their places where nothing is known of how long they take', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, max: 2, createTimeout: 60_000 });
    follow(pool.acquire({ timeout: 60_000 }));
    follow(pool.acquire({ timeout: 60_000 }));
    await clock.advance(50_000);
    expect(pool.stats()).toMatchObject({ creating: 2, abandoned: 0 });
    expect(factory.creates.calls).toHaveLength(2);
  });

  it('and validations do so too: who waits at the cap gets the place of one that hangs', async () => {
    const { pool, factory, clock } = await filled(2, { max: 2, validate: true });
    await clock.advance(1_000);
    factory.validates.always(never);
    const waiter = follow(pool.acquire());
    await clock.advance(900);
    expect(waiter.state).toBe('pending');
    await clock.advance(200);
    expect(waiter.value?.resource).toEqual({ id: 3 });
    expect(factory.reasons).toEqual(['invalid']);
  });
});

describe('at the cap', () => {
  it('one that hangs makes room after the other, not before the last has gone', async () => {
    const { pool, factory, clock } = await filled(2, { max: 2, validate: true, destroyTimeout: 60_000 });
    await clock.advance(1_000);
    factory.validates.always(never);
    factory.destroys.next(slow);
    follow(pool.acquire());
    follow(pool.acquire());
    await clock.advance(3_000);
    expect(factory.reasons).toEqual(['invalid']);
    factory.destroys.last.settle();
    await clock.advance(3_000);
    expect(factory.reasons).toEqual(['invalid', 'invalid']);
  });
});

describe('a create that was late and then fails', () => {
  it('does not bring the next attempt forward', async () => {
    const { pool, factory, clock } = scriptedPool({
      create: slow,
      acquireTimeout: 1_000,
      createBackoff: { initial: 1_000, max: 10_000 },
    });
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.99);
    try {
      follow(pool.acquire({ timeout: 10_000 }));
      follow(pool.acquire({ timeout: 10_000 }));
      // The first is late, and so is the one that is tried at once.
      await clock.advance(1_050);
      const begun = factory.creates.calls.length;
      random.mockReturnValue(0);
      for (const call of factory.creates.open) call.fail(new Error('down'));
      await clock.advance(100);
      expect(factory.creates.calls).toHaveLength(begun);
    } finally {
      random.mockRestore();
    }
  });
});

describe('a queue that stands', () => {
  it('grows the pool although nobody waits for as long as a create takes', async () => {
    const scripted = scriptedPool({ create: slow, max: 10, acquireTimeout: 200 });
    const { pool, factory, clock } = scripted;
    const first = follow(pool.acquire({ timeout: 1_000 }));
    await clock.advance(300);
    factory.creates.last.settle();
    await turn();
    first.value!.release();
    const ends: { at: number; release(): void }[] = [];
    let failed = 0;
    for (let ms = 0; ms < 5_000; ms++) {
      if (ms % 25 === 0) {
        pool.acquire().then(
          lease => ends.push({ at: clock.now() + 30, release: lease.release }),
          () => failed++,
        );
      }
      await clock.advance(1);
      await turn();
      for (const call of factory.creates.open) if (clock.now() >= call.at + 300) call.settle();
      for (const one of ends.filter(({ at }) => at <= clock.now())) {
        one.release();
        ends.splice(ends.indexOf(one), 1);
      }
      await turn();
    }
    expect(failed).toBe(0);
    expect(factory.creates.calls.length).toBeGreaterThan(1);
    expect(factory.creates.calls.length).toBeLessThan(6);
  });
});

describe('how long something takes as a rule', () => {
  it('is the median of the last nine', () => {
    const pace = new Pace();
    expect([pace.limit, pace.expected(0)]).toEqual([undefined, undefined]);
    for (const ms of [10, 12, 5_000]) pace.record(ms, 0);
    expect(pace.expected(0)).toBe(12);
    expect(pace.limit).toBe(44);
    for (let i = 0; i < 20; i++) pace.record(300, 0);
    for (let i = 0; i < 5; i++) pace.record(50, 0);
    expect(pace.expected(0)).toBe(50);
  });

  it('outvotes one that was slow at the very next one', () => {
    const pace = new Pace();
    pace.record(5_000, 0);
    pace.record(10, 0);
    expect(pace.expected(0)).toBe(10);
  });

  it('is believed less when it is old, but an eighth of it always', () => {
    const pace = new Pace();
    pace.record(800, 0);
    expect([10_000, 20_000, 30_000, 1e9].map(now => pace.expected(now))).toEqual([800, 400, 200, 100]);
    // What is late is told by what was measured.
    expect(pace.limit).toBe(1_620);
  });
});
