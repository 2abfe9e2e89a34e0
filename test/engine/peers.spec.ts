import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { PoolTimeoutError, type CreateContext } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { rejects, slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

/*
 * What other pools for Node get wrong, measured: generic-pool 3.9 (GP), tarn 3.1 (TN), lightning-pool 4.14 (LP),
 * sequelize-pool 8 (SQ), pg-pool 3.14 (PG); and what their users ask for, with the issue. Each is a test of ours. Where
 * one of our own features has that test, it is named here, and not said twice: who | what | spec | its title.
 */
const PROVEN_ELSEWHERE = `
GP | a failing create is tried again in a busy loop | create | does not turn into a busy loop when it fails at once
GP | a rejecting validate loses the slot | validate | has a resource destroyed when it %s, and its borrower gets another
GP | an un-awaited double release crashes the process | lease | may be released twice without harm, also when its resource is lent again by then
GP | use() leaks on a synchronous throw | use | gives the resource back when the call throws synchronously
GP | use() leaks when the call returns no promise | use | takes a call that returns no promise
GP | a callback of use() that rejects costs a good resource | fatal | is missing by default: an error of the borrower does not cost a resource
GP | a destroy that throws ends eviction | upkeep | goes on coming when a destroy throws
GP, TN | primitives, null and falsy resources break it | create | may make %p, which is lent like anything else
GP | the same object twice is one loan | create | may make the same object twice, which is then two resources
GP | drain has no deadline | close | takes leased resources from their holders at the deadline, and tells them by the signal
GP | ready() never settles while creates fail | start | rejects with the cause when nothing can be created
GP | min is not tried for again | upkeep | is tried for again with the back-off when creates fail
GP | testOnReturn does nothing | reset | that %s has the resource destroyed and replaced
TN | an acquire after destroy waits for its timeout | close | refuses new acquires, at once
TN | destroy waits for borrowers before it tells waiters | close | refuses those who wait, at once
TN | each waiter retries by itself | create | backs off once for the whole pool, not once for each waiter
TN | release, abort and create scan arrays | constant-cost | is the same however many are leased, idle and waiting
LP | a double release during reset lends one object twice | reset | runs once and serves one borrower when the lease is released twice while it runs
LP | the cold end is never evicted | upkeep | go although the hot end of the pool is in use all the time
LP | a create that never settles loses a place | create | is told so, no longer counts, and is replaced; what it makes after all is destroyed
LP | close(ms) forgets what is leased | close | takes leased resources from their holders at the deadline, and tells them by the signal
PG | end() never settles those who wait | close | refuses those who wait, at once
PG | end() resolves before anything is closed | close | destroys what is idle and resolves when every destroy has settled
PG | max 1 reached 5 open | cap | holds while resources are being destroyed: nothing replaces one before its destroy has settled
SQ | a create that throws leaks its place | create | may fail by throwing synchronously, and leaks no place
SQ | a validate that throws forgets its waiter | validate | has a resource destroyed when it %s, and its borrower gets another
all | closing ones do not count: peak open 155 for max 1 | cap | holds during destroy when every validation fails and destroying is slow
GP, TN, SQ, LP | create runs in the context of the first requester | context | create, validate, reset, destroy, timers and listeners do not see the store of the requester
node-pool#175, #183, #256 | acquire never settles while the backend is down | create | becomes unavailable after unavailableAfter failed attempts, and fails those who wait
node-pool#194, #197 | waiting for a dead backend takes all CPU and memory | create | keeps probing, one at a time, although nobody asks
knex#6300 | the root cause is hidden | deadline | has the last create error as its cause
mysql2#673, node-postgres#3543 | one deadline that covers connecting | deadline | is one over queueing, validating and creating together
tarn#43 | "timed out for an unknown reason" | deadline | tells the counts of that moment and what to change
tarn#68, knex#1694 | an aborted acquire strands its resource | abort | so that the resource becomes idle when nobody else waits
node-pool#155, node-postgres#2628 | dead idle resources are lent | validate | is asked on borrow only about what was idle for validateAfterIdle
node-pool#78, node-postgres#391 | what one borrower left behind, the next one has | reset | that is asynchronous keeps the resource from the next borrower until it has settled
node-postgres#2328, node-pool#288 | shutdown that waits and ends | close | waits for leased resources for ever when its timeout is Infinity
node-postgres#2173 | min, and warming up | start | resolves when min resources are live
node-postgres#3515 | await using | close | is what await using calls
node-postgres#2533 | borrowers keep their async context | context | is not for borrowers: each keeps its own, whether it queued or not, was served or refused
node-postgres PR#3650 | how long a borrower waited | acquire | tells how long the borrower waited
tarn#76 | a choice of LIFO and FIFO | acquire | lends the most recently used resource first, or with order fifo the least recently used
`
  .trim()
  .split('\n')
  .map(row => row.split(' | ') as [peer: string, wrong: string, spec: string, title: string]);

it('what other pools get wrong has a test elsewhere, unless it is below', () => {
  const missing = PROVEN_ELSEWHERE.filter(([, , spec, title]) => {
    const source = readFileSync(new URL(`${spec}.spec.ts`, import.meta.url), 'utf8');
    return !source.includes(`'${title}'`);
  });
  expect(missing).toEqual([]);
});

describe('generic-pool (clear leaves the idle list as it is):', () => {
  it('what was destroyed while idle is never lent', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 4, idleTimeout: 1_000, destroy: slow });
    const leases = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
    for (const lease of leases.slice(0, 3)) lease.release();
    factory.creates.calls[0]!.given.invalidate();
    await clock.advance(1_100);
    expect(factory.reasons).toEqual(['invalid', 'idle', 'idle']);
    const borrowers = [1, 2, 3, 4].map(() => follow(pool.acquire()));
    leases[3]!.release();
    for (const call of factory.destroys.open) call.settle();
    await turn();
    expect(borrowers.map(one => one.value?.resource.id)).toEqual([4, 5, 6, 7]);
  });

  it('what recycle has destroyed is never lent, and borrowers get new ones', async () => {
    const { pool, factory } = scriptedPool({ max: 3, destroy: slow });
    for (const lease of await Promise.all([1, 2, 3].map(() => pool.acquire()))) lease.release();
    pool.recycle();
    expect(pool.tryAcquire()).toBeUndefined();
    const borrowers = [1, 2, 3].map(() => follow(pool.acquire()));
    expect(factory.reasons).toEqual(['recycled', 'recycled', 'recycled']);
    for (const call of factory.destroys.open) call.settle();
    await turn();
    expect(borrowers.map(one => one.value?.resource.id)).toEqual([4, 5, 6]);
  });
});

