import { describe, expect, it } from '@jest/globals';
import { Pool, type Lease, type PoolSettings } from '../../src/engine/index.js';
import type { CoarseTime } from '../../src/engine/time/coarse-time.js';
import { Commons } from '../../src/engine/time/commons.js';
import { ManualClock } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';

class CountingClock extends ManualClock {
  reads = 0;
  override now(): number {
    this.reads++;
    return super.now();
  }
}

interface Counted {
  readonly pool: Pool<object>;
  readonly clock: CountingClock;
  /** How often something was validated. */
  validated(): number;
}

/** A pool without listeners: those are told the time. Its upkeep has nothing to do. */
function countedPool(options: PoolSettings & { validate?: boolean } = {}): Counted {
  const clock = new CountingClock();
  const { validate = true, ...settings } = options;
  let validated = 0;
  const pool = new Pool({
    clock,
    idleTimeout: Infinity,
    maxLifetime: Infinity,
    create: () => ({}),
    ...(validate && {
      validate: () => {
        validated++;
      },
    }),
    ...settings,
  });
  return { pool, clock, validated: () => validated };
}

async function borrow({ pool }: Counted, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const lease = i % 2 === 0 ? await pool.acquire() : pool.tryAcquire();
    lease!.release();
  }
}

describe('the idle path', () => {
  // Of those who ask, and of the holds that are measured, one in 64.
  const seldom = (borrows: number): number => Math.ceil((borrows / 64) * 6);

  it('reads no clock where there are many borrows: one in ten at most', async () => {
    const counted = countedPool();
    await borrow(counted, 600);
    counted.clock.reads = 0;
    await borrow(counted, 10_000);
    expect(counted.clock.reads).toBeLessThanOrEqual(seldom(10_000));
  });

  it('reads it no more often for lifetimes, idle times and background validation', async () => {
    const counted = countedPool({ idleTimeout: 60_000, maxLifetime: 60_000, keepAlive: 30_000, min: 1 });
    await borrow(counted, 600);
    counted.clock.reads = 0;
    await borrow(counted, 10_000);
    expect(counted.clock.reads).toBeLessThanOrEqual(seldom(10_000));
  });

  it('sets a timer a tick while somebody borrows, none after that, and never one that holds the process', async () => {
    const counted = countedPool();
    const { clock } = counted;
    await borrow(counted, 1);
    const before = clock.timersSet;
    for (let ms = 0; ms < 1_000; ms++) {
      await borrow(counted, 1);
      expect(clock.holdsProcess).toBe(false);
      await clock.advance(1);
    }
    expect(clock.timersSet - before).toBeLessThanOrEqual(1_000 / 40 + 1);
    await clock.advance(150);
    const after = clock.timersSet;
    expect(clock.timersLeft).toBe(0);
    await clock.advance(10_000);
    expect(clock.timersSet).toBe(after);
  });

  it('sets a timer a tick and no more also when something else is due much later', async () => {
    const counted = countedPool({ idleTimeout: 60_000 });
    await borrow(counted, 1);
    const before = counted.clock.timersSet;
    for (let ms = 0; ms < 1_000; ms++) {
      await borrow(counted, 1);
      await counted.clock.advance(1);
    }
    expect(counted.clock.timersSet - before).toBeLessThanOrEqual(1_000 / 40 + 1);
  });

  it('leaves no timer behind when the pool closes within a tick', async () => {
    const counted = countedPool();
    await borrow(counted, 10);
    await counted.pool.close();
    expect(counted.clock.timersLeft).toBe(0);
  });
});

describe('what goes by the coarse time', () => {
  it('validateAfterIdle 0 validates always all the same', async () => {
    const counted = countedPool({ validateAfterIdle: 0 });
    const { pool, clock } = counted;
    (await pool.acquire()).release();
    for (let i = 1; i <= 50; i++) {
      expect(pool.tryAcquire()).toBeUndefined();
      expect(counted.validated()).toBe(2 * i - 1);
      (await pool.acquire()).release();
      expect(counted.validated()).toBe(2 * i);
      await clock.advance(i % 7);
    }
  });

  it.each([
    [499, 0],
    [500, 1],
  ])(
    'validateAfterIdle is exact after a pause: 500 ms, and %i ms have passed',
    async (pause, validations) => {
      const counted = countedPool({ validateAfterIdle: 500, validateTimeout: 1_000 });
      await borrow(counted, 100);
      await counted.clock.advance(200);
      await borrow(counted, 1);
      await counted.clock.advance(pause);
      await borrow(counted, 1);
      expect(counted.validated()).toBe(validations);
    },
  );

  it.each([
    [500 - 58, 0],
    [500 + 58, 1],
  ])(
    'validateAfterIdle is off by 58 ms at most in use: 500 ms, and %i ms have passed',
    async (ms, validations) => {
      const counted = countedPool({ validateAfterIdle: 500, max: 2 });
      const { pool, clock } = counted;
      const [hot, cold] = await Promise.all([pool.acquire(), pool.acquire()]);
      cold.release();
      hot.release();
      for (let i = 0; i < ms; i++) {
        await borrow(counted, 1);
        await clock.advance(1);
      }
      await Promise.all([pool.acquire(), pool.acquire()]);
      expect(counted.validated()).toBe(validations);
    },
  );

  it('maxLifetime ends what is borrowed all the time, no more than 50 ms late', async () => {
    const { pool, clock } = countedPool({ maxLifetime: 1_000, lifetimeJitter: 0, max: 1 });
    const first = await pool.acquire();
    const old = first.resource;
    const born = clock.now();
    let next: Promise<Lease<object>> = pool.acquire();
    first.release();
    for (let lease = await next; lease.resource === old; lease = await next) {
      await clock.advance(1);
      // Never idle: it can only end when it comes back.
      next = pool.acquire();
      lease.release();
    }
    expect(clock.now() - born).toBeGreaterThanOrEqual(1_000);
    expect(clock.now() - born).toBeLessThanOrEqual(1_050);
  });
});

