import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { PoolError } from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, rejects, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const errorOf = async (promise: Promise<unknown>): Promise<PoolError> =>
  (await failureOf(promise)) as PoolError;

describe('the message of an error says what happened, the counts and what to change', () => {
  it('when every resource is leased and the time is over', async () => {
    const { pool, clock } = scriptedPool({ max: 1, name: 'reports' });
    await pool.acquire();
    const refused = errorOf(pool.acquire({ timeout: 100 }));
    await clock.advance(110);
    expect((await refused).message).toBe(
      'Pool "reports": no resource within 100 ms (1 leased, 0 idle of max 1, 1 waiting). ' +
        'Every resource is leased: look for leases that are not released (leakThreshold), ' +
        'hold them for less time, or raise max.',
    );
  });

  it('when creating takes longer than the borrower waits', async () => {
    const { pool, clock } = scriptedPool({ max: 2, create: slow, name: 'reports' });
    const refused = errorOf(pool.acquire({ timeout: 100 }));
    await clock.advance(110);
    expect((await refused).message).toBe(
      'Pool "reports": no resource within 100 ms (0 leased, 0 idle, 1 creating of max 2, 1 waiting). ' +
        'Creating, validating or resetting takes too long: raise acquireTimeout, or keep some ready with min.',
    );
  });

  it('when nothing is idle and the borrower does not wait', async () => {
    const { pool } = scriptedPool({ max: 2, name: 'reports' });
    await pool.acquire();
    const error = await errorOf(pool.acquire({ timeout: 0 }));
    expect(error.message).toBe(
      'Pool "reports": nothing was idle (1 leased, 0 idle, 1 creating of max 2, 0 waiting). ' +
        'Give the acquire a timeout, or keep some ready with min.',
    );
    expect(error).toMatchObject({ name: 'PoolTimeoutError', pool: 'reports', stats: { leased: 1 } });
    expect(error).not.toHaveProperty('cause');
  });

  it('when the queue is full', async () => {
    const { pool } = scriptedPool({ max: 1, maxWaiting: 1, name: 'reports' });
    await pool.acquire();
    follow(pool.acquire());
    const error = await errorOf(pool.acquire());
    expect(error.message).toBe(
      'Pool "reports": 1 acquires are waiting already, which is maxWaiting ' +
        '(1 leased, 0 idle of max 1, 1 waiting). Shed load before it reaches the pool, or raise max or maxWaiting.',
    );
    expect(error).toMatchObject({ name: 'PoolQueueFullError', stats: { waiting: 1 } });
  });

  it('when a start takes too long', async () => {
    const { pool, clock } = scriptedPool({ min: 2, max: 5, create: slow, name: 'reports' });
    const refused = errorOf(pool.start({ timeout: 100 }));
    await clock.advance(110);
    expect((await refused).message).toBe(
      'Pool "reports": fewer than min (2) resources within 100 ms of its start ' +
        '(0 leased, 0 idle, 2 creating of max 5, 0 waiting). ' +
        'Creating takes too long: give start a longer timeout.',
    );
  });

  it('when creates fail, whatever the limit that was hit', async () => {
    const refused = new Error('connection refused');
    const { pool, clock } = scriptedPool({ min: 1, unavailableAfter: Infinity, create: rejects(refused) });
    const errors = [errorOf(pool.acquire({ timeout: 50 })), errorOf(pool.start({ timeout: 50 }))];
    await clock.advance(60);
    errors.push(errorOf(pool.acquire({ timeout: 0 })));
    for (const error of await Promise.all(errors)) {
      expect(error.message).toMatch(/\. Creates are failing: connection refused$/);
      expect(error.cause).toBe(refused);
    }
  });

  it('when the pool is unavailable', async () => {
    const { pool, clock } = scriptedPool({
      unavailableAfter: 1,
      create: rejects(new Error('connection refused')),
      name: 'reports',
    });
    follow(pool.acquire());
    await clock.advance(0);
    const error = await errorOf(pool.acquire());
    expect(error.message).toMatch(
      /^Pool "reports" is unavailable: nothing is live, and 1 attempt\(s\) in a row to create failed\. It tries again by itself, in \d+ ms\. Last create error: connection refused$/,
    );
    expect(error).toMatchObject({ name: 'PoolUnavailableError', stats: { state: 'unavailable' } });
  });

  it('when the pool is closed', async () => {
    const { pool } = scriptedPool({ name: 'reports' });
    await pool.close();
    const error = await errorOf(pool.acquire());
    expect(error.message).toBe(
      'Pool "reports" is closed: it lends nothing any more. Borrow before close(), or make a new pool.',
    );
    expect(error).toMatchObject({ name: 'PoolClosedError', stats: { state: 'closed' } });
  });

  it('when the pool is suspended', async () => {
    const { pool } = scriptedPool({ name: 'reports' });
    pool.suspend();
    const error = await errorOf(pool.acquire({ timeout: 0 }));
    expect(error.message).toBe(
      'Pool "reports": nothing was idle (0 leased, 0 idle of max 10, 0 waiting). The pool is suspended: resume() it.',
    );
  });

  it.each([
    [{ timeout: -5 }, 'option "timeout" is -5; it must be milliseconds ≥ 0, or Infinity.'],
    [{ priority: 'urgent' }, `option "priority" is "urgent"; it must be 'high' or 'normal' or 'low'.`],
    [{ owner: 'me' }, 'option "owner" is a string; it must be an object.'],
  ])('when an acquire asks for what there is not: %j', async (options, said) => {
    const { pool } = scriptedPool({ name: 'reports' });
    expect((await errorOf(pool.acquire(options as object))).message).toBe(`Pool "reports": ${said}`);
  });

  it('when a resource that was taken away is used', async () => {
    const { pool, clock } = scriptedPool({ name: 'reports', maxHold: 100, maxHoldAction: 'destroy' });
    const lease = await pool.acquire();
    await clock.advance(110);
    const error = await errorOf((async () => lease.resource)());
    expect(error.message).toBe(
      'Pool "reports": the pool has taken this resource away. Pool "reports": the lease has been held for longer ' +
        'than maxHold (100 ms). Release it sooner, or raise maxHold.',
    );
    expect(error.cause).toBe(lease.signal.reason);
  });

  it('when a released lease is used', async () => {
    const { pool } = scriptedPool({ name: 'reports' });
    const lease = await pool.acquire();
    lease.release();
    const error = await errorOf((async () => lease.resource)());
    expect(error.message).toBe(
      'Pool "reports": this lease has been released, its resource may belong to somebody else by now. ' +
        'Do not keep a resource beyond its lease: acquire again, or release later.',
    );
    expect(error).toMatchObject({ name: 'LeaseReleasedError', code: 'POOL_LEASE_RELEASED', pool: 'reports' });
    expect(error).not.toHaveProperty('cause');
  });
});

