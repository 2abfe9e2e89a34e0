import { describe, expect, it } from '@jest/globals';
import { Pool } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { never, rejects, slow, throws } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('the cap', () => {
  it('holds while resources are being destroyed: nothing replaces one before its destroy has settled', async () => {
    const { pool, factory } = scriptedPool({ max: 1, destroy: slow });
    (await pool.acquire()).destroy();
    const next = follow(pool.acquire());
    await turn();
    expect(pool.stats()).toMatchObject({ closing: 1, total: 1, waiting: 1 });
    expect(factory.creates.calls).toHaveLength(1);
    expect(next.state).toBe('pending');
    factory.destroys.last.settle();
    await turn();
    expect(next.state).toBe('fulfilled');
    expect(factory.peak).toBe(1);
  });

  it('holds during destroy when every validation fails and destroying is slow', async () => {
    const { pool, factory, clock } = scriptedPool({
      max: 2,
      validate: rejects(new Error('gone')),
      validateAfterIdle: 0,
      destroy: slow,
      acquireTimeout: 2_000,
    });
    for (const lease of await Promise.all([pool.acquire(), pool.acquire()])) lease.release();
    const waiters = [1, 2, 3, 4].map(() => follow(pool.acquire()));
    await clock.advance(1_000);
    expect(factory.creates.calls).toHaveLength(2);
    for (const call of factory.destroys.open) call.settle();
    await turn();
    expect(factory.creates.calls).toHaveLength(4);
    expect(factory.peak).toBe(2);
    expect(waiters.map(one => one.state)).toEqual(['fulfilled', 'fulfilled', 'pending', 'pending']);
  });

  it('is freed when a destroy takes longer than destroyTimeout', async () => {
    const { pool, factory, clock, events } = scriptedPool({ max: 1, destroy: slow, destroyTimeout: 1_000 });
    (await pool.acquire()).destroy();
    const next = follow(pool.acquire());
    await clock.advance(999);
    expect(next.state).toBe('pending');
    await clock.advance(21);
    expect(next.state).toBe('fulfilled');
    expect(pool.stats()).toMatchObject({ abandoned: 1, leased: 1, total: 1 });
    expect(events.find(one => one.event === 'onAbandon')).toMatchObject({
      stage: 'destroy',
      ranMs: expect.closeTo(1_000, -2),
      limitMs: 1_000,
      reason: 'limit',
    });
    factory.destroys.last.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ abandoned: 0, leased: 1, totals: { destroyed: 1 } });
  });

  it('shows what was given up for as long as it does not settle', async () => {
    const { pool, clock } = scriptedPool({ max: 1, destroy: never, destroyTimeout: 100 });
    (await pool.acquire()).destroy();
    await clock.advance(100_000);
    expect(pool.stats()).toMatchObject({ abandoned: 1, total: 0 });
  });

  it.each([
    ['throws', throws(new Error('cannot end'))],
    ['rejects', rejects(new Error('cannot end'))],
  ])('is freed when a destroy %s', async (_, destroy) => {
    const { pool, events } = scriptedPool({ max: 1, destroy });
    (await pool.acquire()).destroy();
    const next = follow(pool.acquire());
    await turn();
    expect(next.state).toBe('fulfilled');
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({
      reason: 'caller',
      error: new Error('cannot end'),
    });
  });

  it('is freed at once when the factory has no destroy', async () => {
    const errors: unknown[] = [];
    const pool = new Pool({
      create: () => ({}),
      max: 1,
      listeners: [{ onDestroy: ({ error }) => errors.push(error) }],
    });
    const lease = await pool.acquire();
    lease.destroy();
    expect(pool.stats()).toMatchObject({ total: 0, totals: { destroyed: 1 } });
    expect(errors).toEqual([undefined]);
    await pool.close();
  });
});
