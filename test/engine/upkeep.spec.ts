import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { never, ok, rejects, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();
afterEach(() => {
  jest.restoreAllMocks();
});

describe('idle resources', () => {
  it('above min go after idleTimeout, the ones that were idle longest first', async () => {
    const { pool, factory, clock } = scriptedPool({ min: 1, max: 3, idleTimeout: 10_000 });
    const leases = await Promise.all([1, 2, 3].map(() => pool.acquire()));
    leases[0]!.release();
    await clock.advance(2_000);
    leases[1]!.release();
    await clock.advance(2_000);
    leases[2]!.release();
    await clock.advance(5_999);
    expect(pool.stats().idle).toBe(3);
    await clock.advance(201);
    expect(factory.destroys.calls.map(call => call.given)).toEqual([{ resource: { id: 1 }, reason: 'idle' }]);
    await clock.advance(2_000);
    expect(pool.stats().idle).toBe(1);
    await clock.advance(100_000);
    expect(pool.stats().idle).toBe(1);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 3 });
  });

  it('that are used now and then stay', async () => {
    const { pool, factory, clock } = scriptedPool({ idleTimeout: 10_000, validateAfterIdle: Infinity });
    for (let i = 0; i < 10; i++) {
      (await pool.acquire()).release();
      await clock.advance(9_000);
    }
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('go although the hot end of the pool is in use all the time', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 2, idleTimeout: 10_000 });
    for (const lease of await Promise.all([pool.acquire(), pool.acquire()])) lease.release();
    for (let i = 0; i < 6; i++) {
      (await pool.acquire()).release();
      await clock.advance(2_000);
    }
    expect(factory.reasons).toEqual(['idle']);
    expect(pool.stats().idle).toBe(1);
  });
});

describe('min', () => {
  it('is filled from the first acquire on, and not before', async () => {
    const { pool, factory } = scriptedPool({ min: 3 });
    await turn();
    expect(factory.creates.calls).toHaveLength(0);
    await pool.acquire();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 2 });
  });

  it('is filled again when a resource is lost', async () => {
    const { pool, factory } = scriptedPool({ min: 2 });
    (await pool.acquire()).destroy();
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 2, total: 2 });
    expect(factory.creates.calls).toHaveLength(3);
  });

  it('is tried for again with the back-off when creates fail', async () => {
    const { pool, factory, clock } = scriptedPool({ min: 2 });
    const lease = await pool.acquire();
    await turn();
    factory.creates.next(rejects(new Error('down')), rejects(new Error('down')));
    lease.destroy();
    await turn();
    expect(factory.creates.calls).toHaveLength(3);
    await clock.advance(1_000);
    expect(pool.stats()).toMatchObject({ idle: 2 });
    expect(factory.creates.calls).toHaveLength(5);
  });

  it('is filled again at once where there is room, although the destroy of the lost one hangs', async () => {
    const { pool } = scriptedPool({ min: 1, max: 2, destroy: never });
    (await pool.acquire()).destroy();
    expect(pool.stats()).toMatchObject({ closing: 1, creating: 1 });
  });
});

