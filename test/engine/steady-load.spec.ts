import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Lease } from '../../src/engine/index.js';
import { Replacement } from '../../src/engine/supply/replacement.js';
import { checkPoolsAfterEach, scriptedPool, type ScriptedPool } from '../support/invariants.js';
import { randomFrom } from '../support/random.js';
import { slow, type Thing } from '../support/scripted-factory.js';
import { steadyLoad, type SteadyLoad } from '../support/steady-load.js';

checkPoolsAfterEach();
afterEach(() => {
  jest.restoreAllMocks();
});

/** Replacements are looked for in the last tenth of it. */
const LIFE = 10_000;

/** A pool with as many idle ones; from then on, creates wait for the test. */
async function filledPool(max: number, filled: number, lifetimeJitter: number): Promise<ScriptedPool<Thing>> {
  const scripted = scriptedPool({ max, maxLifetime: LIFE, lifetimeJitter, idleTimeout: Infinity });
  const leases = await Promise.all(Array.from({ length: filled }, () => scripted.pool.acquire()));
  for (const lease of leases) lease.release();
  scripted.factory.creates.always(slow);
  return scripted;
}

describe('a steady load whose peak stays below max', () => {
  const loads: [string, number, SteadyLoad & { lifetimeJitter: number }][] = [
    ['much room', 6, { peak: 3, createMs: 800, holdMs: 200, lifetimeJitter: 0.25 }],
    ['much room, all made at once', 6, { peak: 3, createMs: 800, holdMs: 200, lifetimeJitter: 0 }],
    ['much room, long leases', 6, { peak: 3, createMs: 800, holdMs: 1_500, lifetimeJitter: 0.25 }],
    // One after another, all of them must fit into the lead.
    ['room for one', 4, { peak: 3, createMs: 100, holdMs: 200, lifetimeJitter: 0.25 }],
    ['room for one, all made at once', 4, { peak: 3, createMs: 100, holdMs: 200, lifetimeJitter: 0 }],
    ['room for two', 10, { peak: 8, createMs: 150, holdMs: 200, lifetimeJitter: 0.25 }],
  ];

  const run = async (max: number, load: (typeof loads)[0][2], seed: number): Promise<number> => {
    const random = randomFrom(seed);
    jest.spyOn(Math, 'random').mockImplementation(random);
    const scripted = await filledPool(max, load.peak, load.lifetimeJitter);
    const waited = await steadyLoad(scripted, load, 6 * LIFE, random);
    expect(scripted.factory.peak).toBeLessThanOrEqual(max);
    expect(scripted.factory.reasons.length).toBeGreaterThanOrEqual(5 * load.peak);
    await scripted.finish();
    return waited;
  };

  it.each(loads)('never waits because of expiry: %s', async (_, max, load) => {
    for (let seed = 1; seed <= 4; seed++) expect([seed, await run(max, load, seed)]).toEqual([seed, 0]);
  });

  it('waits for each expiry where nothing is replaced early, so that the test above says something', async () => {
    jest.spyOn(Replacement.prototype, 'ages').mockImplementation(slot => {
      slot.replaceAt = Infinity;
    });
    const [, max, load] = loads[0]!;
    expect(await run(max, load, 1)).toBeGreaterThanOrEqual(10);
  });

  it('never waits on the resources of a pool that is full either', async () => {
    const random = randomFrom(7);
    const scripted = await filledPool(4, 4, 0);
    const load = { peak: 3, createMs: 100, holdMs: 200 };
    expect(await steadyLoad(scripted, load, 6 * LIFE, random)).toBe(0);
    expect(scripted.factory.peak).toBe(4);
  });

  it.each([1, 2, 3, 4, 5])(
    'never waits where leases are held beyond a life, and creates are quick (seed %i)',
    async seed => {
      const random = randomFrom(seed);
      jest.spyOn(Math, 'random').mockImplementation(random);
      const { pool, factory, clock } = scriptedPool({ max: 6, maxLifetime: 2_000, lifetimeJitter: 0.5 });
      const leases: Lease<Thing>[] = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
      const { waited } = pool.stats().totals;
      for (let step = 0; step < 2_000; step++) {
        if (random() < 0.5) leases.splice(Math.floor(random() * leases.length), 1)[0]?.release();
        else if (leases.length < 5) leases.push(await pool.acquire());
        await clock.advance(random() * 40);
      }
      const { totals } = pool.stats();
      expect(totals.waited).toBe(waited);
      expect(totals.destroyedBy.lifetime).toBeGreaterThan(50);
      expect(factory.peak).toBeLessThanOrEqual(6);
      for (const lease of leases) lease.release();
    },
  );
});
