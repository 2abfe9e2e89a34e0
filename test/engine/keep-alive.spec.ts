import { describe, expect, it } from '@jest/globals';
import type { Lease, Verdict } from '../../src/engine/index.js';
import {
  checkPoolsAfterEach,
  scriptedPool,
  type ScriptedOptions,
  type ScriptedPool,
} from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { gives, never, ok, slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const PERIOD = 10_000;
/** Deadlines are up to 1.6 % late. */
const DUE = 1.02 * PERIOD;

const bad = gives<Verdict>(false);

/** Nothing but keepAlive has anything validated, or ends anything. */
function keptAlive(options: ScriptedOptions<Thing> = {}): ScriptedPool<Thing> {
  return scriptedPool({
    keepAlive: PERIOD,
    validate: ok,
    validateAfterIdle: Infinity,
    idleTimeout: Infinity,
    maxLifetime: Infinity,
    ...options,
  });
}

/** As many idle ones, that have all come back at the same time: 1 first. */
async function fill({ pool }: ScriptedPool<Thing>, count: number): Promise<void> {
  for (const lease of await Promise.all(Array.from({ length: count }, () => pool.acquire()))) lease.release();
}

function borrowed(leases: (Lease<Thing> | undefined)[]): (number | undefined)[] {
  return leases.map(lease => lease?.resource.id);
}

describe('keepAlive', () => {
  it('has idle resources validated in the background, this often', async () => {
    const scripted = keptAlive();
    const { factory, clock } = scripted;
    await fill(scripted, 2);
    await clock.advance(PERIOD - 1);
    expect(factory.validates.calls).toHaveLength(0);
    for (let round = 1; round <= 5; round++) {
      await clock.advance(round === 1 ? DUE - PERIOD + 100 : DUE + 100);
      expect(factory.validates.calls).toHaveLength(2 * round);
    }
    const times = factory.validates.calls.filter(call => call.given.id === 1).map(call => call.at);
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(PERIOD);
  });

  it('does nothing without it, nor without a validate', async () => {
    const off = keptAlive({ keepAlive: Infinity });
    const blind = keptAlive({ validate: undefined });
    for (const scripted of [off, blind]) {
      await fill(scripted, 2);
      await scripted.clock.advance(20 * PERIOD);
      expect(scripted.factory.validates.calls).toHaveLength(0);
      expect(scripted.pool.stats().idle).toBe(2);
      expect(scripted.clock.timersLeft).toBe(0);
    }
  });

  it('leaves alone what has just been used: that was good', async () => {
    const { pool, factory, clock } = keptAlive();
    for (let i = 0; i < 20; i++) {
      (await pool.acquire()).release();
      await clock.advance(PERIOD / 2);
    }
    expect(factory.validates.calls).toHaveLength(0);
  });

  it('destroys what is bad, and fills up to min again', async () => {
    const scripted = keptAlive({ min: 2, max: 3 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 3);
    factory.validates.next(bad, bad);
    await clock.advance(DUE + 200);
    expect(factory.reasons).toEqual(['invalid', 'invalid']);
    expect(pool.stats()).toMatchObject({ idle: 2, total: 2 });
    expect(factory.creates.calls).toHaveLength(4);
  });

  it('spares borrowers the validation: what it has found good is lent as it is', async () => {
    const scripted = keptAlive({ keepAlive: 400, validateAfterIdle: 500 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    await clock.advance(5_000);
    const before = factory.validates.calls.length;
    expect(pool.tryAcquire()).toBeDefined();
    await turn();
    expect(factory.validates.calls).toHaveLength(before);
  });

  it('ends a validation that hangs by validateTimeout', async () => {
    const scripted = keptAlive({ min: 1, validateTimeout: 1_000 });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    factory.validates.next(never);
    await clock.advance(DUE);
    expect(pool.stats()).toMatchObject({ validating: 1 });
    await clock.advance(1_020);
    expect(factory.reasons).toEqual(['invalid']);
    expect(pool.stats()).toMatchObject({ validating: 0, idle: 1 });
  });

  it('does not hold the process', async () => {
    const scripted = keptAlive({ validate: slow });
    const { factory, clock } = scripted;
    await fill(scripted, 2);
    expect(clock.holdsProcess).toBe(false);
    await clock.advance(DUE);
    expect(factory.validates.open).toHaveLength(1);
    expect(clock.timersLeft).toBe(1);
    expect(clock.holdsProcess).toBe(false);
  });

  it('ends with the pool', async () => {
    const scripted = keptAlive();
    const { pool, factory, clock } = scripted;
    await fill(scripted, 2);
    await pool.close();
    await clock.advance(3 * PERIOD);
    expect(factory.validates.calls).toHaveLength(0);
    expect(clock.timersLeft).toBe(0);
  });
});

describe('borrowers meanwhile', () => {
  it('find half of what is idle: no more are validated at once', async () => {
    const scripted = keptAlive({ max: 8, validate: slow, validateTimeout: PERIOD });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 8);
    await clock.advance(DUE);
    expect(pool.stats()).toMatchObject({ validating: 4, idle: 4 });
    // Not even later, while those take their time.
    await clock.advance(1_000);
    expect(pool.stats()).toMatchObject({ validating: 4, idle: 4 });
    const leases = Array.from({ length: 4 }, () => pool.tryAcquire());
    // The hot ones: it is the cold ones that are validated first.
    expect(borrowed(leases)).toEqual([8, 7, 6, 5]);
    for (const lease of leases) lease!.release();
    for (const call of factory.validates.open) call.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ validating: 0, idle: 8 });
  });

  it('get what is being validated when there is nothing else, as soon as that is done', async () => {
    const scripted = keptAlive({ max: 1, validate: slow });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    await clock.advance(DUE);
    const waiter = pool.acquire();
    await turn();
    expect(factory.creates.calls).toHaveLength(1);
    factory.validates.last.settle();
    expect((await waiter).resource).toEqual({ id: 1 });
    expect(factory.validates.calls).toHaveLength(1);
  });

  it('are served although the one that was validated for nobody turns out bad', async () => {
    const scripted = keptAlive({ max: 1, validate: slow });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 1);
    await clock.advance(DUE);
    const waiter = pool.acquire();
    factory.validates.last.settle(false);
    expect((await waiter).resource).toEqual({ id: 2 });
    expect(factory.reasons).toEqual(['invalid']);
  });
});