describe('the end of a life', () => {
  it.each([
    [0, 90_000, 100_000],
    [0.999_999, 75_000, 85_000],
  ])(
    'comes at a random age between (1 - lifetimeJitter) and 1 times maxLifetime (random = %d)',
    async (random, whenIdle, atMost) => {
      jest.spyOn(Math, 'random').mockReturnValue(random);
      const settings = { max: 1, maxLifetime: 100_000, idleTimeout: Infinity };
      const idle = scriptedPool(settings);
      (await idle.pool.acquire()).release();
      await idle.clock.advance(whenIdle - 1);
      expect(idle.factory.reasons).toEqual([]);
      await idle.clock.advance(whenIdle * 0.02);
      expect(idle.factory.reasons).toEqual(['lifetime']);

      const busy = scriptedPool(settings);
      const first = await busy.pool.acquire();
      await busy.clock.advance(atMost - 1);
      const second = follow(busy.pool.acquire());
      first.release();
      await turn();
      expect(second.value?.resource).toEqual({ id: 1 });
      await busy.clock.advance(60);
      const third = follow(busy.pool.acquire());
      second.value?.release();
      await turn();
      expect(third.value?.resource).toEqual({ id: 2 });
      expect(busy.factory.reasons).toEqual(['lifetime']);
    },
  );

  it('has an idle resource below min replaced', async () => {
    const { pool, factory, clock } = scriptedPool({ min: 1, maxLifetime: 100_000, lifetimeJitter: 0 });
    (await pool.acquire()).release();
    await clock.advance(102_000);
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.stats().idle).toBe(1);
  });

  it('waits for a leased resource to come back', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 1, maxLifetime: 1_000, lifetimeJitter: 0 });
    const lease = await pool.acquire();
    const next = follow(pool.acquire());
    await clock.advance(5_000);
    expect(factory.reasons).toEqual([]);
    lease.release();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect(next.value?.resource).toEqual({ id: 2 });
  });

  it('is noticed on borrow even before the timer gets to it', async () => {
    const { pool, factory, clock } = scriptedPool({ maxLifetime: 1_000, lifetimeJitter: 0 });
    (await pool.acquire()).release();
    // The coarse time has stopped by then.
    await clock.advance(120);
    clock.block(1_001);
    const lease = await pool.acquire();
    expect(lease.resource).toEqual({ id: 2 });
    expect(factory.reasons).toEqual(['lifetime']);
  });

  it('comes after maxUses leases', async () => {
    const { pool, factory } = scriptedPool({ maxUses: 3 });
    const ids: number[] = [];
    for (let i = 0; i < 7; i++) ids.push(await pool.use(thing => thing.id));
    expect(ids).toEqual([1, 1, 1, 2, 2, 2, 3]);
    expect(factory.reasons).toEqual(['uses', 'uses']);
  });

  it('goes on coming when a destroy throws', async () => {
    const { pool, factory, clock } = scriptedPool({
      max: 2,
      idleTimeout: 1_000,
      destroy: () => {
        throw new Error('cannot end');
      },
    });
    const [one, two] = await Promise.all([pool.acquire(), pool.acquire()]);
    one.release();
    await clock.advance(1_100);
    expect(factory.reasons).toEqual(['idle']);
    two.release();
    await clock.advance(1_100);
    expect(factory.reasons).toEqual(['idle', 'idle']);
  });

  it('does not keep borrowers from what is left while destroys are slow', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 3, idleTimeout: 1_000, destroy: slow });
    for (const lease of await Promise.all([pool.acquire(), pool.acquire()])) lease.release();
    await clock.advance(1_100);
    expect(pool.stats()).toMatchObject({ closing: 2, idle: 0 });
    const borrower = follow(pool.acquire());
    await turn();
    expect(borrower.state).toBe('fulfilled');
    expect(factory.peak).toBe(3);
  });

  it('has come at that very moment, neither later nor after a reset', async () => {
    const { pool, factory, clock } = scriptedPool({ maxLifetime: 1_000, lifetimeJitter: 0, reset: ok });
    const lease = await pool.acquire();
    await clock.advance(1_000);
    lease.release();
    expect(factory.resets.calls).toHaveLength(0);
    expect(factory.reasons).toEqual(['lifetime']);
  });

  it('has come at that very moment also for what is idle, or has just been reset', async () => {
    const { pool, factory, clock } = scriptedPool({ maxLifetime: 1_000, lifetimeJitter: 0, reset: slow });
    const [first, second] = [await pool.acquire(), await pool.acquire()];
    first.release();
    factory.resets.last.settle();
    await turn();
    second.release();
    await clock.advance(120);
    clock.block(880);
    factory.resets.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect((await pool.acquire()).resource).toEqual({ id: 3 });
    expect(factory.reasons).toEqual(['lifetime', 'lifetime']);
  });
});
