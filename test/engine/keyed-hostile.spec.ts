import { describe, expect, it } from '@jest/globals';
import { KeyedPool, type KeyedCreateContext, type StateEvent } from '../../src/engine/index.js';
import { KeyedMemory } from '../../src/engine/keyed/keyed-memory.js';
import { follow, type Followed } from '../support/follow.js';
import { ManualClock, turn } from '../support/manual-clock.js';

// Keys come from requests: anybody can make them up.

interface Link {
  readonly key: string;
}

/** Keys that begin with "bad" fail after some time, those that begin with "hung" never end; all others are good. */
function hostile(
  settings: Partial<ConstructorParameters<typeof KeyedPool<string, Link>>[0]> = {},
  failsAfter = 50,
): { pools: KeyedPool<string, Link>; clock: ManualClock; creates: string[] } {
  const clock = new ManualClock();
  const creates: string[] = [];
  const pools = new KeyedPool<string, Link>({
    name: 'tenants',
    maxTotal: 8,
    max: 8,
    clock,
    acquireTimeout: 2_000,
    create: async ({ key }: KeyedCreateContext<string>) => {
      creates.push(key);
      if (key.startsWith('hung')) await new Promise(() => undefined);
      await clock.wait(key.startsWith('bad') ? failsAfter : 10);
      if (key.startsWith('bad')) throw new Error('no such database');
      return { key };
    },
    ...(settings as object),
  });
  return { pools, clock, creates };
}

const codeOf = ({ error }: Followed<unknown>): unknown => (error as { code?: string } | undefined)?.code;

