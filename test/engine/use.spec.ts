import { describe, expect, it } from '@jest/globals';
import { LeaseReleasedError, type Lease } from '../../src/engine/index.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('use', () => {
  it('lends for the time of one call and gives its result', async () => {
    const { pool } = scriptedPool();
    const result = await pool.use(async (thing, lease) => {
      expect(lease.resource).toBe(thing);
      expect(pool.stats().leased).toBe(1);
      return `used ${thing.id}`;
    });
    expect(result).toBe('used 1');
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  it('takes a call that returns no promise', async () => {
    const { pool } = scriptedPool();
    await expect(pool.use(thing => thing.id)).resolves.toBe(1);
    await expect(pool.use(() => undefined)).resolves.toBeUndefined();
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  it('gives the resource back when the call throws synchronously', async () => {
    const { pool } = scriptedPool();
    const error = new Error('bug');
    await expect(
      pool.use(() => {
        throw error;
      }),
    ).rejects.toBe(error);
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  it('gives the resource back when the call rejects', async () => {
    const { pool, events } = scriptedPool();
    const error = new Error('no such table');
    await expect(pool.use(() => Promise.reject(error))).rejects.toBe(error);
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
    expect(events.find(one => one.event === 'onRelease')).toMatchObject({ error });
  });

  it('lets the call release or destroy its lease itself', async () => {
    const { pool, factory } = scriptedPool();
    await pool.use((_, lease) => lease.destroy('used up'));
    expect(factory.reasons).toEqual(['caller']);
    await pool.use((_, lease) => lease.release());
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { released: 2 } });
  });

  it('ends the lease with the call', async () => {
    const { pool } = scriptedPool();
    let kept: Lease<Thing> | undefined;
    await pool.use((_, lease) => {
      kept = lease;
    });
    expect(() => kept?.resource).toThrow(LeaseReleasedError);
  });

  it('passes its options on to acquire, and does not call when nothing was lent', async () => {
    const { pool, clock } = scriptedPool({ create: slow });
    let called = false;
    const work = (): void => {
      called = true;
    };
    const late = pool.use(work, { timeout: 100 }).catch((error: unknown) => error);
    const aborted = pool.use(work, { signal: AbortSignal.abort('gone') }).catch((error: unknown) => error);
    await clock.advance(110);
    expect(await late).toMatchObject({ code: 'POOL_TIMEOUT' });
    expect(await aborted).toBe('gone');
    expect(called).toBe(false);
  });
});
