import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Pool, PoolDeadlockError } from '../../src/engine/index.js';
import {
  BorrowScope,
  BorrowScopeEndedError,
  Borrowed,
  NoBorrowScopeError,
  RequestAbortedError,
  inScope,
  type ScopeHost,
} from '../../src/scope/index.js';
import { failureOf, follow } from '../support/follow.js';
import { turn } from '../support/manual-clock.js';

describe('BorrowScope', () => {
  const host: ScopeHost = { stopping: new AbortController().signal };
  let pool: Pool<{ id: number }>;
  let scope: BorrowScope;
  let drop: () => void;

  beforeEach(() => {
    let made = 0;
    pool = new Pool({ name: 'things', create: () => ({ id: ++made }), max: 1 });
    scope = new BorrowScope(host);
    drop = scope.hold();
  });
  afterEach(async () => {
    drop();
    await pool.close({ timeout: 0 });
  });

  it('gives everybody in it the same lease, and gives it back when its last hold drops', async () => {
    const dropOther = scope.hold();
    const [a, b] = await Promise.all([scope.borrow(pool), scope.borrow(pool)]);
    expect(a).toBe(b);
    drop();
    expect(pool.stats().leased).toBe(1);
    dropOther();
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  it('has one lease of a pool, whichever proxies of it are asked', async () => {
    const [a, b] = [new Proxy(pool, {}), new Proxy(pool, {})];
    expect(await scope.borrow(a)).toBe(await scope.borrow(b));
    expect(await scope.borrow(pool)).toBe(await scope.borrow(a));
  });

  it('borrows from what stands in for a pool in a test', async () => {
    const lease = await pool.acquire();
    const standIn = { name: 'stand-in', acquire: () => Promise.resolve(lease) } as unknown as Pool<{
      id: number;
    }>;
    expect(await scope.borrow(standIn)).toBe(lease);
  });

  it('takes a hold that is dropped twice as dropped once', async () => {
    const dropOther = scope.hold();
    await scope.borrow(pool);
    dropOther();
    dropOther();
    expect(pool.stats().leased).toBe(1);
  });

  it('does not even queue for a borrow after its end', async () => {
    await scope.borrow(pool);
    drop();
    const other = await pool.acquire();
    expect(await failureOf(scope.borrow(pool))).toBeInstanceOf(BorrowScopeEndedError);
    expect(pool.stats().totals.waited).toBe(1);
    other.release();
  });

  it('frees the place in the queue of a borrow that is still waiting when it ends', async () => {
    const other = await pool.acquire();
    const pending = follow(scope.borrow(pool));
    drop();
    await turn();
    expect(pending.error).toBeInstanceOf(BorrowScopeEndedError);
    expect((pending.error as Error).message).toMatch(/"things"/);
    expect(pool.stats().waiting).toBe(0);
    other.release();
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  it('gives a resource straight back that arrives after its end', async () => {
    const other = await pool.acquire();
    const pending = follow(scope.borrow(pool));
    // The resource is handed over, and the scope ends before the borrower has come round to it.
    other.release();
    drop();
    await turn();
    expect(pending.error).toBeInstanceOf(BorrowScopeEndedError);
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  it('aborts what is queueing when its client has left, and nothing that is borrowed later', async () => {
    const other = await pool.acquire();
    const pending = follow(scope.borrow(pool));
    scope.abandon(new RequestAbortedError());
    await turn();
    expect(pending.error).toBeInstanceOf(RequestAbortedError);
    other.release();
    expect((await scope.borrow(pool)).resource).toEqual({ id: 1 });
  });

  it('borrows anew when its lease was given back early', async () => {
    const first = await scope.borrow(pool);
    first.destroy();
    const second = await scope.borrow(pool);
    expect(second.resource).toEqual({ id: 2 });
  });

  it('shows the first error of its work to isFatal', async () => {
    const shown: unknown[] = [];
    const strict = new Pool({ create: () => ({}), isFatal: error => (shown.push(error), true) });
    await scope.borrow(strict);
    scope.fail(new Error('first'));
    scope.fail(new Error('second'));
    drop();
    expect(shown).toEqual([new Error('first')]);
    expect(strict.stats().totals.destroyedBy).toEqual({ fatal: 1 });
  });

  it('has a signal that tells when a pool takes away what it has borrowed, before or after it was asked for', async () => {
    for (const order of ['before', 'after']) {
      const taking = new Pool({ name: 'taking', create: () => ({}) });
      const work = new BorrowScope(host);
      const done = work.hold();
      if (order === 'before') await work.borrow(taking);
      const { signal } = work;
      if (order === 'after') await work.borrow(taking);
      expect(signal.aborted).toBe(false);
      await taking.close({ timeout: 0 });
      expect((signal.reason as Error).message).toMatch(/"taking"/);
      done();
    }
  });

  it('has a signal that tells that its client has left', () => {
    const { signal } = scope;
    scope.abandon(new RequestAbortedError());
    expect(signal.reason).toBeInstanceOf(RequestAbortedError);
    expect(scope.signal).toBe(signal);
  });

  it('has a signal that tells also of what had happened before it was asked for', async () => {
    scope.abandon(new RequestAbortedError());
    expect(scope.signal.reason).toBeInstanceOf(RequestAbortedError);

    const work = new BorrowScope(host);
    const done = work.hold();
    const held = new Pool({ name: 'held', create: () => ({}) });
    const lease = await work.borrow(held);
    const { signal } = lease;
    await held.close({ timeout: 0 });
    expect(signal.aborted).toBe(true);
    // It was taken away, and is in the scope still.
    expect(work.signal.aborted).toBe(true);
    done();
  });

  it('does not keep what was given back early', async () => {
    const early = [];
    for (let i = 0; i < 5; i++) {
      const lease = await scope.borrow(pool, { fresh: true });
      early.push(lease);
      lease.release();
    }
    expect((scope as unknown as { leases: unknown[] }).leases).toEqual([early[4]]);
  });

  it('lets a borrow with a higher priority be served first', async () => {
    const other = await pool.acquire();
    const normal = follow(pool.acquire());
    const high = follow(scope.borrow(pool, { priority: 'high' }));
    other.release();
    await turn();
    expect([high.state, normal.state]).toEqual(['fulfilled', 'pending']);
    drop();
    await turn();
    normal.value?.release();
  });

  it('is the owner of what it borrows, so that those who hold and wait for each other are told at once', async () => {
    const other = new BorrowScope(host);
    const dropOther = other.hold();
    pool.resize({ max: 2 });
    await Promise.all([scope.borrow(pool), other.borrow(pool)]);
    const patient = follow(scope.borrow(pool, { fresh: true }));
    const error = await failureOf(other.borrow(pool, { fresh: true }));
    expect(error).toBeInstanceOf(PoolDeadlockError);
    expect((error as Error).message).toMatch(/a borrow scope/);
    expect(patient.state).toBe('pending');
    dropOther();
    await turn();
    expect(patient.state).toBe('fulfilled');
  });

  it('is what Borrowed looks for, and only that of its own application', async () => {
    const borrowed = new Borrowed(pool, host);
    const elsewhere = new Borrowed(pool, { stopping: host.stopping });
    expect(await failureOf(borrowed.get())).toBeInstanceOf(NoBorrowScopeError);
    expect(await inScope(scope, () => borrowed.get())).toEqual({ id: 1 });
    expect(await failureOf(inScope(scope, () => elsewhere.get()))).toBeInstanceOf(NoBorrowScopeError);
  });
});
