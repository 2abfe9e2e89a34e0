import { describe, expect, it } from '@jest/globals';
import type { Lease } from '../../src/engine/index.js';
import {
  checkInvariants,
  checkPoolsAfterEach,
  scriptedPool,
  type ScriptedOptions,
  type ScriptedPool,
} from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';
import type { Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const TARGET = 50;
const INTERVAL = 2_000;
const STEP = 5;
const MAX = 4;
const HOLD = 20;
/** Leases that can begin in a step, when nothing is ever idle. */
const CAPACITY = (MAX * STEP) / HOLD;

/** Borrowers that come at random and hold for as long as each other, on a pool of four. */
class Traffic {
  readonly scripted: ScriptedPool<Thing>;
  /** How long those have waited that were served since it was emptied. */
  waits: number[] = [];
  /** At the ends of how many steps something was idle. */
  idleSteps = 0;
  private readonly held: [Lease<Thing>, number][] = [];

  constructor(
    private readonly random: () => number,
    options: ScriptedOptions<Thing>,
  ) {
    this.scripted = scriptedPool({ max: MAX, acquireTimeout: Infinity, ...options });
  }

  get shed(): number {
    return this.scripted.pool.stats().totals.shed;
  }

  p95(): number {
    return this.waits.sort((a, b) => a - b)[Math.floor(this.waits.length * 0.95)] ?? 0;
  }

  forget(): void {
    this.waits = [];
    this.idleSteps = 0;
  }

  /** @param load how many times the capacity comes */
  async run(duration: number, load: number): Promise<void> {
    const { pool, factory, clock } = this.scripted;
    for (const end = clock.now() + duration; clock.now() < end;) {
      while (this.held[0] && this.held[0][1] <= clock.now()) this.held.shift()![0].release();
      // Two chances a step.
      for (let i = 0; i < 2; i++) {
        for (let rest = load * CAPACITY * this.random(); rest > this.random(); rest--) this.borrow();
      }
      await turn();
      if (checkInvariants(pool, factory).idle > 0) this.idleSteps++;
      await clock.advance(STEP);
    }
  }

  borrow(): void {
    const { pool, clock } = this.scripted;
    pool.acquire().then(
      lease => {
        this.waits.push(lease.waitedMs);
        this.held.push([lease, clock.now() + HOLD]);
      },
      () => undefined,
    );
  }
}

describe.each([1, 2, 3])('overload (seed %i)', seed => {
  it('with shed: who is served waited not much longer than the target, and as many are served', async () => {
    const traffic = new Traffic(randomFrom(seed), { shed: { target: TARGET, interval: INTERVAL } });
    await traffic.run(INTERVAL, 0.7);
    expect(traffic.shed).toBe(0);
    // It takes up to two intervals to tell that this is no burst.
    await traffic.run(2 * INTERVAL + 200, 2);
    expect(traffic.shed).toBeGreaterThan(0);
    traffic.forget();
    const before = traffic.shed;
    const duration = 5 * INTERVAL;
    await traffic.run(duration, 2);
    expect(traffic.p95()).toBeLessThanOrEqual(3 * TARGET);
    expect(traffic.waits.length).toBeGreaterThanOrEqual(0.98 * CAPACITY * (duration / STEP));
    expect(traffic.idleSteps).toBe(0);
    // About every second one.
    expect((traffic.shed - before) / traffic.waits.length).toBeCloseTo(1, 0);
    // The load falls, and what is left of the queue is worked off.
    await traffic.run(10 * TARGET, 0.7);
    const last = traffic.shed;
    traffic.forget();
    await traffic.run(3 * INTERVAL, 0.7);
    expect(traffic.shed).toBe(last);
    expect(traffic.p95()).toBeLessThanOrEqual(TARGET);
  });

  it('without it everybody is served, seconds late', async () => {
    const traffic = new Traffic(randomFrom(seed), {});
    await traffic.run(2 * INTERVAL, 2);
    traffic.forget();
    await traffic.run(INTERVAL, 2);
    expect(traffic.p95()).toBeGreaterThan(40 * TARGET);
    expect(traffic.shed).toBe(0);
    // Nobody is left behind.
    await traffic.run(5 * INTERVAL, 0);
  });

  it('sheds nobody when the load is high, but below what can be served', async () => {
    const traffic = new Traffic(randomFrom(seed), { shed: { target: TARGET, interval: INTERVAL } });
    await traffic.run(6 * INTERVAL, 0.9);
    expect(traffic.shed).toBe(0);
  });

  it('sheds nobody of bursts that are over within an interval, however long the queue is', async () => {
    const traffic = new Traffic(randomFrom(seed), { shed: { target: TARGET, interval: INTERVAL } });
    for (let i = 0; i < 6; i++) {
      // 1.5 s worth of work at once.
      for (let n = 0; n < (1_500 / STEP) * CAPACITY; n++) traffic.borrow();
      await traffic.run(INTERVAL, 0.05);
    }
    expect(Math.max(...traffic.waits)).toBeGreaterThan(1_000);
    expect(traffic.shed).toBe(0);
  });
});
