import { describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  KeyedPool,
  PoolClosedError,
  PoolUnavailableError,
  type KeyedCreateContext,
} from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { keyed, type Link } from '../support/keyed.js';
import { ManualClock, turn } from '../support/manual-clock.js';

describe('the pool of a key that ends', () => {
  it('goes without a replacement when its last one has come to its end while suspended', async () => {
    const { pools, clock, made, ended } = keyed({ maxLifetime: 1_000, lifetimeJitter: 0 });
    await pools.use('a', () => undefined);
    pools.suspend();
    await clock.advance(1_100);
    expect(ended).toEqual([['a', 'lifetime']]);
    expect(made).toEqual(['a']);
    expect(pools.stats()).toMatchObject({ keys: 0, total: 0 });
  });

  it('leaves no timer, although it was looking whether its queue stands', async () => {
    const { pools, clock } = keyed({ max: 1, idleTimeout: 1_000, shed: { interval: 60_000 } });
    const lease = await pools.acquire('a');
    const waiter = follow(pools.acquire('a'));
    lease.release();
    await turn();
    waiter.value?.release();
    await clock.advance(1_100);
    expect(pools.stats().keys).toBe(0);
    expect(clock.timersLeft).toBe(0);
  });

  it('takes its time with it: the next key begins with the right one', async () => {
    const { pools, clock, ended } = keyed({ idleTimeout: 1_000 });
    (await pools.acquire('a')).destroy();
    await turn();
    expect(pools.stats().keys).toBe(0);
    await clock.advance(60_000);
    for (let i = 0; i < 3; i++) {
      await pools.use('b', () => undefined);
      await clock.advance(900);
    }
    expect(ended).toEqual([['a', 'caller']]);
  });

  it('leaves nothing in memory, not even its key', async () => {
    const clock = new ManualClock();
    const pools = new KeyedPool({ maxTotal: 1, clock, idleTimeout: 100, create: () => 'one for any key' });
    const borrow = async (): Promise<WeakRef<object>> => {
      const key = {};
      await pools.use(key, () => undefined);
      return new WeakRef(key);
    };
    const seen = await borrow();
    await clock.advance(1_000);
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    expect(seen.deref()).toBeUndefined();
    expect(pools.stats().totals.destroyed).toBe(1);
  });

  it('does not nest into the next, however many there are', async () => {
    const { pools } = keyed({
      maxTotal: 1,
      create: ({ key }: KeyedCreateContext<string>) => {
        if (key === 'good') return { key, id: 0 };
        throw new Error('down');
      },
      unavailableAfter: 1,
      maxKeys: 3_001,
    });
    const lease = await pools.acquire('good');
    const waiters = Array.from({ length: 3_000 }, (_, i) => follow(pools.acquire(`bad ${i}`)));
    lease.destroy();
    await turn();
    const told = waiters.filter(({ error }) => error instanceof PoolUnavailableError);
    expect(told).toHaveLength(3_000);
  });

  it('is remembered in the totals, also what it gave up and what settles when it has gone', async () => {
    const settle: (() => void)[] = [];
    const { pools, clock } = keyed({
      createTimeout: 100,
      destroyTimeout: 100,
      create: ({ key }) =>
        key === 'slow' ? new Promise(resolve => settle.push(() => resolve({ key, id: 0 }))) : { key, id: 0 },
      destroy: ({ key }: Link) =>
        key === 'slow' ? undefined : new Promise<void>(resolve => settle.push(resolve)),
    });
    const lease = await pools.acquire('a');
    const waiter = follow(pools.acquire('slow', { timeout: 50 }));
    lease.destroy();
    await clock.advance(1_000);
    expect(waiter.state).toBe('rejected');
    expect(pools.stats()).toMatchObject({ keys: 0, abandoned: 2, totals: { created: 1, destroyed: 0 } });
    for (const done of settle) done();
    await turn();
    expect(pools.stats()).toMatchObject({ keys: 0, abandoned: 0, totals: { created: 2, destroyed: 2 } });
  });

  it('is refused to user code that borrows while all are being closed', async () => {
    const late: Promise<unknown>[] = [];
    const { pools, made } = keyed({ destroy: () => void late.push(failureOf(pools.acquire('late'))) });
    await pools.use('a', () => undefined);
    await pools.close();
    expect(made).toEqual(['a']);
    expect(await late[0]).toBeInstanceOf(PoolClosedError);
  });
});
