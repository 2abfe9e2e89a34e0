import { describe, expect, it } from '@jest/globals';
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
