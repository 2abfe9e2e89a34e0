import { describe, expect, it } from '@jest/globals';
import type { KeyedCreateContext } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { keyed, type Link } from '../support/keyed.js';
import { turn } from '../support/manual-clock.js';

describe('what has been idle longest makes room', () => {
  it('whichever was validated last in the background', async () => {
    const validated: string[] = [];
    const validate = async ({ key }: Link): Promise<void> => void validated.push(key);
    const { pools, clock, ended } = keyed({ keepAlive: 1_000, validate });
    await pools.use('cold', () => undefined);
    await clock.advance(500);
    await pools.use('warm', () => undefined);
    await clock.advance(600);
    expect(validated).toEqual(['cold']);
    await pools.use('new', () => undefined);
    expect(ended).toEqual([['cold', 'evicted']]);
  });

  it('all of one key, also one that was validated between them', async () => {
    const { pools, clock, ended } = keyed({ keepAlive: 1_000, validate: () => undefined });
    const [cold, warm] = [await pools.acquire('a'), await pools.acquire('a')];
    cold.release();
    await clock.advance(500);
    warm.release();
    await clock.advance(600);
    const leases = [await pools.acquire('b'), await pools.acquire('c')];
    expect(leases.map(({ resource }) => resource.key)).toEqual(['b', 'c']);
    expect(ended).toHaveLength(2);
  });

  it('for one whose create has failed only when its back-off has passed', async () => {
    const { pools, clock, made, ended } = keyed({
      maxTotal: 1,
      create: ({ key }: KeyedCreateContext<string>) => {
        if (made.push(key) === 1) throw new Error('down');
        return { key, id: 0 };
      },
    });
    const waiter = follow(pools.acquire('a'));
    await pools.use('b', () => undefined);
    expect(pools.stats()).toMatchObject({ idle: 1, waiting: 1 });
    await clock.advance(200);
    expect(ended).toEqual([['b', 'evicted']]);
    expect(waiter.state).toBe('fulfilled');
  });

  it('and no more than is wanted, while its destroy has not settled', async () => {
    const ends: (() => void)[] = [];
    const { pools } = keyed({ destroy: () => new Promise<void>(end => ends.push(end)) });
    for (const key of ['a', 'b']) await pools.use(key, () => undefined);
    const waiter = follow(pools.acquire('new'));
    await turn();
    expect(pools.stats()).toMatchObject({ idle: 1, closing: 1 });
    ends[0]?.();
    await turn();
    expect(waiter.state).toBe('fulfilled');
  });

  it('as soon as its reset has settled, although nobody of its own key waits', async () => {
    let reset = (): void => undefined;
    const { pools, ended } = keyed({
      maxTotal: 1,
      reset: () => new Promise<void>(resolve => (reset = resolve)),
    });
    (await pools.acquire('a')).release();
    const waiter = follow(pools.acquire('b'));
    await turn();
    expect(waiter.state).toBe('pending');
    reset();
    await turn();
    expect(ended).toEqual([['a', 'evicted']]);
    expect(waiter.state).toBe('fulfilled');
  });

  it('as soon as it was validated in the background, if there is nothing else', async () => {
    let valid = (): void => undefined;
    const { pools, clock, ended } = keyed({
      maxTotal: 1,
      keepAlive: 1_000,
      validate: () => new Promise<void>(resolve => (valid = resolve)),
    });
    await pools.use('a', () => undefined);
    await clock.advance(1_100);
    const waiter = follow(pools.acquire('b'));
    await turn();
    expect(waiter.state).toBe('pending');
    valid();
    await turn();
    expect(ended).toEqual([['a', 'evicted']]);
    expect(waiter.state).toBe('fulfilled');
  });
});
