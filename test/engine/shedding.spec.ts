import { describe, expect, it } from '@jest/globals';
import { PoolShedError } from '../../src/engine/index.js';
import { follow, type Followed } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool, type ScriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import type { Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const shed = { target: 50, interval: 500 };

/** One place, each borrow takes 10 ms; `every` ms somebody comes. */
async function load(one: ScriptedPool<Thing>, every: number, forMs: number): Promise<Followed<number>[]> {
  const { pool, clock } = one;
  const borrowers: Followed<number>[] = [];
  for (let at = 0; at < forMs; at += every) {
    const borrow = async (): Promise<number> => {
      const lease = await pool.acquire();
      void clock.wait(10).then(() => {
        lease.release();
      });
      return lease.waitedMs;
    };
    borrowers.push(follow(borrow()));
    await clock.advance(every);
  }
  return borrowers;
}

describe('shed', () => {
  it('cuts a standing queue: those who are served wait near the target, and the pool serves no fewer', async () => {
    const one = scriptedPool({ max: 1, shed, acquireTimeout: 60_000 });
    const borrowers = await load(one, 5, 10_000);
    const late = borrowers.slice(800).filter(({ state }) => state === 'fulfilled');
    const waits = late.map(({ value }) => value!).sort((a, b) => a - b);
    expect(waits[Math.floor(waits.length * 0.95)]).toBeLessThanOrEqual(3 * shed.target);
    const { totals } = one.pool.stats();
    expect(totals.acquired).toBeGreaterThan(590);
    expect(totals.shed).toBeGreaterThan(300);
    expect(borrowers.filter(({ error }) => error instanceof PoolShedError)).toHaveLength(totals.shed);
    // The load falls: what stands is worked off, and then nobody is shed.
    await one.clock.advance(2_000);
    const before = one.pool.stats().totals.shed;
    await load(one, 20, 3_000);
    expect(one.pool.stats().totals.shed).toBe(before);
    await one.clock.advance(100);
  });

  it('leaves bursts alone that drain within the interval', async () => {
    const { pool, clock } = scriptedPool({ max: 1, shed });
    for (let burst = 0; burst < 5; burst++) {
      const borrowers = Array.from({ length: 30 }, () => follow(pool.use(() => clock.wait(10))));
      await clock.advance(1_000);
      expect(borrowers.every(({ state }) => state === 'fulfilled')).toBe(true);
    }
    expect(pool.stats().totals.shed).toBe(0);
  });

  it('cuts the queue also when nothing comes back at all, after two intervals without progress', async () => {
    const { pool, clock, events } = scriptedPool({ max: 1, shed });
    const lease = await pool.acquire();
    const waiter = follow(pool.acquire());
    await clock.advance(1_020);
    expect(waiter.state).toBe('pending');
    await clock.advance(520);
    expect(waiter.error).toBeInstanceOf(PoolShedError);
    expect((waiter.error as PoolShedError).stats?.waiting).toBe(0);
    expect(events.filter(({ event }) => event === 'onShed')).toHaveLength(1);
    lease.release();
    await turn();
    expect(pool.stats().idle).toBe(1);
  });

  it('does nothing unless asked to, and takes its defaults from {}', async () => {
    const off = scriptedPool({ max: 1 });
    const on = scriptedPool({ max: 1, shed: {}, acquireTimeout: 60_000 });
    for (const { pool } of [off, on]) {
      follow(pool.acquire());
      follow(pool.acquire({ timeout: 60_000 }));
    }
    for (const { clock } of [off, on]) await clock.advance(6_100);
    expect([off, on].map(({ pool }) => pool.stats().totals.shed)).toEqual([0, 1]);
  });
});
