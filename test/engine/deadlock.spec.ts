import { describe, expect, it } from '@jest/globals';
import { PoolDeadlockError } from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const job = (name: string): object => ({ toString: () => name });

describe('a deadlock', () => {
  it('ends with an error for the youngest that says who holds what and where each waits', async () => {
    const { pool } = scriptedPool({ max: 2, leakThreshold: 60_000 });
    const [a, b] = [job('job A'), job('job B')];
    const heldByA = await pool.acquire({ owner: a });
    const heldByB = await pool.acquire({ owner: b });
    const wantedByA = follow(pool.acquire({ owner: a }));
    const error = (await failureOf(pool.acquire({ owner: b }))) as PoolDeadlockError;
    expect(error).toBeInstanceOf(PoolDeadlockError);
    expect(error).toMatchObject({ code: 'POOL_DEADLOCK', holders: [{ owner: 'job A' }, { owner: 'job B' }] });
    for (const holder of error.holders) {
      expect(holder.waitsAt).toContain('deadlock.spec');
      expect(holder.borrowedAt).toContain('deadlock.spec');
    }
    expect(pool.stats().totals.deadlocked).toBe(1);
    heldByB.release();
    await turn();
    expect(wantedByA.state).toBe('fulfilled');
    heldByA.release();
  });

  it('is one owner that holds everything and wants more', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const owner = job('alone');
    await pool.acquire({ owner });
    expect(await failureOf(pool.acquire({ owner }))).toBeInstanceOf(PoolDeadlockError);
  });

  it('never costs one that holds nothing, although it is younger', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const owner = job('holder');
    await pool.acquire({ owner });
    const innocent = follow(pool.acquire({ owner: job('innocent') }));
    expect(await failureOf(pool.acquire({ owner }))).toBeInstanceOf(PoolDeadlockError);
    expect(innocent.state).toBe('pending');
  });

  it('may arise when the size shrinks, or when what was on its way has gone', async () => {
    const { pool, factory } = scriptedPool({ max: 2, create: ok, reset: slow });
    const owner = job('holder');
    await pool.acquire({ owner });
    const other = await pool.acquire();
    other.release();
    const wanted = [follow(pool.acquire({ owner })), follow(pool.acquire({ owner }))];
    await turn();
    expect(wanted.map(({ state }) => state)).toEqual(['pending', 'pending']);
    factory.resets.last.settle();
    await turn();
    expect(wanted[0]?.state).toBe('fulfilled');
    expect(wanted[1]?.error).toBeInstanceOf(PoolDeadlockError);
  });
});

describe('it is no deadlock', () => {
  it.each(['a holder does not wait', 'a lease has no owner', 'there is room', 'overflow is left'])(
    'while %s',
    async why => {
      const max = why === 'there is room' ? 3 : 2;
      const { pool, factory } = scriptedPool({ max, overflow: why === 'overflow is left' ? 1 : 0 });
      const [a, b] = [job('A'), job('B')];
      const first = await pool.acquire({ owner: a });
      await pool.acquire({ owner: why === 'a lease has no owner' ? undefined : b });
      factory.creates.always(slow);
      const waiters = [follow(pool.acquire({ owner: a }))];
      if (why !== 'a holder does not wait') waiters.push(follow(pool.acquire({ owner: b })));
      await turn();
      expect(waiters.every(({ state }) => state === 'pending')).toBe(true);
      expect(pool.stats().totals.deadlocked).toBe(0);
      first.release();
    },
  );

  it.each(['creating', 'resetting', 'validating', 'closing'] as const)('while one is %s', async state => {
    const { pool, factory, clock } = scriptedPool({
      max: 2,
      validate: slow,
      reset: state === 'resetting' ? slow : ok,
      destroy: slow,
    });
    const owner = job('holder');
    await pool.acquire({ owner });
    if (state === 'creating') factory.creates.always(slow);
    else {
      const other = await pool.acquire();
      if (state === 'closing') other.destroy();
      else other.release();
    }
    if (state === 'validating') await clock.advance(1_000);
    const waiter = follow(pool.acquire({ owner }));
    await turn();
    expect(pool.stats()).toMatchObject({ [state]: 1, waiting: 1 });
    expect(waiter.state).toBe('pending');
  });
});