describe('keys that are made up', () => {
  it.each(['bad', 'hung'])('do not keep one that serves from its resources (%s)', async kind => {
    const { pools, clock } = hostile({ maxWaiting: 50 });
    const first = follow(pools.acquire('acme'));
    await clock.advance(20);
    first.value!.release();
    let served = 0;
    let refused = 0;
    let made = 0;
    for (let ms = 0; ms < 5_000; ms += 10) {
      for (let i = 0; i < 4; i++) pools.acquire(`${kind}-${made++}`).catch(() => refused++);
      const lease = follow(pools.acquire('acme', { timeout: 100 }));
      await clock.advance(10);
      if (lease.value) served++;
      lease.value?.release();
    }
    expect(served).toBe(500);
    expect(refused).toBeGreaterThan(1_000);
    await pools.close({ timeout: 0 });
  });

  it('leave room for a new one that is real: each that hangs loses its turn', async () => {
    const { pools, clock } = hostile({ maxTotal: 4, acquireTimeout: 20_000 });
    for (const key of ['a', 'b']) {
      const lease = follow(pools.acquire(key));
      await clock.advance(20);
      lease.value!.release();
    }
    for (let i = 0; i < 3; i++) void follow(pools.acquire(`hung-${i}`));
    const real = follow(pools.acquire('real'));
    await clock.advance(900);
    expect(real.state).toBe('pending');
    await clock.advance(3_000);
    expect(real.state).toBe('fulfilled');
    await pools.close({ timeout: 0 });
  });

  it('cannot all wait: maxWaiting is for all of them together', async () => {
    const { pools, clock } = hostile({ maxTotal: 2, max: 2, maxWaiting: 5 });
    const held = [follow(pools.acquire('acme')), follow(pools.acquire('acme'))];
    await clock.advance(60);
    const made = Array.from({ length: 100 }, (_, i) => follow(pools.acquire(`key-${i}`)));
    await turn();
    expect(made.filter(({ state }) => state === 'pending')).toHaveLength(5);
    expect(new Set(made.slice(5).map(codeOf))).toEqual(new Set(['POOL_QUEUE_FULL']));
    expect(pools.stats()).toMatchObject({ keys: 6, waiting: 5 });
    for (const { value } of held) value!.release();
    await pools.close({ timeout: 0 });
  });

  it('take no place in the queue from a key that has come to something', async () => {
    const { pools, clock } = hostile({ maxTotal: 2, max: 2, maxWaiting: 2 });
    const held = [follow(pools.acquire('acme')), follow(pools.acquire('acme'))];
    await clock.advance(60);
    const made = Array.from({ length: 10 }, (_, i) => follow(pools.acquire(`key-${i}`)));
    const real = Array.from({ length: 3 }, () => follow(pools.acquire('acme')));
    await turn();
    expect(made.filter(({ state }) => state === 'pending')).toHaveLength(2);
    expect(real.map(codeOf)).toEqual([undefined, undefined, 'POOL_QUEUE_FULL']);
    for (const { value } of held) value!.release();
    await pools.close({ timeout: 0 });
  });

  it('are on probation no longer when their creates have come to something, also for nobody', async () => {
    const { pools, clock } = hostile();
    for (const key of ['a', 'b', 'c']) {
      expect(pools.tryAcquire(key)).toBeUndefined();
      await clock.advance(20);
    }
    const real = follow(pools.acquire('real'));
    await clock.advance(20);
    expect(real.state).toBe('fulfilled');
    real.value!.release();
    await pools.close();
  });

  it('count among those that wait no longer than they do', async () => {
    const { pools, clock } = hostile({ maxTotal: 6, max: 6, maxWaiting: 1 });
    const keys = ['a', 'b', 'c', 'd'].map(key => follow(pools.acquire(key)));
    await clock.advance(60);
    for (const { value } of keys) value!.release();
    const held = Array.from({ length: 6 }, () => follow(pools.acquire('a')));
    await clock.advance(60);
    const waiting = Array.from({ length: 3 }, () => follow(pools.acquire('a')));
    await turn();
    expect(waiting.map(codeOf)).toEqual([undefined, 'POOL_QUEUE_FULL', 'POOL_QUEUE_FULL']);
    for (const { value } of held) value!.release();
    await pools.close({ timeout: 0 });
  });

  it('evict nothing for one who has left', async () => {
    const { pools, clock } = hostile({ maxTotal: 3, max: 3 });
    const held = ['a', 'a', 'b'].map(key => follow(pools.acquire(key)));
    await clock.advance(60);
    const left = new AbortController();
    follow(pools.acquire('b', { signal: left.signal }));
    await turn();
    left.abort();
    await turn();
    for (const { value } of held.slice(0, 2)) value!.release();
    follow(pools.acquire('c'));
    await clock.advance(20);
    expect(pools.stats('a')).toMatchObject({ idle: 1 });
    await pools.close({ timeout: 0 });
  });

  it('do not stand before one that has come to something, also when it had gone meanwhile', async () => {
    const { pools, clock } = hostile({ maxTotal: 4, max: 4 });
    const first = follow(pools.acquire('acme'));
    await clock.advance(20);
    first.value!.release();
    await pools.destroyIdle();
    expect(pools.stats().keys).toBe(0);
    follow(pools.acquire('hung'));
    const again = follow(pools.acquire('acme'));
    await clock.advance(20);
    expect(again.state).toBe('fulfilled');
    await pools.close({ timeout: 0 });
  });

  it('are no more than maxKeys, 1,000 if nothing else is said', async () => {
    const { pools, clock } = hostile({ maxTotal: 1, max: 1 });
    const held = follow(pools.acquire('acme'));
    await clock.advance(20);
    const made = Array.from({ length: 1_100 }, (_, i) => follow(pools.acquire(`key-${i}`)));
    await turn();
    expect(pools.stats().keys).toBe(1_000);
    expect(made.at(-1)!.error).toMatchObject({
      code: 'POOL_QUEUE_FULL',
      message: expect.stringContaining('1000 keys hold or want something already (maxKeys)'),
    });
    held.value!.release();
    await pools.close({ timeout: 0 });
    expect(() => hostile({ maxKeys: 0 })).toThrow('option "maxKeys" is 0; it must be a whole number ≥ 1');
  });
});

