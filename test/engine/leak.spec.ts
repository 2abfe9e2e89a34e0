import { describe, expect, it } from '@jest/globals';
import { Pool, type Lease } from '../../src/engine/index.js';
import { checkPoolsAfterEach, scriptedPool, type LoggedEvent } from '../support/invariants.js';
import type { Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const leaks = (events: readonly LoggedEvent[]): LoggedEvent[] => events.filter(one => one.event === 'onLeak');

/** How many errors, and so how many stacks, a piece of work makes. */
function countErrors(work: () => void): number {
  const { Error: original } = globalThis;
  let made = 0;
  globalThis.Error = new Proxy(original, {
    construct(target, given, newTarget): Error {
      made++;
      return Reflect.construct(target, given, newTarget) as Error;
    },
  });
  try {
    work();
    return made;
  } finally {
    globalThis.Error = original;
  }
}

describe('a lease that is held for longer than leakThreshold', () => {
  it('is reported with the stack of its acquire, and again when it does come back', async () => {
    const { pool, clock, events } = scriptedPool({ leakThreshold: 1_000, name: 'orders' });
    async function forgetful(): Promise<Lease<Thing>> {
      return pool.acquire();
    }
    const lease = await forgetful();
    await clock.advance(999);
    expect(leaks(events)).toEqual([]);
    await clock.advance(21);
    expect(leaks(events)).toMatchObject([{ pool: 'orders', slot: 1, returned: false }]);
    expect(leaks(events)[0]!.stack).toContain('forgetful');
    expect(leaks(events)[0]!.heldMs).toBeGreaterThanOrEqual(1_000);
    await clock.advance(4_000);
    expect(leaks(events)).toHaveLength(1);
    lease.release();
    expect(leaks(events)).toHaveLength(2);
    expect(leaks(events)[1]).toMatchObject({ returned: true, slot: 1 });
    expect(leaks(events)[1]!.heldMs).toBeCloseTo(5_020);
  });

  it('is not reported when it comes back in time', async () => {
    const { pool, clock, events } = scriptedPool({ leakThreshold: 1_000 });
    const lease = await pool.acquire();
    await clock.advance(900);
    lease.release();
    await clock.advance(10_000);
    expect(leaks(events)).toEqual([]);
  });

  it('is reported with its own stack when it had to queue', async () => {
    const { pool, clock, events } = scriptedPool({ leakThreshold: 1_000, max: 1 });
    const first = await pool.acquire();
    async function patient(): Promise<Lease<Thing>> {
      return pool.acquire();
    }
    const second = patient();
    await clock.advance(500);
    first.release();
    await second;
    await clock.advance(1_020);
    expect(leaks(events)[0]!.stack).toContain('patient');
  });

  it('is reported when tryAcquire lent it', async () => {
    const { pool, clock, events } = scriptedPool({ leakThreshold: 1_000 });
    (await pool.acquire()).release();
    pool.tryAcquire();
    await clock.advance(1_020);
    expect(leaks(events)).toHaveLength(1);
  });

  it.each([
    ['leakThreshold is set', { leakThreshold: 1_000, onLeak: false, stacks: 0 }],
    ['somebody listens for leaks', { leakThreshold: Infinity, onLeak: true, stacks: 0 }],
    ['both', { leakThreshold: 1_000, onLeak: true, stacks: 1 }],
  ])('costs a borrow the stack of its caller only when asked for: %s', async (_, asked) => {
    const pool = new Pool<Thing>({
      create: () => ({ id: 1 }),
      leakThreshold: asked.leakThreshold,
      listeners: [asked.onLeak ? { onLeak: () => {} } : { onCreate: () => {} }],
    });
    (await pool.acquire()).release();
    const stacks = countErrors(() => pool.tryAcquire()!.release());
    expect(stacks).toBe(asked.stacks);
    await pool.close();
  });

  it('does not hold the process alive', async () => {
    const { pool, clock } = scriptedPool({ leakThreshold: 1_000 });
    await pool.acquire();
    expect(clock.timersLeft).toBe(1);
    expect(clock.holdsProcess).toBe(false);
  });
});

describe('a lease that is not back at the deadline of close()', () => {
  it('is reported once, with the stack of its acquire, before its resource is destroyed', async () => {
    const { pool, clock, events } = scriptedPool({ leakThreshold: 60_000, name: 'orders' });
    async function forgetful(): Promise<Lease<Thing>> {
      return pool.acquire();
    }
    await forgetful();
    await clock.advance(500);
    const closing = pool.close({ timeout: 1_000 });
    await clock.advance(900);
    expect(leaks(events)).toEqual([]);
    await clock.advance(200);
    await closing;
    expect(leaks(events)).toMatchObject([{ pool: 'orders', slot: 1, limit: 'close', returned: false }]);
    expect(leaks(events)[0]!.stack).toContain('forgetful');
    expect(leaks(events)[0]!.heldMs).toBeGreaterThanOrEqual(1_500);
    const order = events.map(({ event }) => event).filter(event => /Leak|Destroy/.test(event));
    expect(order).toEqual(['onLeak', 'onDestroy']);
  });

  it('is reported without a stack where nobody had asked for one', async () => {
    const { pool, events } = scriptedPool();
    await pool.acquire();
    await pool.close({ timeout: 0 });
    expect(leaks(events)).toMatchObject([{ limit: 'close', stack: '', returned: false }]);
  });

  it('may be given back by who is told of it', async () => {
    const given: string[] = [];
    const pool = new Pool({
      name: 'orders',
      create: () => ({}),
      destroy: (_, reason) => given.push(reason),
      listeners: [{ onLeak: () => lease.release() }],
    });
    const lease = await pool.acquire();
    await pool.close({ timeout: 0 });
    expect(given).toEqual(['closed']);
    expect(pool.stats()).toMatchObject({ state: 'closed', total: 0, totals: { released: 1, destroyed: 1 } });
  });

  it('is not reported when it comes back in time', async () => {
    const { pool, events } = scriptedPool({ leakThreshold: 60_000 });
    const lease = await pool.acquire();
    const closing = pool.close({ timeout: 1_000 });
    lease.release();
    await closing;
    expect(leaks(events)).toEqual([]);
  });
});
