import { describe, expect, it } from '@jest/globals';
import {
  KeyedPool,
  PoolClosedError,
  PoolDeadlockError,
  PoolTimeoutError,
  PoolUnavailableError,
  type KeyedCreateContext,
} from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { keyed } from '../support/keyed.js';
import { turn } from '../support/manual-clock.js';

describe('the pool of a key', () => {
  it('appears with the first acquire, lends only its own, and goes when it has been idle', async () => {
    const { pools, clock, ended } = keyed({ idleTimeout: 1_000 });
    expect(await pools.use('a', ({ key }) => key)).toBe('a');
    expect(pools.stats('a')).toMatchObject({ name: 'links[a]', idle: 1 });
    expect(pools.stats('b')).toBeUndefined();
    await clock.advance(1_100);
    expect(ended).toEqual([['a', 'idle']]);
    expect(pools.stats()).toMatchObject({
      keys: 0,
      total: 0,
      totals: { acquired: 1, created: 1, destroyed: 1 },
    });
    expect(clock.timersLeft).toBe(0);
  });

  it('makes room with what has been idle longest, whatever its key', async () => {
    const { pools, clock, ended } = keyed();
    await pools.use('cold', () => clock.advance(10));
    await pools.use('warm', () => clock.advance(10));
    const lease = await pools.acquire('new');
    expect(lease.resource.key).toBe('new');
    expect(ended).toEqual([['cold', 'evicted']]);
    lease.release();
  });

  it('has at most max, and the total holds for all together', async () => {
    const { pools, made } = keyed({ max: 1, maxTotal: 2 });
    const [a] = [await pools.acquire('a'), await pools.acquire('b')];
    const waiters = [follow(pools.acquire('a')), follow(pools.acquire('c'))];
    await turn();
    expect(waiters.map(({ state }) => state)).toEqual(['pending', 'pending']);
    expect(made).toEqual(['a', 'b']);
    expect(pools.stats()).toMatchObject({ keys: 3, leased: 2, waiting: 2, maxTotal: 2, max: 1 });
    a.release();
    await turn();
    // A key that has nothing comes before one that has.
    expect(waiters.map(({ state }) => state)).toEqual(['pending', 'fulfilled']);
  });

  it('whose creates fail says so, backs off by itself, disturbs no other, and is forgotten', async () => {
    const down = new Error('no such tenant');
    const { pools, clock, made } = keyed({
      unavailableAfter: 1,
      create: ({ key }: KeyedCreateContext<string>) => {
        made.push(key);
        if (key === 'bad') throw down;
        return { key, id: made.length };
      },
    });
    const error = (await failureOf(pools.acquire('bad'))) as Error;
    expect(error).toBeInstanceOf(PoolUnavailableError);
    expect(error.cause).toBe(down);
    expect(await pools.use('good', ({ key }) => key)).toBe('good');
    await clock.advance(60_000);
    expect(made.filter(key => key === 'bad')).toHaveLength(1);
    expect(pools.stats('bad')).toBeUndefined();
    expect(await failureOf(pools.acquire('bad'))).toBeInstanceOf(PoolUnavailableError);
  });

  it('backs off also for borrowers who do not wait', async () => {
    let tries = 0;
    const { pools, clock } = keyed({
      create: () => {
        tries++;
        throw new Error('down');
      },
    });
    for (let i = 0; i < 10; i++) expect(pools.tryAcquire('a')).toBeUndefined();
    expect(tries).toBe(1);
    await clock.advance(200);
    pools.tryAcquire('a');
    expect(tries).toBe(2);
    await clock.advance(1_000);
    expect(pools.stats('a')).toBeUndefined();
  });

  it('leaves nothing behind when its acquire comes to nothing', async () => {
    const { pools, clock } = keyed({ maxTotal: 1 });
    const lease = await pools.acquire('a');
    expect(await failureOf(pools.acquire('b', { timeout: 0 }))).toBeInstanceOf(PoolTimeoutError);
    expect(await failureOf(pools.acquire('c', { timeout: -1 }))).toMatchObject({ code: 'POOL_OPTIONS' });
    expect(pools.tryAcquire('d')).toBeUndefined();
    const abort = new AbortController();
    const aborted = follow(pools.acquire('e', { signal: abort.signal }));
    const late = follow(pools.acquire('f', { timeout: 100 }));
    abort.abort();
    await clock.advance(110);
    expect([aborted.state, late.state]).toEqual(['rejected', 'rejected']);
    expect((late.error as Error).message).toContain('raise maxTotal');
    expect(pools.stats()).toMatchObject({ keys: 1, waiting: 0 });
    lease.release();
  });
});