describe('tarn (the error of a create keeps only its message):', () => {
  it('a create error arrives as it was thrown, in every refusal', async () => {
    const error = Object.assign(new Error('connect failed', { cause: new Error('no route') }), {
      code: 'ECONNREFUSED',
    });
    const { pool, clock } = scriptedPool({ create: rejects(error), unavailableAfter: 2, min: 1 });
    const started = follow(pool.start());
    const waiting = follow(pool.acquire());
    const late = follow(pool.acquire({ timeout: 1 }));
    await clock.advance(1_000);
    const refused = follow(pool.acquire());
    await turn();
    for (const one of [started, waiting, late, refused]) expect((one.error as Error).cause).toBe(error);
  });
});

describe('lightning-pool (release after destroy brings the destroyed object back):', () => {
  it('a lease that was destroyed cannot be released any more', async () => {
    const { pool, factory } = scriptedPool({ max: 1, destroy: slow });
    const lease = await pool.acquire();
    lease.destroy();
    lease.release();
    expect(pool.tryAcquire()).toBeUndefined();
    const next = follow(pool.acquire());
    factory.destroys.last.settle();
    lease.release();
    await turn();
    lease.release();
    expect(next.value?.resource).toEqual({ id: 2 });
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 0, totals: { released: 1 } });
  });
});

describe('lightning-pool (minIdle takes the pool beyond max):', () => {
  it('min counts what is leased, and what is created for it never exceeds max', async () => {
    const { pool, factory } = scriptedPool({ min: 3, max: 5, create: slow });
    const borrowers = [1, 2, 3].map(() => follow(pool.acquire()));
    for (const call of factory.creates.open) call.settle();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 3, total: 3 });
    for (let i = 0; i < 4; i++) borrowers.push(follow(pool.acquire()));
    void pool.start();
    for (const call of factory.creates.open) call.settle();
    await turn();
    for (const { value } of borrowers) value?.destroy();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 0, creating: 3, waiting: 2 });
    expect(factory.peak).toBe(5);
  });
});

