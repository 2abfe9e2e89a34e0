import { describe, expect, it } from '@jest/globals';
import { KeyedPool, PoolDeadlockError } from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { never, ok, rejects, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const job = (name: string): object => ({ toString: () => name });
const refusalOf = async (promise: Promise<unknown>): Promise<PoolDeadlockError> => {
  const error = await failureOf(promise);
  expect(error).toBeInstanceOf(PoolDeadlockError);
  return error as PoolDeadlockError;
};

describe('a deadlock', () => {
  it('ends with an error for the youngest, and the others go on', async () => {
    const { pool } = scriptedPool({ max: 2 });
    const [a, b] = [job('job A'), job('job B')];
    const heldByA = await pool.acquire({ owner: a });
    const heldByB = await pool.acquire({ owner: b });
    const wantedByA = follow(pool.acquire({ owner: a }));
    await refusalOf(pool.acquire({ owner: b }));
    heldByB.release();
    await turn();
    expect(wantedByA.state).toBe('fulfilled');
    heldByA.release();
  });

  it.each(['high', 'normal', 'low'] as const)(
    'is one owner that holds everything and wants more, with %s priority',
    async priority => {
      const { pool } = scriptedPool({ max: 1 });
      const owner = job('alone');
      await pool.use(() => undefined);
      await pool.acquire({ owner });
      expect((await refusalOf(pool.acquire({ owner, priority }))).holders).toHaveLength(1);
    },
  );

  it('costs the one that came last, whatever its priority', async () => {
    const { pool } = scriptedPool({ max: 2 });
    const [a, b] = [job('A'), job('B')];
    await pool.acquire({ owner: a });
    await pool.acquire({ owner: b });
    const older = follow(pool.acquire({ owner: a, priority: 'low' }));
    await refusalOf(pool.acquire({ owner: b, priority: 'high' }));
    expect(older.state).toBe('pending');
  });

  it('never costs one that holds nothing, although it is younger', async () => {
    const { pool } = scriptedPool({ max: 2 });
    const owner = job('holder');
    await pool.acquire({ owner });
    const other = await pool.acquire();
    const wanted = [follow(pool.acquire({ owner })), follow(pool.acquire({ owner }))];
    const innocent = [follow(pool.acquire({ owner: job('innocent') })), follow(pool.acquire())];
    other.release();
    await turn();
    expect(wanted[1]!.error).toBeInstanceOf(PoolDeadlockError);
    expect(innocent.map(({ state }) => state)).toEqual(['pending', 'pending']);
  });

  it('ends for all acquires of an owner, so that it can give back what it holds', async () => {
    const { pool, factory } = scriptedPool({ max: 2, destroy: slow });
    const owner = job('greedy');
    await pool.acquire({ owner });
    const other = await pool.acquire();
    const wanted = [follow(pool.acquire({ owner })), follow(pool.acquire({ owner }))];
    other.destroy();
    pool.resize({ max: 1 });
    await turn();
    expect(wanted.map(({ state }) => state)).toEqual(['pending', 'pending']);
    factory.destroys.last.settle();
    await turn();
    expect(wanted.map(({ state }) => state)).toEqual(['rejected', 'rejected']);
    expect(pool.stats()).toMatchObject({ waiting: 0, totals: { deadlocked: 2 } });
  });

  it('may arise when what was on its way has gone', async () => {
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

  it('may arise when the size shrinks, once what is too many has gone', async () => {
    const { pool, factory } = scriptedPool({ max: 3, destroy: slow });
    const [a, b] = [job('A'), job('B')];
    const leases = [await pool.acquire({ owner: a }), await pool.acquire({ owner: b })];
    factory.creates.always(slow);
    const [older, younger] = [follow(pool.acquire({ owner: a })), follow(pool.acquire({ owner: b }))];
    pool.resize({ max: 1 });
    await turn();
    expect(younger.state).toBe('pending');
    factory.creates.last.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 2, closing: 1 });
    expect(younger.state).toBe('pending');
    factory.destroys.last.settle();
    await turn();
    expect(younger.error).toBeInstanceOf(PoolDeadlockError);
    expect(older.state).toBe('pending');
    factory.destroys.always(ok);
    for (const lease of leases) lease.release();
  });

  it('is not hidden by a destroy that was given up', async () => {
    const { pool, clock } = scriptedPool({ max: 1, destroy: never });
    const owner = job('holder');
    (await pool.acquire()).destroy();
    await clock.advance(6_000);
    expect(pool.stats().abandoned).toBe(1);
    await pool.acquire({ owner });
    await refusalOf(pool.acquire({ owner }));
  });

  it('is told while the pool is suspended, when no timeout would end it', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const owner = job('holder');
    await pool.acquire({ owner });
    pool.suspend();
    await refusalOf(pool.acquire({ owner }));
  });

  it('does not keep a pool from being drained', async () => {
    const { pool } = scriptedPool({ max: 2 });
    const owner = job('holder');
    const leases = [await pool.acquire({ owner })];
    const other = await pool.acquire();
    const wanted = [follow(pool.acquire({ owner })), follow(pool.acquire({ owner }))];
    const closed = follow(pool.close({ drain: true }));
    other.release();
    await turn();
    expect(wanted[1]!.error).toBeInstanceOf(PoolDeadlockError);
    for (const lease of [...leases, wanted[0]!.value!]) lease.release();
    await turn();
    expect(closed.state).toBe('fulfilled');
  });

  it('over the total of all keys costs the youngest, whatever key it waits for', async () => {
    const pools = new KeyedPool({ name: 'links', maxTotal: 2, create: () => ({}) });
    const [a, b] = [job('A'), job('B')];
    await pools.acquire('x', { owner: a });
    await pools.acquire('y', { owner: b });
    const older = follow(pools.acquire('x', { owner: a }));
    const { pool, holders } = await refusalOf(pools.acquire('y', { owner: b }));
    expect(pool).toBe('links[y]');
    expect(holders).toMatchObject([{ owner: 'A' }, { owner: 'B' }]);
    expect(pools.stats('x')!.totals.deadlocked).toBe(0);
    expect(pools.stats('y')!.totals.deadlocked).toBe(1);
    expect(older.state).toBe('pending');
    await pools.close({ timeout: 0 });
  });

  it('over the total of all keys is seen although each key has all that it may have', async () => {
    const pools = new KeyedPool({ name: 'links', maxTotal: 2, max: 1, create: () => ({}) });
    const [a, b] = [job('A'), job('B')];
    await pools.acquire('x', { owner: a });
    await pools.acquire('y', { owner: b });
    const older = follow(pools.acquire('y', { owner: a }));
    expect((await refusalOf(pools.acquire('x', { owner: b }))).pool).toBe('links[x]');
    expect(older.state).toBe('pending');
    await pools.close({ timeout: 0 });
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

  it.each([{ max: 2 }, { max: 1, overflow: 1 }])('while a create backs off: %j', async limits => {
    const { pool, factory, clock } = scriptedPool(limits);
    const owner = job('holder');
    await pool.acquire({ owner });
    factory.creates.next(rejects(new Error('down')));
    const waiter = follow(pool.acquire({ owner }));
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 1, total: 1, waiting: 1, totals: { createFailed: 1 } });
    await clock.advance(200);
    expect(waiter.state).toBe('fulfilled');
  });

  it('while the total of all keys is not used up', async () => {
    const pools = new KeyedPool({ maxTotal: 2, create: () => ({}) });
    const owner = job('holder');
    await pools.acquire('x', { owner });
    pools.suspend();
    const waiter = follow(pools.acquire('y', { owner }));
    await turn();
    expect(waiter.state).toBe('pending');
    pools.resume();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    await pools.close({ timeout: 0 });
  });

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
