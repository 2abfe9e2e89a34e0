import { describe, expect, it } from '@jest/globals';
import { PoolDeadlockError } from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';

checkPoolsAfterEach();

const job = (name: string): object => ({ toString: () => name });
const refusalOf = async (promise: Promise<unknown>): Promise<PoolDeadlockError> => {
  const error = await failureOf(promise);
  expect(error).toBeInstanceOf(PoolDeadlockError);
  return error as PoolDeadlockError;
};
/** The line of this file that a stack begins at. */
const lineOf = (stack: string | undefined): number =>
  Number(/deadlock-error\.spec\.ts:(\d+)/.exec(stack ?? '')?.[1]);

describe('the error of a deadlock', () => {
  it('says what happened, the counts and what to change', async () => {
    const { pool } = scriptedPool({ max: 2, name: 'reports' });
    const [a, b] = [job('A'), job('B')];
    await pool.acquire({ owner: a });
    await pool.acquire({ owner: b });
    follow(pool.acquire({ owner: a }));
    const error = await refusalOf(pool.acquire({ owner: b }));
    expect(error.message).toBe(
      'Pool "reports": deadlock, everything is leased to owners that wait here for more: A, B ' +
        '(2 leased, 0 idle of max 2, 1 waiting). This acquire gives way. Borrow once and pass the lease on, or ' +
        'raise max to owners × (leases of each − 1) + 1. Where each of them waits is in "holders".',
    );
    expect(error).toMatchObject({ name: 'PoolDeadlockError', pool: 'reports', stats: { leased: 2 } });
  });

  it('says who holds what, where each borrowed it, and where each waits', async () => {
    const { pool } = scriptedPool({ max: 2, leakThreshold: 60_000 });
    const [a, b] = [job('job A'), job('job B')];
    await pool.acquire({ owner: a });
    await pool.acquire({ owner: b });
    follow(pool.acquire({ owner: a }));
    const error = await refusalOf(pool.acquire({ owner: b }));
    expect(error).toMatchObject({ code: 'POOL_DEADLOCK', holders: [{ owner: 'job A' }, { owner: 'job B' }] });
    const lines = error.holders.map(({ borrowedAt, waitsAt }) => [lineOf(borrowedAt), lineOf(waitsAt)]);
    const first = lines[0]![0]!;
    expect(lines).toEqual([
      [first, first + 2],
      [first + 1, first + 3],
    ]);
  });

  it('says where each waits in any case, and where it borrowed if it had to queue for it', async () => {
    const { pool } = scriptedPool({ max: 2 });
    await pool.use(() => undefined);
    const [a, b] = [job('A'), job('B')];
    expect(pool.tryAcquire({ owner: a })).toBeDefined();
    await pool.acquire({ owner: b });
    follow(pool.acquire({ owner: b }));
    const { holders } = await refusalOf(pool.acquire({ owner: a }));
    expect(holders.map(({ borrowedAt }) => borrowedAt !== undefined)).toEqual([false, true]);
    expect(holders.every(({ waitsAt }) => lineOf(waitsAt) > 0)).toBe(true);
  });
});

describe('an owner is called', () => {
  class Report {}
  class Mute {
    toString(): string {
      throw new Error('says nothing');
    }
  }
  class Odd {}
  // Hides the name that a class has.
  Object.defineProperty(Odd, 'name', { value: () => undefined });
  const nameless = (): (() => void) => () => undefined;
  const gone = Proxy.revocable({}, {});
  gone.revoke();

  it.each<[what: string, owner: object, name: string]>([
    ['what it says it is', job('[job 7]'), '[job 7]'],
    ['by its class, when it says nothing', new Report(), 'Report'],
    ['by its class, when it throws', new Mute(), 'Mute'],
    ['by its own name, if it is a class', Report, 'Report'],
    ['a function, if it has no name', nameless(), 'Function'],
    ['a function, if its name is no text', Odd, 'Function'],
    ['an object, if it is a plain one', {}, 'Object'],
    ['an object, if it has no class', Object.create(null) as object, 'Object'],
    ['an object, if it answers nothing at all', gone.proxy, 'Object'],
  ])('%s', async (_, owner, name) => {
    const { pool } = scriptedPool({ max: 1 });
    await pool.acquire({ owner });
    expect((await refusalOf(pool.acquire({ owner }))).holders).toMatchObject([{ owner: name }]);
  });

  it('while nothing is left to decide: it may use the pool', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const abort = new AbortController();
    const owner = {
      toString: () => {
        abort.abort();
        lease.release();
        return 'restless';
      },
    };
    const lease = await pool.acquire({ owner });
    await refusalOf(pool.acquire({ owner, signal: abort.signal }));
    expect(pool.stats()).toMatchObject({ idle: 1, waiting: 0, totals: { aborted: 0, deadlocked: 1 } });
  });
});
