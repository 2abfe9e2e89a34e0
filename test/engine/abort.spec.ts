import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

describe('an acquire with a signal', () => {
  it('that is already aborted rejects with its reason and creates nothing', async () => {
    const { pool, factory } = scriptedPool();
    const reason = new Error('the client has gone');
    await expect(pool.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(factory.creates.calls).toHaveLength(0);
  });

  it('that is already aborted takes nothing even when something is idle', async () => {
    const { pool } = scriptedPool();
    (await pool.acquire()).release();
    const borrower = follow(pool.acquire({ signal: AbortSignal.abort() }));
    await turn();
    expect(borrower.state).toBe('rejected');
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0 });
  });

  it('leaves the queue when it is aborted, with its reason', async () => {
    const { pool, events } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const abort = new AbortController();
    const leaver = follow(pool.acquire({ signal: abort.signal }));
    const stayer = follow(pool.acquire());
    abort.abort('no longer');
    await turn();
    expect(leaver.error).toBe('no longer');
    expect(pool.stats()).toMatchObject({ waiting: 1, totals: { aborted: 1, timedOut: 0 } });
    expect(events.filter(one => one.event === 'onTimeout')).toEqual([]);
    lease.release();
    await turn();
    expect(stayer.state).toBe('fulfilled');
  });

  it('keeps no listener on the signal, however it ended', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    const { signal } = new AbortController();
    const listeners = (): number => getEventListeners(signal, 'abort').length;
    const lease = await pool.acquire({ signal });
    expect(listeners()).toBe(0);
    const late = follow(pool.acquire({ signal, timeout: 100 }));
    expect(listeners()).toBe(1);
    await clock.advance(110);
    expect([late.state, listeners()]).toEqual(['rejected', 0]);
    const served = follow(pool.acquire({ signal }));
    lease.release();
    await turn();
    expect([served.state, listeners()]).toEqual(['fulfilled', 0]);
    const refused = follow(pool.acquire({ signal }));
    void pool.close();
    await turn();
    expect([refused.state, listeners()]).toEqual(['rejected', 0]);
    served.value?.release();
  });

  it('keeps its lease when the signal is aborted after it was served', async () => {
    const { pool } = scriptedPool();
    const abort = new AbortController();
    const lease = await pool.acquire({ signal: abort.signal });
    abort.abort();
    await turn();
    expect(lease.released).toBe(false);
    lease.release();
  });
});

describe('a waiter that leaves never cancels a create', () => {
  it('so that the resource goes to the next waiter', async () => {
    const { pool, factory } = scriptedPool({ create: slow, max: 1 });
    const abort = new AbortController();
    const leaver = follow(pool.acquire({ signal: abort.signal }));
    const next = follow(pool.acquire());
    abort.abort();
    await turn();
    expect(leaver.state).toBe('rejected');
    expect(factory.creates.last.given.signal.aborted).toBe(false);
    factory.creates.last.settle();
    await turn();
    expect(next.value?.resource).toEqual({ id: 1 });
    expect(factory.creates.calls).toHaveLength(1);
  });

  it('so that the resource becomes idle when nobody else waits', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, max: 1 });
    const late = follow(pool.acquire({ timeout: 100 }));
    await clock.advance(110);
    expect(late.state).toBe('rejected');
    expect(factory.creates.last.given.signal.aborted).toBe(false);
    factory.creates.last.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 1, creating: 0 });
    expect(pool.tryAcquire()?.resource).toEqual({ id: 1 });
    expect(factory.destroys.calls).toHaveLength(0);
  });

  it('and what was being validated for it becomes idle', async () => {
    const { pool, factory, clock } = scriptedPool({ validate: slow, validateAfterIdle: 100 });
    (await pool.acquire()).release();
    await clock.advance(200);
    const abort = new AbortController();
    const leaver = follow(pool.acquire({ signal: abort.signal }));
    abort.abort();
    factory.validates.last.settle();
    await turn();
    expect(leaver.state).toBe('rejected');
    expect(pool.stats()).toMatchObject({ idle: 1, validating: 0 });
    expect(factory.destroys.calls).toHaveLength(0);
  });
});
