import { describe, expect, it } from '@jest/globals';
import type { Verdict } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { gives, ok, rejects, slow, sync, throws, type Behaviour } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('validate', () => {
  it('is asked on borrow only about what was idle for validateAfterIdle', async () => {
    const { pool, factory, clock } = scriptedPool({ validate: ok, validateAfterIdle: 500 });
    (await pool.acquire()).release();
    await clock.advance(499);
    (await pool.acquire()).release();
    expect(factory.validates.calls).toHaveLength(0);
    await clock.advance(500);
    (await pool.acquire()).release();
    expect(factory.validates.calls).toHaveLength(1);
  });

  it('is never asked about a fresh resource', async () => {
    const { pool, factory } = scriptedPool({ validate: ok, validateAfterIdle: 0 });
    await pool.acquire();
    expect(factory.validates.calls).toHaveLength(0);
  });

  it('is always asked with 0 and never with Infinity', async () => {
    for (const validateAfterIdle of [0, Infinity]) {
      const { pool, factory, clock } = scriptedPool({ validate: ok, validateAfterIdle });
      (await pool.acquire()).release();
      await clock.advance(100_000);
      (await pool.acquire()).release();
      (await pool.acquire()).release();
      expect(factory.validates.calls).toHaveLength(validateAfterIdle === 0 ? 2 : 0);
    }
  });

  const bad: [string, Behaviour<Verdict>][] = [
    ['answers false', gives<Verdict>(false)],
    ['answers null', gives<Verdict>(null as unknown as boolean)],
    ['answers false synchronously', (): boolean => false],
    ['rejects', rejects(new Error('broken'))],
    ['throws', throws(new Error('broken'))],
  ];
  it.each(bad)('has a resource destroyed when it %s, and its borrower gets another', async (_, verdict) => {
    const { pool, factory } = scriptedPool({ validate: verdict, validateAfterIdle: 0 });
    (await pool.acquire()).release();
    const lease = await pool.acquire();
    expect(lease.resource).toEqual({ id: 2 });
    expect(factory.reasons).toEqual(['invalid']);
    lease.release();
  });

  const good: [string, Behaviour<Verdict>][] = [
    ['true', gives<Verdict>(true)],
    ['nothing', gives<Verdict>(undefined)],
    ['an object, as a query does', gives<Verdict>({ rows: [] })],
    ['true synchronously', (): boolean => true],
    ['nothing synchronously', sync],
  ];
  it.each(good)('approves by answering %s', async (_, verdict) => {
    const { pool, factory } = scriptedPool({ validate: verdict, validateAfterIdle: 0 });
    (await pool.acquire()).release();
    const lease = await pool.acquire();
    expect(lease.resource).toEqual({ id: 1 });
    expect(factory.validates.calls).toHaveLength(1);
    expect(factory.reasons).toEqual([]);
  });

  it('has a resource destroyed when it takes longer than validateTimeout', async () => {
    const { pool, factory, clock, events } = scriptedPool({
      validate: slow,
      validateAfterIdle: 0,
      validateTimeout: 1_000,
      max: 1,
    });
    (await pool.acquire()).release();
    const borrower = follow(pool.acquire());
    await clock.advance(999);
    expect(borrower.state).toBe('pending');
    await clock.advance(21);
    expect(borrower.value?.resource).toEqual({ id: 2 });
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({
      cause: { message: 'validating did not settle in time' },
    });
    factory.validates.last.settle(true);
    await turn();
    expect(factory.reasons).toEqual(['invalid']);
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 0 });
  });

  it('that fails leaves its borrower at the head of the queue', async () => {
    const { pool, factory } = scriptedPool({ max: 1, validate: slow, validateAfterIdle: 0, destroy: slow });
    (await pool.acquire()).release();
    const first = follow(pool.acquire());
    const second = follow(pool.acquire());
    factory.validates.last.settle(false);
    await turn();
    factory.destroys.last.settle();
    await turn();
    expect([first.state, second.state]).toEqual(['fulfilled', 'pending']);
    first.value?.release();
    await turn();
    // Always means also what goes straight from one borrower to the next.
    expect([second.state, factory.validates.open.length]).toEqual(['pending', 1]);
    factory.validates.last.settle();
    await turn();
    expect(second.state).toBe('fulfilled');
  });

  it.each([
    [0, 5],
    [500, 0],
  ])('with validateAfterIdle %i is run %i times in five borrows one after the other', async (idle, times) => {
    const { pool, factory } = scriptedPool({ max: 1, validate: ok, validateAfterIdle: idle, reset: ok });
    const queue = Array.from({ length: 6 }, () => pool.use(() => undefined));
    await Promise.all(queue);
    expect(factory.validates.calls).toHaveLength(times);
  });

  it('that fails once does not empty the pool', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 3, validate: ok });
    for (const lease of await Promise.all([1, 2, 3].map(() => pool.acquire()))) lease.release();
    await clock.advance(1_000);
    factory.validates.next(rejects(new Error('broken')));
    const lease = await pool.acquire();
    expect(factory.reasons).toEqual(['invalid']);
    // Those that were left, and one that was made at once, in case that they are no better.
    expect(pool.stats()).toMatchObject({ leased: 1, total: 3 });
    lease.release();
  });

  it('runs for a waiter although something is being created or reset already: that may hang', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 3, validate: ok, reset: ok });
    const [one, two] = await Promise.all([pool.acquire(), pool.acquire()]);
    factory.creates.next(slow);
    follow(pool.acquire({ timeout: 100 }));
    await clock.advance(200);
    one.release();
    await clock.advance(1_000);
    expect(pool.stats()).toMatchObject({ creating: 1, idle: 1, leased: 1 });
    factory.resets.next(slow);
    two.release();
    const borrower = follow(pool.acquire());
    await turn();
    expect(borrower.value?.resource).toEqual({ id: 1 });
  });

  it('runs for each waiter on a resource of its own', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 3, validate: slow });
    for (const lease of await Promise.all([1, 2, 3].map(() => pool.acquire()))) lease.release();
    await clock.advance(1_000);
    const borrowers = [follow(pool.acquire()), follow(pool.acquire())];
    expect(new Set(factory.validates.open.map(call => call.given)).size).toBe(2);
    factory.finish();
    await turn();
    expect(borrowers.every(one => one.state === 'fulfilled')).toBe(true);
  });
});