describe('all keys together', () => {
  it('have one timer, and hold the process exactly while somebody waits', async () => {
    const { pools, clock } = keyed({ maxTotal: 20, max: 1 });
    const leases = await Promise.all(Array.from({ length: 20 }, (_, i) => pools.acquire(`k${i}`)));
    expect(clock.timersLeft).toBe(1);
    expect(clock.holdsProcess).toBe(false);
    const waiter = follow(pools.acquire('k3'));
    expect(clock.timersLeft).toBe(1);
    expect(clock.holdsProcess).toBe(true);
    for (const lease of leases) lease.release();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    expect(clock.holdsProcess).toBe(false);
    waiter.value?.release();
    await pools.close();
    expect(clock.timersLeft).toBe(0);
  });

  it('are suspended and resumed, those that appear meanwhile as well; nobody loses time', async () => {
    const { pools, clock, made } = keyed();
    const lease = await pools.acquire('a');
    pools.suspend();
    const waiters = [
      follow(pools.acquire('a', { timeout: 100 })),
      follow(pools.acquire('b', { timeout: 100 })),
    ];
    await clock.advance(5_000);
    expect(pools.stats()).toMatchObject({ state: 'suspended', waiting: 2 });
    expect(made).toEqual(['a']);
    pools.resume();
    lease.release();
    await turn();
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    for (const { value } of waiters) value?.release();
  });

  it('are recycled together, or one of them alone', async () => {
    const { pools, ended } = keyed();
    for (const key of ['a', 'b']) await pools.use(key, () => undefined);
    pools.recycle({ key: 'b' });
    expect(ended).toEqual([['b', 'recycled']]);
    pools.recycle();
    expect(ended).toEqual([
      ['b', 'recycled'],
      ['a', 'recycled'],
    ]);
  });

  it('are closed together: waiters refused, leases awaited until the deadline', async () => {
    const { pools, clock, ended } = keyed();
    const [given, kept] = [await pools.acquire('a'), await pools.acquire('b')];
    const waiter = follow(pools.acquire('c'));
    const closed = follow(pools.close({ timeout: 1_000 }));
    await turn();
    expect(waiter.error).toBeInstanceOf(PoolClosedError);
    expect(await failureOf(pools.acquire('a'))).toBeInstanceOf(PoolClosedError);
    expect(pools.stats().state).toBe('draining');
    given.release();
    await clock.advance(1_020);
    expect(kept.released).toBe(true);
    expect(closed.state).toBe('fulfilled');
    expect(pools.stats()).toMatchObject({ state: 'closed', keys: 0, total: 0 });
    expect(ended.map(([key]) => key).sort()).toEqual(['a', 'b']);
  });

  it('serve those who wait when they are closed with drain', async () => {
    const { pools } = keyed({ maxTotal: 1 });
    const lease = await pools.acquire('a');
    const waiter = follow(pools.acquire('b'));
    const closed = follow(pools.close({ drain: true }));
    lease.release();
    await turn();
    expect(waiter.value?.resource.key).toBe('b');
    waiter.value?.release();
    await turn();
    expect(closed.state).toBe('fulfilled');
  });

  it('tell a deadlock over the total, and none while a holder can go on', async () => {
    const { pools } = keyed({ maxTotal: 2 });
    const [a, b] = [{ toString: () => 'A' }, { toString: () => 'B' }];
    const [, heldByB] = [await pools.acquire('x', { owner: a }), await pools.acquire('y', { owner: b })];
    const wanted = follow(pools.acquire('y', { owner: a }));
    await turn();
    expect(wanted.state).toBe('pending');
    expect(await failureOf(pools.acquire('x', { owner: b }))).toBeInstanceOf(PoolDeadlockError);
    expect(pools.stats().totals.deadlocked).toBe(1);
    heldByB.release();
    await turn();
    expect(wanted.state).toBe('fulfilled');
  });

  it('are of any kind, told apart as in a Map; the factory keeps its this', async () => {
    class Factory {
      #made = 0;
      create({ key }: KeyedCreateContext<object>): { key: object; id: number } {
        return { key, id: ++this.#made };
      }
      validate(): boolean {
        return this.#made > 0;
      }
    }
    const pools = new KeyedPool({ factory: new Factory(), maxTotal: 3, validateAfterIdle: 0 });
    const [one, other] = [{}, {}];
    expect(await pools.use(one, ({ id }) => id)).toBe(1);
    expect(await pools.use(other, ({ id }) => id)).toBe(2);
    expect(await pools.use(one, ({ id }) => id)).toBe(1);
    const nameless = Object.create(null) as object;
    expect(await pools.use(nameless, ({ id }) => id)).toBe(3);
    expect(pools.stats(nameless)?.name).toBe('pool[object]');
    await pools.close();
  });

  it.each([
    [{ maxTotal: 0 }, 'option "maxTotal" is 0; it must be a whole number ≥ 1'],
    [{ min: 1 }, 'option "min" is 1; it must be left out: a key goes when it is idle'],
    [{ maxtotal: 3 }, 'unknown option "maxtotal"'],
    [{ create: undefined }, 'option "create" is undefined'],
  ])('are refused with wrong options: %j', (options, message) => {
    expect(() => keyed(options as object)).toThrow(message);
  });

  it('lose no time while they are suspended, although a key goes meanwhile', async () => {
    const { pools, clock } = keyed();
    const [kept, gone] = [await pools.acquire('kept'), await pools.acquire('gone')];
    pools.suspend();
    const waiter = follow(pools.acquire('kept', { timeout: 100 }));
    gone.destroy();
    await clock.advance(5_000);
    expect(pools.stats('gone')).toBeUndefined();
    expect(waiter.state).toBe('pending');
    pools.resume();
    kept.release();
    await turn();
    expect(waiter.state).toBe('fulfilled');
    waiter.value?.release();
  });
});
