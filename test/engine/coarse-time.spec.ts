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
  it('reads no clock: 1,000 borrows read it once, and twice for each of the holds that are measured', async () => {
    const counted = countedPool();
    await borrow(counted, 64);
    counted.clock.reads = 0;
    await borrow(counted, 1_000);
    expect(counted.clock.reads).toBeLessThanOrEqual(2 * Math.ceil(1_000 / 64) + 2);
  });

  it('reads it no more often for lifetimes, idle times and background validation', async () => {
    const counted = countedPool({ idleTimeout: 60_000, maxLifetime: 60_000, keepAlive: 30_000, min: 1 });
    await borrow(counted, 64);
    counted.clock.reads = 0;
    await borrow(counted, 1_000);
    expect(counted.clock.reads).toBeLessThanOrEqual(2 * Math.ceil(1_000 / 64) + 2);
  });

  it('reads it a few times a tick while time passes', async () => {
    const counted = countedPool();
    await borrow(counted, 64);
    counted.clock.reads = 0;
    // A second, one borrow in each of its milliseconds.
    for (let ms = 0; ms < 1_000; ms++) {
      await borrow(counted, 1);
      await counted.clock.advance(1);
    }
    const ticks = 1_000 / 40;
    expect(counted.clock.reads).toBeLessThanOrEqual(2 * Math.ceil(1_000 / 64) + 3 * ticks + 5);
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

  it('stands still within a tick, and is exact after a pause', async () => {
    const { clock, coarse } = make();
    for (let i = 0; i < 20; i++) {
      const begun = Math.floor(clock.now());
      expect(coarse.now()).toBe(begun);
      await clock.advance(20);
      expect(coarse.now()).toBe(begun);
      // One tick for those who have asked, and one in which nobody did.
      await clock.advance(100 + i);
    }
  });

  it('stays as it is while the event loop is blocked, and catches up with the next tick', async () => {
    const { clock, coarse } = make();
    const before = coarse.now();
    clock.block(1_000);
    expect(coarse.now()).toBe(before);
    await clock.advance(0);
    expect(coarse.now()).toBe(Math.floor(clock.now()));
  });
});
