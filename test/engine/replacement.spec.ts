import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Lease } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';
import { rejects, slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();
afterEach(() => {
  jest.restoreAllMocks();
});

/** Ends at 1,000 ms, and its replacement is looked for from 900 ms on. */
const life = { maxLifetime: 1_000, lifetimeJitter: 0 } as const;

describe('replacement before expiry', () => {
  it.each([1, 2, 3, 4, 5])(
    'nobody waits for it below max, in a steady load over many lives (seed %i)',
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

  it('below max the new one is made first, and then the old one goes', async () => {
    const { pool, factory, clock } = scriptedPool({ ...life, max: 2 });
    (await pool.acquire()).release();
    factory.creates.always(slow);
    await clock.advance(950);
    expect(pool.stats()).toMatchObject({ idle: 1, creating: 1 });
    factory.creates.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 2 });
  });

  it('one in use is replaced as well, and goes when it comes back', async () => {
    const { pool, factory, clock } = scriptedPool({ ...life, max: 2 });
    const lease = await pool.acquire();
    await clock.advance(950);
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 1 });
    expect(factory.reasons).toEqual([]);
    lease.release();
    await turn();
    expect(factory.reasons).toEqual(['lifetime']);
    expect(pool.stats()).toMatchObject({ idle: 1, total: 1 });
  });

  it('somebody who takes the new one does not cost the old one its replacement', async () => {
    const { pool, factory, clock } = scriptedPool({ ...life, max: 3 });
    const lease = await pool.acquire();
    factory.creates.always(slow);
    await clock.advance(950);
    const waiter = follow(pool.acquire());
    factory.creates.last.settle();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    expect(pool.stats()).toMatchObject({ leased: 2, creating: 1 });
    lease.release();
  });

  it('a replacement that cannot be made leaves the old one in service until its end', async () => {
    const { pool, factory, clock } = scriptedPool({ ...life, max: 2 });
    (await pool.acquire()).release();
    factory.creates.always(rejects(new Error('down')));
    await clock.advance(960);
    expect(factory.creates.calls.length).toBeGreaterThan(1);
    expect(pool.stats().idle).toBe(1);
    await clock.advance(60);
    expect(factory.reasons).toEqual(['lifetime']);
  });

  it('at max one at a time goes while idle with nobody waiting, and is made again', async () => {
    const { pool, factory, clock } = scriptedPool({ ...life, max: 3, destroy: slow });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    await clock.advance(930);
    expect(pool.stats()).toMatchObject({ idle: 2, closing: 1 });
    for (let i = 0; i < 3; i++) {
      for (const destroy of factory.destroys.open) destroy.settle();
      await clock.advance(10);
    }
    expect(pool.stats().totals.destroyedBy.lifetime).toBe(3);
    expect(pool.stats()).toMatchObject({ idle: 3, total: 3 });
    expect(factory.peak).toBe(3);
  });

  it('at full load one ends when it comes back after its end, and the next borrower waits for a create', async () => {
    const { pool, factory, clock } = scriptedPool({ ...life, max: 1 });
    const lease = await pool.acquire();
    const waiter = follow(pool.acquire());
    await clock.advance(1_100);
    expect(factory.reasons).toEqual([]);
    lease.release();
    await turn();
    expect(waiter.value?.resource).toEqual({ id: 2 });
  });

  it('does not keep alive what nobody uses, even when a life is shorter than idleTimeout', async () => {
    const { pool, clock } = scriptedPool({ ...life, max: 3, idleTimeout: 5_000 });
    (await pool.acquire()).release();
    await clock.advance(4_000);
    expect(pool.stats().idle).toBe(1);
    await clock.advance(1_500);
    expect(pool.stats().total).toBe(0);
  });
});