describe('the coarse time', () => {
  const make = (): { clock: ManualClock; coarse: CoarseTime } => {
    const clock = new ManualClock();
    return { clock, coarse: new Commons(clock).coarse };
  };

  it.each([1, 2, 3, 4, 5])(
    'is never ahead, at most 50 ms behind, and never goes backwards, however often it is asked for (seed %i)',
    async seed => {
      const random = randomFrom(seed);
      const { clock, coarse } = make();
      let last = -Infinity;
      for (let i = 0; i < 3_000; i++) {
        await clock.advance(random() < 0.9 ? random() * 5 : random() * 120);
        const now = coarse.now();
        const behind = clock.now() - now;
        if (behind < 0 || behind > 50) throw new Error(`${behind} ms behind at step ${i}`);
        if (now < last) throw new Error(`goes back by ${last - now} ms at step ${i}`);
        last = now;
      }
    },
  );

  it('is exact for the first who ask within a tick, also while the event loop is blocked', async () => {
    const { clock, coarse } = make();
    for (let i = 0; i < 500; i++) {
      expect(coarse.now()).toBe(Math.floor(clock.now()));
      clock.block(10);
    }
    await clock.advance(100);
    expect(coarse.now()).toBe(Math.floor(clock.now()));
  });

  it('is that of the last look where very many ask, for 63 of them at most', () => {
    const { clock, coarse } = make();
    for (let i = 0; i < 600; i++) coarse.now();
    clock.block(1_000);
    let stale = 0;
    while (coarse.now() < Math.floor(clock.now())) stale++;
    expect(stale).toBeLessThan(64);
  });

  it('is asked for anew, and exact, in the next tick', async () => {
    const { clock, coarse } = make();
    for (let i = 0; i < 600; i++) coarse.now();
    await clock.advance(50);
    expect(coarse.now()).toBe(Math.floor(clock.now()));
    clock.block(7);
    expect(coarse.now()).toBe(Math.floor(clock.now()));
  });
});

describe('after the machine has slept', () => {
  it('everything idle is validated before it is lent, once', async () => {
    const counted = countedPool({ validateAfterIdle: 60_000, max: 3 });
    const { pool, clock, validated } = counted;
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    for (const lease of leases) lease.release();
    await clock.advance(100);
    (await pool.acquire()).release();
    expect(validated()).toBe(0);
    clock.sleep(5_000);
    await clock.advance(1);
    const all = (): Promise<Lease<object>[]> => Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of await all()) lease.release();
    expect(validated()).toBe(3);
    await clock.advance(10);
    for (const lease of await all()) lease.release();
    expect(validated()).toBe(3);
  });

  it.each([-3_600_000, -20, 20, 900])('a wall clock that is set by %i ms says nothing', async ms => {
    const counted = countedPool({ validateAfterIdle: 60_000 });
    const { pool, clock, validated } = counted;
    (await pool.acquire()).release();
    clock.sleep(ms);
    await clock.advance(1);
    (await pool.acquire()).release();
    expect(validated()).toBe(0);
  });
});

describe('after the event loop was blocked', () => {
  it('what has been idle for long is validated, and what is past its life is not lent', async () => {
    const counted = countedPool({ validateAfterIdle: 500, maxLifetime: 3_000, lifetimeJitter: 0 });
    const { pool, clock, validated } = counted;
    const first = await pool.acquire();
    const { resource } = first;
    first.release();
    clock.block(1_500);
    const second = await pool.acquire();
    expect([validated(), second.resource === resource]).toEqual([1, true]);
    second.release();
    clock.block(3_500);
    expect((await pool.acquire()).resource).not.toBe(resource);
  });

  it('what was given back after that has not been idle', async () => {
    const { pool, clock } = countedPool({ idleTimeout: 1_000 });
    const lease = await pool.acquire();
    await clock.advance(1);
    clock.block(1_500);
    lease.release();
    await clock.advance(900);
    expect(pool.stats().idle).toBe(1);
  });
});
