import { describe, expect, it } from '@jest/globals';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const gone = new Error('connection lost');

describe('isFatal', () => {
  const answers: [string, () => unknown, boolean][] = [
    ['true', () => true, true],
    ['false', () => false, false],
    ['something merely truthy', () => 1, false],
    ['an object that is no promise', () => ({}), false],
    ['nothing', () => undefined, false],
    [
      'by throwing',
      () => {
        throw new Error('cannot tell');
      },
      true,
    ],
    ['with a promise of false', () => Promise.resolve(false), true],
    ['with a promise that rejects', () => Promise.reject(new Error('cannot tell')), true],
  ];
  it.each(answers)('that answers %s decides whether the resource is destroyed', async (_, answer, fatal) => {
    const seen: unknown[] = [];
    const { pool, factory, events } = scriptedPool({
      isFatal: error => {
        seen.push(error);
        return answer() as boolean;
      },
    });
    const lease = await pool.acquire();
    expect(() => lease.release(gone)).not.toThrow();
    await turn();
    expect(seen).toEqual([gone]);
    expect(factory.reasons).toEqual(fatal ? ['fatal'] : []);
    expect(pool.stats().idle).toBe(fatal ? 0 : 1);
    if (fatal) {
      expect(events.find(one => one.event === 'onDestroy')).toMatchObject({ reason: 'fatal', cause: gone });
    }
  });

  it('is not asked when no error was reported', async () => {
    let asked = 0;
    const { pool } = scriptedPool({ isFatal: () => ++asked > 0 });
    (await pool.acquire()).release();
    await pool.use(() => 'fine');
    expect(asked).toBe(0);
    expect(pool.stats().idle).toBe(1);
  });

  it('is shown what a borrower in use throws, and the error goes on to the borrower', async () => {
    const { pool, factory } = scriptedPool({ isFatal: error => error === gone, reset: ok });
    await expect(pool.use(() => Promise.reject(gone))).rejects.toBe(gone);
    expect(factory.reasons).toEqual(['fatal']);
    expect(factory.resets.calls).toHaveLength(0);
  });

  it('is missing by default: an error of the borrower does not cost a resource', async () => {
    const { pool, factory } = scriptedPool();
    await expect(pool.use(() => Promise.reject(gone))).rejects.toBe(gone);
    expect(factory.reasons).toEqual([]);
    expect(pool.stats().idle).toBe(1);
  });

  it('may close the pool', async () => {
    const { pool, factory } = scriptedPool({
      isFatal: () => {
        void pool.close();
        return true;
      },
    });
    const lease = await pool.acquire();
    lease.release(gone);
    await turn();
    expect(factory.destroys.calls).toHaveLength(1);
    expect(pool.stats().state).toBe('closed');
  });

  it('on what is older than the last recycle says nothing about what has been made since', async () => {
    const { pool, factory } = scriptedPool({ isFatal: () => true, recycleOnFatal: true });
    const old = await pool.acquire();
    pool.recycle();
    (await pool.acquire()).release();
    old.release(gone);
    await turn();
    expect(factory.reasons).toEqual(['fatal']);
    expect(pool.stats().idle).toBe(1);
  });
});