describe('the counts in a message', () => {
  it('name the states that some resource is in, and no others', async () => {
    const { pool, factory, clock } = scriptedPool({
      max: 5,
      create: ok,
      validate: slow,
      reset: slow,
      destroy: slow,
    });
    const leases = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
    leases[0]!.release();
    factory.resets.last.settle();
    await clock.advance(600);
    factory.creates.always(slow);
    leases[1]!.release();
    leases[2]!.destroy();
    const refused = [1, 2, 3].map(() => errorOf(pool.acquire({ timeout: 100 })));
    await clock.advance(110);
    expect((await refused[0]!).message).toContain(
      '(1 leased, 0 idle, 1 creating, 1 validating, 1 resetting, 1 closing of max 5, 3 waiting)',
    );
  });

  it('say what is allowed beyond max', async () => {
    const { pool } = scriptedPool({ max: 1, overflow: 2, maxWaiting: 0 });
    await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    expect((await errorOf(pool.acquire())).message).toContain('(3 leased, 0 idle of max 1 + 2, 0 waiting)');
  });
});

describe('the create error in a message', () => {
  it.each([
    ['an Error', new Error('connection refused'), 'connection refused'],
    ['an Error with nothing to say', new Error(''), ''],
    ['something that is no Error', 'ECONNREFUSED', 'ECONNREFUSED'],
    ['null', null, 'null'],
    [
      'several errors',
      new AggregateError([new Error('::1 refused'), '127.0.0.1 refused'], ''),
      '::1 refused; 127.0.0.1 refused',
    ],
    [
      'several errors with a message over them',
      new AggregateError([new Error('::1 refused')], 'no route'),
      'no route',
    ],
  ])('is what %s has to say', async (_, thrown, said) => {
    const { pool } = scriptedPool({ unavailableAfter: 1, create: () => Promise.reject(thrown as Error) });
    const refused = errorOf(pool.acquire());
    await turn();
    const { message, cause } = await refused;
    expect(message.slice(message.indexOf('Last create error'))).toBe(`Last create error: ${said}`);
    expect(cause).toBe(thrown);
  });
});

describe('an error of a pool', () => {
  it('has the counts of its moment, and does not show them where it is logged', async () => {
    const { pool } = scriptedPool({ max: 1, name: 'reports' });
    await pool.acquire();
    const error = await errorOf(pool.acquire({ timeout: 0 }));
    expect(error.stats).toMatchObject({ name: 'reports', leased: 1 });
    expect(inspect(error)).not.toMatch(/leased: 1|totals/);
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'PoolTimeoutError',
      code: 'POOL_TIMEOUT',
      pool: 'reports',
    });
  });
});
