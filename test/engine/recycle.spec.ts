import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { PoolOptionsError, PoolTimeoutError } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool, type ScriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();
afterEach(() => {
  jest.restoreAllMocks();
});

/** Has a pool with so many idle, 1 having been idle longest. */
async function idlePool(count: number, options = {}): Promise<ScriptedPool<Thing>> {
  const scripted = scriptedPool({ max: 4, maxLifetime: Infinity, validateAfterIdle: Infinity, ...options });
  const leases = [];
  for (let i = 0; i < count; i++) leases.push(await scripted.pool.acquire());
  for (const lease of leases) lease.release();
  return scripted;
}

/** Each resource's moment is at this part of the spread. */
function moments(...parts: number[]): void {
  const random = jest.spyOn(Math, 'random');
  for (const part of parts) random.mockReturnValueOnce(part);
}

describe('recycle with a spread', () => {
  it('ends what is idle one by one, each at a random moment within it, as long as it is not lent', async () => {
    const { pool, factory, clock } = await idlePool(3, { max: 3 });
    moments(0.9, 0.1, 0.5);
    pool.recycle({ spread: 10_000 });
    const ended: number[] = [];
    for (let now = 0; now < 10_200; now += 100) {
      await clock.advance(100);
      while (ended.length < factory.destroys.calls.length) ended.push(now + 100);
    }
    expect(factory.destroys.calls.map(({ given }) => given.resource.id)).toEqual([2, 3, 1]);
    expect(factory.reasons).toEqual(['recycled', 'recycled', 'recycled']);
    [1_000, 5_000, 9_000].forEach((moment, i) => {
      // A full pool makes room in the last tenth, so that the replacement is there when it is needed.
      expect(ended[i]).toBeGreaterThanOrEqual(moment * 0.9);
      expect(ended[i]).toBeLessThanOrEqual(moment * 1.02 + 100);
    });
  });

  it('ends at once what is leased when it comes back, and what is created when it arrives', async () => {
    const { pool, factory } = await idlePool(1);
    const lease = await pool.acquire();
    factory.creates.next(slow);
    const waiter = follow(pool.acquire());
    pool.recycle({ spread: 10_000 });
    factory.creates.last.settle();
    await turn();
    expect(waiter.value?.resource).toEqual({ id: 3 });
    lease.release();
    waiter.value?.release();
    expect(factory.reasons).toEqual(['recycled', 'recycled']);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { createFailed: 0 } });
  });

  it('lets an idle one be lent until its moment; lent beyond it, it goes when it comes back', async () => {
    const { pool, factory, clock } = await idlePool(1, { max: 1 });
    moments(0.5);
    pool.recycle({ spread: 10_000 });
    await pool.use(({ id }) => expect(id).toBe(1));
    expect(factory.reasons).toEqual([]);
    const lease = await pool.acquire();
    await clock.advance(6_000);
    expect(factory.reasons).toEqual([]);
    lease.release();
    expect(factory.reasons).toEqual(['recycled']);
  });

  it('is no longer life: what would end sooner does', async () => {
    const { pool, factory, clock } = await idlePool(1, { maxLifetime: 2_000, lifetimeJitter: 0 });
    moments(0.5);
    pool.recycle({ spread: 10_000 });
    await clock.advance(2_040);
    expect(factory.reasons).toEqual(['lifetime']);
  });

  it('is overtaken by one without: they go at once', async () => {
    const { pool, factory } = await idlePool(2);
    pool.recycle({ spread: 10_000 });
    pool.recycle();
    expect(factory.reasons).toEqual(['recycled', 'recycled']);
  });

  it('leaves alone what is made afterwards', async () => {
    const { pool, factory, clock } = await idlePool(1);
    const old = await pool.acquire();
    pool.recycle({ spread: 1_000 });
    const young = await pool.acquire();
    old.release();
    young.release();
    await clock.advance(5_000);
    expect(factory.reasons).toEqual(['recycled']);
    expect(pool.stats()).toMatchObject({ idle: 1 });
  });

  it.each([-1, NaN, '5'])('of %p is refused, and nothing ends', async spread => {
    const { pool, factory } = await idlePool(1);
    const wrong = (): void => {
      pool.recycle({ spread: spread as number });
    };
    expect(wrong).toThrow(PoolOptionsError);
    expect(wrong).toThrow('option "spread" is');
    expect(factory.reasons).toEqual([]);
  });
});

describe('recycle', () => {
  it("makes the failure of a create from before nobody else's: it is the cause of nothing", async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, isRetryable: () => false });
    const waiter = follow(pool.acquire({ timeout: 100 }));
    pool.recycle();
    factory.creates.last.fail(new Error('old password'));
    await clock.advance(110);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
    expect((waiter.error as Error).cause).toBeUndefined();
  });

  it('has what is being validated or reset destroyed when that is done; its waiter gets a new one', async () => {
    const { pool, factory, clock } = await idlePool(1, { validate: slow, validateAfterIdle: 500, max: 1 });
    await clock.advance(1_000);
    const waiter = follow(pool.acquire());
    expect(pool.stats()).toMatchObject({ validating: 1 });
    pool.recycle();
    expect(factory.reasons).toEqual([]);
    factory.validates.last.settle(true);
    await turn();
    expect(factory.reasons).toEqual(['recycled']);
    expect(waiter.value?.resource).toEqual({ id: 2 });
  });

  it('does nothing to a pool that closes', async () => {
    const { pool, factory } = await idlePool(2);
    const lease = await pool.acquire();
    const closed = follow(pool.close());
    pool.recycle();
    lease.release();
    await turn();
    expect(factory.reasons).toEqual(['closed', 'closed']);
    expect(closed.state).toBe('fulfilled');
  });
});
