import { describe, expect, it } from '@jest/globals';
import {
  KeyedPool,
  PoolClosedError,
  PoolTimeoutError,
  PoolUnavailableError,
} from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { keyed } from '../support/keyed.js';
import { turn } from '../support/manual-clock.js';

describe('an acquire', () => {
  it('is served although all it finds has come to its end', async () => {
    const { pools, clock, ended } = keyed({ maxLifetime: 1_000, lifetimeJitter: 0 });
    await pools.use('a', () => undefined);
    await clock.advance(200);
    clock.block(2_000);
    const lease = follow(pools.acquire('a'));
    await turn();
    expect(ended).toEqual([['a', 'lifetime']]);
    expect(lease.state).toBe('fulfilled');
  });

  it('that does not wait finds what has been idle for long, when there is no validate', async () => {
    const { pools, clock } = keyed();
    await pools.use('a', () => undefined);
    await clock.advance(5_000);
    expect(pools.tryAcquire('a')?.resource.key).toBe('a');
  });
});

describe('the message of an error', () => {
  it('advises to raise maxTotal only where that would help', async () => {
    const { pools, clock } = keyed({ create: () => new Promise<never>(() => undefined) });
    const late = follow(pools.acquire('a', { timeout: 100 }));
    await clock.advance(110);
    expect((late.error as Error).message).toContain('Creating, validating or resetting takes too long');
  });

  it('says which keyed pool is closed', async () => {
    const { pools } = keyed();
    await pools.close();
    await expect(pools.acquire('a')).rejects.toThrow(
      'Keyed pool "links" is closed: it lends nothing any more. Borrow before close(), or make a new pool.',
    );
  });
});

describe('the rules of the factory', () => {
  it('say which errors are fatal; without them none is', async () => {
    const failing = async (): Promise<never> => Promise.reject(new Error('gone'));
    const strict = keyed({ isFatal: () => true });
    const lax = keyed();
    for (const { pools } of [strict, lax]) await failureOf(pools.use('a', failing));
    expect(strict.ended).toEqual([['a', 'fatal']]);
    expect(lax.ended).toEqual([]);
  });

  it('say which creates are not worth repeating', async () => {
    const { pools } = keyed({
      isRetryable: () => false,
      create: () => {
        throw new Error('wrong password');
      },
    });
    expect(await failureOf(pools.acquire('a'))).toBeInstanceOf(PoolUnavailableError);
  });
});

describe('suspend and resume', () => {
  it('let time go on and new keys be served when they are over', async () => {
    const { pools, clock } = keyed({ maxTotal: 1 });
    pools.suspend();
    pools.resume();
    expect(pools.stats().state).toBe('ready');
    const lease = await pools.acquire('new');
    const waiter = follow(pools.acquire('other', { timeout: 100 }));
    await clock.advance(200);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
    lease.release();
  });

  it.each(['before', 'after'])('do not stop the time of those who are drained, if called %s', async when => {
    const { pools, clock } = keyed({ maxTotal: 1 });
    const lease = await pools.acquire('a');
    const waiter = follow(pools.acquire('b', { timeout: 100 }));
    if (when === 'before') pools.suspend();
    const closed = pools.close({ drain: true });
    if (when === 'after') pools.suspend();
    await clock.advance(200);
    expect(waiter.error).toBeInstanceOf(PoolTimeoutError);
    lease.release();
    await closed;
  });
});

describe('recycle', () => {
  it('takes its time when told to', async () => {
    const { pools, clock, ended } = keyed();
    await pools.use('a', () => undefined);
    pools.recycle({ spread: 1_000 });
    expect(ended).toEqual([]);
    await clock.advance(1_100);
    expect(ended).toEqual([['a', 'recycled']]);
  });

  it('of the key undefined is not that of all keys', async () => {
    const ended: unknown[] = [];
    const pools = new KeyedPool<string | undefined, string>({
      maxTotal: 2,
      create: ({ key }) => String(key),
      destroy: key => void ended.push(key),
    });
    for (const key of ['a', undefined]) await pools.use(key, () => undefined);
    pools.recycle({ key: undefined });
    expect(ended).toEqual(['undefined']);
    await pools.close();
  });

  it('of a key that is not there does nothing', async () => {
    const { pools, ended } = keyed();
    await pools.use('a', () => undefined);
    pools.recycle({ key: 'b' });
    expect(ended).toEqual([]);
  });

  it('and close refuse what is no duration, also while there are no keys', async () => {
    const { pools } = keyed();
    expect(() => {
      pools.recycle({ spread: -1 });
    }).toThrow('"spread" is -1');
    expect(() => pools.close({ timeout: -1 })).toThrow('"timeout" is -1');
    expect(pools.stats().state).toBe('ready');
  });
});

describe('close', () => {
  it('is one, however often it is called, and refuses all that come later', async () => {
    const { pools } = keyed();
    const closed = pools.close();
    expect(pools.close()).toBe(closed);
    await closed;
    expect(pools.stats().state).toBe('closed');
    expect(await failureOf(pools.acquire('a'))).toBeInstanceOf(PoolClosedError);
    expect(pools.stats().totals.refused).toBe(1);
  });

  it('is what disposing does', async () => {
    const { pools } = keyed();
    await pools[Symbol.asyncDispose]();
    expect(pools.stats().state).toBe('closed');
  });
});

describe('the counts of all keys', () => {
  it('have the longest wait of any, and all that keys counted that have gone', async () => {
    const { pools, clock } = keyed({ maxTotal: 1 });
    for (const key of ['a', 'b', 'c']) await pools.use(key, () => undefined);
    await pools.acquire('d');
    void follow(pools.acquire('e'));
    await clock.advance(50);
    void follow(pools.acquire('f'));
    await clock.advance(50);
    expect(pools.stats()).toMatchObject({
      oldestWaitMs: 100,
      totals: { destroyedBy: { evicted: 3 } },
      latency: { create: { count: 4 } },
    });
  });

  it('have what keys have counted that are still there', async () => {
    const { pools } = keyed();
    const [, spare] = [await pools.acquire('a'), await pools.acquire('a')];
    spare.destroy();
    expect(pools.stats()).toMatchObject({ keys: 1, totals: { destroyed: 1, destroyedBy: { caller: 1 } } });
  });
});
