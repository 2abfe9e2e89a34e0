import { describe, expect, it } from '@jest/globals';
import { KeyedPool, type DestroyReason, type KeyedPoolOptions } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { ManualClock, turn } from '../support/manual-clock.js';

/** Pools whose resources are their keys, and what was destroyed, in order. */
function keyed(options: Partial<KeyedPoolOptions<string, string>>): {
  pools: KeyedPool<string, string>;
  clock: ManualClock;
  ended: string[];
} {
  const clock = new ManualClock();
  const ended: string[] = [];
  const pools = new KeyedPool<string, string>({
    maxTotal: 2,
    clock,
    create: ({ key }) => key,
    destroy: (key: string, reason: DestroyReason) => void ended.push(`${key} ${reason}`),
    ...options,
  } as KeyedPoolOptions<string, string>);
  return { pools, clock, ended };
}

describe('what has been idle longest makes room', () => {
  it('whichever was validated last in the background', async () => {
    const validated: string[] = [];
    const validate = async (key: string): Promise<void> => void validated.push(key);
    const { pools, clock, ended } = keyed({ keepAlive: 1_000, validate });
    await pools.use('cold', () => undefined);
    await clock.advance(500);
    await pools.use('warm', () => undefined);
    await clock.advance(600);
    expect(validated).toEqual(['cold']);
    await pools.use('new', () => undefined);
    expect(ended).toEqual(['cold evicted']);
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
    expect(ended).toEqual(['a evicted']);
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
    expect(ended).toEqual(['a evicted']);
    expect(waiter.state).toBe('fulfilled');
  });
});