describe('a key whose creates fail', () => {
  it('costs one attempt each time that its back-off is over, however long nobody had asked', async () => {
    const { pools, clock, creates } = hostile({ createBackoff: { initial: 100, max: 1_000 } });
    const ask = async (): Promise<unknown> => {
      const asked = follow(pools.acquire('bad tenant'));
      await clock.advance(2_000);
      return codeOf(asked);
    };
    expect(await ask()).toBe('POOL_UNAVAILABLE');
    expect(creates).toHaveLength(3);
    for (let i = 1; i <= 5; i++) {
      expect(await ask()).toBe('POOL_UNAVAILABLE');
      expect(creates).toHaveLength(3 + i);
      expect(pools.stats().keys).toBe(0);
    }
    await pools.close();
  });

  it('is refused at once during its back-off, without a pool being kept for it', async () => {
    const { pools, clock, creates } = hostile({
      // A random part of it, which is hardly ever less than what the test takes.
      createBackoff: { initial: 1e6, max: 1e6 },
      unavailableAfter: 1,
    });
    const first = follow(pools.acquire('bad tenant'));
    await clock.advance(60);
    expect(codeOf(first)).toBe('POOL_UNAVAILABLE');
    expect(pools.stats().keys).toBe(0);
    const again = follow(pools.acquire('bad tenant'));
    await turn();
    expect(codeOf(again)).toBe('POOL_UNAVAILABLE');
    expect(creates).toHaveLength(1);
    await pools.close();
  });

  it('is as good as any other once one has succeeded', async () => {
    let down = true;
    const clock = new ManualClock();
    const pools = new KeyedPool({
      maxTotal: 2,
      clock,
      unavailableAfter: 1,
      create: () => {
        if (down) throw new Error('down');
        return {};
      },
    });
    expect(codeOf(follow(pools.acquire('a')))).toBeUndefined();
    await clock.advance(1_000);
    down = false;
    (await pools.acquire('a')).destroy();
    await turn();
    expect(pools.stats().keys).toBe(0);
    down = true;
    const late = follow(pools.acquire('a'));
    await turn();
    expect((late.error as Error).message).toContain('1 attempt(s) in a row');
    await pools.close();
  });
});

describe('what is remembered of keys that have gone', () => {
  const failures = { attempts: 1, error: new Error('down'), hopeless: false, since: 0, retryAt: 0 };

  it('is bounded: the keys that were seen last', () => {
    const memory = new KeyedMemory<string>();
    for (let i = 0; i <= 1_000; i++) memory.keep(`key-${i}`, failures, true);
    expect([memory.failuresOf('key-0'), memory.isProven('key-0')]).toEqual([undefined, false]);
    expect([memory.failuresOf('key-1'), memory.isProven('key-1')]).toEqual([failures, true]);
  });

  it('keeps no object in memory', () => {
    const memory = new KeyedMemory<object>();
    const key = {};
    memory.keep(key, failures, true);
    expect([memory.failuresOf(key), memory.isProven(key)]).toEqual([undefined, false]);
  });
});

describe('what a key is called', () => {
  it.each([
    ['acme\n[Nest] ERROR forged', 'tenants[acme\\u{a}[Nest] ERROR forged]'],
    ['\u2028\u202etxt\u0000\u001b[31m', 'tenants[\\u{2028}\\u{202e}txt\\u{0}\\u{1b}[31m]'],
    ['eyJhbGciOiJIUzI1NiJ9.' + 'x'.repeat(100), 'tenants[eyJhbGciOiJIUzI1…]'],
    ['tenant-7', 'tenants[tenant-7]'],
    ['Zürich 東京', 'tenants[Zürich 東京]'],
  ])('%j cannot forge a line of a log, and a long one is cut', async (key, name) => {
    const { pools, clock } = hostile();
    const lease = follow(pools.acquire(key));
    await clock.advance(20);
    expect(pools.stats(key)!.name).toBe(name);
    lease.value!.release();
    await pools.close();
  });
});

describe('a key that goes', () => {
  it('does so without a word', async () => {
    const states: StateEvent[] = [];
    const { pools, clock } = hostile({
      idleTimeout: 1_000,
      listeners: [{ onStateChange: event => void states.push(event) }],
    });
    const lease = follow(pools.acquire('acme'));
    await clock.advance(20);
    lease.value!.release();
    await clock.advance(3_000);
    expect(pools.stats().keys).toBe(0);
    expect(states).toEqual([]);
    await pools.close();
  });

  it('because it cannot be made says so once per attempt, not to each who asks for it', async () => {
    const states: StateEvent[] = [];
    const { pools, clock, creates } = hostile(
      {
        unavailableAfter: 1,
        createBackoff: { initial: 1_000, max: 1_000 },
        listeners: [{ onStateChange: event => void states.push(event) }],
      },
      1,
    );
    for (let i = 0; i < 30; i++) {
      const borrower = follow(pools.acquire('bad'));
      await clock.advance(10);
      expect(codeOf(borrower)).toBe('POOL_UNAVAILABLE');
      expect(String(borrower.error)).toContain('tries again when it is asked, in ');
    }
    expect(states.length).toBeGreaterThan(0);
    expect(states).toHaveLength(creates.length);
    expect(creates.length).toBeLessThan(10);
    await pools.close();
  });
});
