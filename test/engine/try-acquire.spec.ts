import { describe, expect, it } from '@jest/globals';
import { PoolClosedError, PoolOptionsError } from '../../src/engine/index.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, rejects } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('tryAcquire', () => {
  it('lends what is idle', async () => {
    const { pool } = scriptedPool();
    (await pool.acquire()).release();
    const lease = pool.tryAcquire();
    expect(lease?.resource).toEqual({ id: 1 });
    expect(lease?.waitedMs).toBe(0);
    expect(pool.stats().leased).toBe(1);
  });

  it('gives nothing when nothing is idle, and has one created for later', async () => {
    const { pool, factory } = scriptedPool({ max: 3 });
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pool.tryAcquire()).toBeUndefined();
    await turn();
    expect(factory.creates.calls).toHaveLength(1);
    expect(pool.tryAcquire()?.resource).toEqual({ id: 1 });
    expect(pool.tryAcquire()).toBeUndefined();
    await turn();
    expect(pool.tryAcquire()?.resource).toEqual({ id: 2 });
  });

  it('creates nothing beyond max', async () => {
    const { pool, factory } = scriptedPool({ max: 1 });
    await pool.acquire();
    expect(pool.tryAcquire()).toBeUndefined();
    await turn();
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('gives nothing that has to be validated, and has it validated for later', async () => {
    const { pool, factory, clock } = scriptedPool({ validate: ok, validateAfterIdle: 500 });
    (await pool.acquire()).release();
    await clock.advance(500);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(factory.validates.calls).toHaveLength(1);
    await turn();
    expect(pool.tryAcquire()?.resource).toEqual({ id: 1 });
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('does not hammer a backend that is down', async () => {
    const { pool, factory } = scriptedPool({ create: rejects(new Error('down')) });
    for (let i = 0; i < 10; i++) {
      expect(pool.tryAcquire()).toBeUndefined();
      await turn();
    }
    expect(factory.creates.calls.length).toBeLessThanOrEqual(2);
  });

  it('throws once the pool is closed', async () => {
    const { pool } = scriptedPool();
    void pool.close();
    expect(() => pool.tryAcquire()).toThrow(PoolClosedError);
  });

  it('needs nothing idle to ask for a validation', async () => {
    const { pool, factory } = scriptedPool({ validate: ok, validateAfterIdle: 0 });
    expect(pool.tryAcquire()).toBeUndefined();
    expect(factory.creates.calls).toHaveLength(1);
    expect(factory.validates.calls).toHaveLength(0);
  });

  it('refuses an owner that is no object', () => {
    const { pool } = scriptedPool();
    expect(() => pool.tryAcquire({ owner: 'me' as never })).toThrow(PoolOptionsError);
  });
});