describe('being validated is not being used', () => {
  it('idleTimeout is not prolonged', async () => {
    const scripted = keptAlive({ keepAlive: 1_000, idleTimeout: PERIOD });
    const { pool, factory, clock } = scripted;
    await fill(scripted, 2);
    await clock.advance(PERIOD - 100);
    expect(factory.validates.calls.length).toBeGreaterThanOrEqual(10);
    await clock.advance(DUE - PERIOD + 100);
    expect(factory.reasons).toEqual(['idle', 'idle']);
    expect(pool.stats().idle).toBe(0);
  });

  it('one that has not been used for long does not come first because it was validated', async () => {
    const scripted = keptAlive({ max: 2 });
    const { pool, clock, factory } = scripted;
    await fill(scripted, 2);
    // The hot one is in use now and then, the cold one is only validated.
    for (let i = 0; i < 6; i++) {
      await clock.advance(PERIOD / 2);
      const lease = await pool.acquire();
      expect(lease.resource).toEqual({ id: 2 });
      lease.release();
    }
    expect(factory.validates.calls.map(call => call.given.id)).toEqual([1, 1]);
  });

  it('among those that came back together, the one that was validated is not the first to go', async () => {
    const scripted = keptAlive({ max: 3, validate: slow });
    const { pool, clock, factory } = scripted;
    await fill(scripted, 3);
    await clock.advance(DUE);
    expect(factory.validates.open.map(call => call.given.id)).toEqual([1]);
    factory.validates.last.settle();
    await turn();
    expect(pool.stats().idle).toBe(3);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 3 });
  });

  it('the order among the idle ones stays as it was, so that fifo is fair', async () => {
    const scripted = keptAlive({ max: 4, order: 'fifo' });
    const { pool, clock, factory } = scripted;
    for (const lease of await Promise.all([1, 2, 3, 4].map(() => pool.acquire()))) {
      lease.release();
      await clock.advance(100);
    }
    await clock.advance(DUE + 200);
    expect(factory.validates.calls).toHaveLength(4);
    expect(borrowed([1, 2, 3, 4].map(() => pool.tryAcquire()))).toEqual([1, 2, 3, 4]);
  });
});

describe('a suspended pool', () => {
  it('validates nothing, sets no timer for it, and catches up when it is resumed', async () => {
    const scripted = keptAlive();
    const { pool, factory, clock } = scripted;
    await fill(scripted, 2);
    pool.suspend();
    const before = clock.timersSet;
    await clock.advance(10 * PERIOD);
    expect(factory.validates.calls).toHaveLength(0);
    expect(clock.timersSet - before).toBeLessThanOrEqual(20);
    pool.resume();
    await clock.advance(200);
    expect(factory.validates.calls).toHaveLength(2);
  });
});
