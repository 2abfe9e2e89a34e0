import { EventEmitter } from 'node:events';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { LeaseReleasedError } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { throws } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('a lease', () => {
  it('gives nothing any more once it is released', async () => {
    const { pool } = scriptedPool({ name: 'orders' });
    const lease = await pool.acquire();
    expect(lease.released).toBe(false);
    lease.release();
    expect(lease.released).toBe(true);
    expect(() => lease.resource).toThrow(LeaseReleasedError);
    expect(() => lease.resource).toThrow(/"orders".*has been released/);
  });

  it('gives nothing any more although its resource is lent again', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const old = await pool.acquire();
    old.release();
    const current = await pool.acquire();
    expect(() => old.resource).toThrow(LeaseReleasedError);
    expect(current.resource).toEqual({ id: 1 });
  });

  it('may be released twice without harm, also when its resource is lent again by then', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const old = await pool.acquire();
    const borrowers = [follow(pool.acquire()), follow(pool.acquire())];
    old.release();
    old.release();
    old.release(new Error('again'));
    await turn();
    old.release();
    old.destroy();
    await turn();
    expect(borrowers.map(one => one.state)).toEqual(['fulfilled', 'pending']);
    expect(borrowers[0]!.value!.released).toBe(false);
    expect(pool.stats()).toMatchObject({ leased: 1, totals: { released: 1, destroyed: 0 } });
  });

  it('that is released and destroyed, or destroyed twice, ends its resource once at most', async () => {
    const { pool, factory } = scriptedPool();
    const one = await pool.acquire();
    one.release();
    one.destroy();
    expect(factory.reasons).toEqual([]);
    const two = await pool.acquire();
    two.destroy();
    two.destroy();
    two.release();
    await turn();
    expect(factory.reasons).toEqual(['caller']);
    expect(pool.stats().totals).toMatchObject({ acquired: 2, released: 2, destroyed: 1 });
  });

  it('destroys its resource when the borrower knows that it is broken', async () => {
    const { pool, factory, events } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const next = follow(pool.acquire());
    lease.destroy('protocol error');
    await turn();
    expect(factory.reasons).toEqual(['caller']);
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({ cause: 'protocol error' });
    expect(next.value?.resource).toEqual({ id: 2 });
  });

  it('is released at the end of the block by using', async () => {
    const { pool } = scriptedPool();
    {
      using lease = await pool.acquire();
      expect(lease.resource).toEqual({ id: 1 });
      expect(pool.stats().leased).toBe(1);
    }
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  it('is released by using when the block throws, and may have been released before', async () => {
    const { pool } = scriptedPool();
    const block = async (): Promise<void> => {
      using lease = await pool.acquire();
      lease.release();
      using other = await pool.acquire();
      expect(other.resource).toBeDefined();
      throw new Error('bug');
    };
    await expect(block()).rejects.toThrow('bug');
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1, totals: { released: 2 } });
  });

  it('never throws when it is released, whatever the factory does', async () => {
    const broken = throws(new Error('broken'));
    const { pool } = scriptedPool({ reset: broken, destroy: broken, isFatal: broken });
    const one = await pool.acquire();
    expect(() => one.release()).not.toThrow();
    const two = await pool.acquire();
    expect(() => two.release(new Error('query failed'))).not.toThrow();
    const three = await pool.acquire();
    expect(() => three.destroy()).not.toThrow();
    await turn();
    expect(pool.stats()).toMatchObject({ total: 0, totals: { destroyed: 3 } });
  });

  it('has a signal that is not aborted when it is released', async () => {
    const { pool } = scriptedPool();
    const lease = await pool.acquire();
    lease.release();
    await pool.close();
    expect(lease.signal.aborted).toBe(false);
  });

  const callbacks: [string, (end: (value?: unknown) => void) => unknown][] = [
    ['the listener of an event', end => new EventEmitter().once('close', end).emit('close', true)],
    ['a callback', end => setImmediate(end)],
    ['finally', end => Promise.resolve().finally(end)],
    ['then', end => Promise.resolve({ rows: [] }).then(end)],
    ['the listener of a signal', end => AbortSignal.timeout(1).addEventListener('abort', end)],
  ];
  it.each(callbacks)(
    'is released by its release as %s, and nothing that is no error counts as one',
    async (_, call) => {
      const asked: unknown[] = [];
      const { pool, events } = scriptedPool({ max: 1, isFatal: error => asked.push(error) > 0 });
      const { release } = await pool.acquire();
      const next = pool.acquire();
      call(release);
      await next;
      expect(asked).toEqual([]);
      expect(events.find(one => one.event === 'onRelease')).toMatchObject({ error: undefined });
    },
  );

  it('is released by its release as a callback with an error, which counts, of whatever realm it is', async () => {
    const { pool, factory } = scriptedPool({ isFatal: () => true });
    const own = await pool.acquire();
    new EventEmitter().once('error', own.release).emit('error', new TypeError('broken'));
    const foreign = await pool.acquire();
    foreign.release(runInNewContext('new Error("broken")'));
    expect(factory.reasons).toEqual(['fatal', 'fatal']);
    const thrown: unknown = 'thrown, so it counts';
    const work = (): never => {
      throw thrown;
    };
    await expect(pool.use(work)).rejects.toBe(thrown);
    expect(factory.reasons).toHaveLength(3);
  });

  it('is destroyed by its destroy as a callback', async () => {
    const { pool, factory, events } = scriptedPool();
    const { destroy } = await pool.acquire();
    new EventEmitter().once('close', destroy).emit('close', 'hung up');
    await turn();
    expect(factory.reasons).toEqual(['caller']);
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({ cause: 'hung up' });
  });
});