describe('lightning-pool (raising max wakes nobody who waits):', () => {
  it('a higher max serves those who wait at once', async () => {
    const { pool } = scriptedPool({ max: 1 });
    await pool.acquire();
    const waiters = [1, 2, 3].map(() => follow(pool.acquire()));
    await turn();
    expect(waiters.map(one => one.state)).toEqual(['pending', 'pending', 'pending']);
    pool.resize({ max: 3 });
    await turn();
    expect(waiters.map(one => one.state)).toEqual(['fulfilled', 'fulfilled', 'pending']);
  });
});

describe('sequelize-pool (a failing destroy of an idle one is an unhandled rejection):', () => {
  it('a destroy that rejects while nobody is there is told to the listeners and harms nobody', async () => {
    const error = new Error('socket hang up');
    const { pool, clock, events } = scriptedPool({ max: 1, idleTimeout: 1_000, destroy: rejects(error) });
    (await pool.acquire()).release();
    await clock.advance(1_100);
    expect(events.at(-1)).toMatchObject({ event: 'onDestroy', reason: 'idle' });
    expect(events.at(-1)!.error).toBe(error);
    expect((await pool.acquire()).resource).toEqual({ id: 2 });
  });
});

describe('node-postgres#2628 (an error event of an idle client ends the process):', () => {
  it('invalidate as the listener of error takes an idle resource out, and its error is told', async () => {
    const clients: EventEmitter[] = [];
    const { pool, events } = scriptedPool<EventEmitter>({
      create: call => {
        const client = new EventEmitter().on('error', (call.given as CreateContext).invalidate);
        clients.push(client);
        return client;
      },
    });
    (await pool.acquire()).release();
    const error = new Error('terminating connection due to administrator command');
    clients[0]!.emit('error', error);
    clients[0]!.emit('error', new Error('again'));
    await turn();
    expect(events.at(-1)).toMatchObject({ event: 'onDestroy', reason: 'invalid', cause: error });
    expect((await pool.acquire()).resource).toBe(clients[1]);
  });
});

describe('mysql2#4497, typeorm#4738 (nested borrows freeze the whole application):', () => {
  it('borrows that starve each other end at their deadlines, and the pool goes on', async () => {
    const { pool, clock } = scriptedPool({ max: 2 });
    const nested = (): Promise<string> => pool.use(() => pool.use(() => 'both', { timeout: 100 }));
    const tasks = [follow(nested()), follow(nested()), follow(pool.use(() => 'one'))];
    await clock.advance(110);
    expect(tasks[0]!.error).toBeInstanceOf(PoolTimeoutError);
    expect((tasks[0]!.error as Error).message).toMatch(/2 leased.*Every resource is leased/);
    expect(tasks[1]!.error).toBeInstanceOf(PoolTimeoutError);
    expect(tasks[2]!.value).toBe('one');
    expect(pool.stats()).toMatchObject({ idle: 2, waiting: 0 });
  });

  it('borrowers that say who they are do not even wait for that', async () => {
    const { pool } = scriptedPool({ max: 2, acquireTimeout: Infinity });
    const nested = (owner: object): Promise<string> =>
      pool.use(() => pool.use(() => 'both', { owner }), { owner });
    const tasks = [follow(nested({})), follow(nested({}))];
    await turn();
    expect(tasks[0]!.value).toBe('both');
    expect(tasks[1]!.error).toMatchObject({ code: 'POOL_DEADLOCK' });
  });
});

describe('tarn PR#85 (timers outlive the pool and break the teardown of tests):', () => {
  it('a closed pool has no timer left, whatever it was busy with', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 3, min: 1, leakThreshold: 50_000, create: slow });
    const borrowers = [1, 2, 3].map(() => follow(pool.acquire()));
    factory.creates.calls[0]!.settle();
    factory.creates.calls[1]!.fail(new Error('down'));
    await turn();
    expect(borrowers[0]!.state).toBe('fulfilled');
    expect(clock.timersLeft).toBe(1);
    const closed = follow(pool.close({ timeout: 0 }));
    await turn();
    expect(closed.state).toBe('fulfilled');
    expect(clock.timersLeft).toBe(0);
  });
});
