import { describe, expect, it } from '@jest/globals';
import { Pool, type Lease, type PoolListener } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool, type ScriptedPool } from '../support/invariants.js';
import { ManualClock, turn } from '../support/manual-clock.js';
import { ok, rejects, ScriptedFactory, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const EVENTS = [
  'onAcquire',
  'onRelease',
  'onCreate',
  'onCreateFailed',
  'onDestroy',
  'onAbandon',
  'onTimeout',
  'onLeak',
  'onStateChange',
] as const;

/** A listener that does the same at every event. */
function atEvery(act: (event: string) => unknown): PoolListener {
  return Object.fromEntries(EVENTS.map(event => [event, () => act(event)]));
}

const SETTINGS = { max: 2, leakThreshold: 500, destroyTimeout: 300 };

/** Every kind of event, at least once. */
async function everything(listeners: PoolListener[]): Promise<Pool<Thing>> {
  const scripted = scriptedPool({ ...SETTINGS, listeners, reset: ok });
  await liveThrough(scripted);
  return scripted.pool;
}

/** For a pool with these {@link SETTINGS}. */
async function liveThrough({
  pool,
  factory,
  clock,
}: Pick<ScriptedPool<Thing>, 'pool' | 'factory' | 'clock'>): Promise<void> {
  factory.creates.next(rejects(new Error('down')));
  const first = follow(pool.acquire());
  await clock.advance(200);
  follow(pool.acquire());
  const late = follow(pool.acquire({ timeout: 100 }));
  await clock.advance(1_000);
  factory.destroys.next(() => new Promise(() => undefined));
  first.value!.destroy();
  await clock.advance(400);
  expect(late.state).toBe('rejected');
  void pool.close({ timeout: 0 });
  await clock.advance(400);
}

describe('listeners', () => {
  it('are told what happens in a borrow, in order, with the moment on the clock', async () => {
    const { pool, clock, events } = scriptedPool({ name: 'orders' });
    const begin = clock.now();
    const lease = await pool.acquire();
    await clock.advance(100);
    lease.release();
    (await pool.acquire()).destroy();
    expect(events.map(({ event, slot, at }) => [event, slot, at])).toEqual([
      ['onCreate', 1, begin],
      ['onAcquire', 1, begin],
      ['onRelease', 1, begin + 100],
      ['onAcquire', 1, begin + 100],
      ['onRelease', 1, begin + 100],
    ]);
    await turn();
    expect(events.at(-1)).toMatchObject({ event: 'onDestroy', slot: 1, reason: 'caller', pool: 'orders' });
  });

  it('are told of every kind of event', async () => {
    const seen = new Set<string>();
    await everything([atEvery(event => seen.add(event))]);
    expect([...seen].sort()).toEqual([...EVENTS].sort());
  });

  it('that throw or reject harm nobody', async () => {
    const error = new Error('listener');
    const seen: string[] = [];
    const pool = await everything([
      atEvery(() => {
        throw error;
      }),
      atEvery(() => Promise.reject(error)),
      atEvery(event => seen.push(event)),
    ]);
    expect(pool.stats().state).toBe('closed');
    expect(new Set(seen).size).toBe(EVENTS.length);
  });

  it('are not needed: without any, everything happens all the same', async () => {
    const clock = new ManualClock();
    const factory = new ScriptedFactory(clock, { reset: ok });
    const pool = new Pool({ ...SETTINGS, factory: factory.members, clock });
    await liveThrough({ pool, factory, clock });
    expect(pool.stats()).toMatchObject({
      state: 'closed',
      total: 0,
      abandoned: 1,
      totals: { createFailed: 1, timedOut: 1, destroyedBy: { closed: 1 } },
    });
  });

  it('keep their this', async () => {
    class Counter implements PoolListener {
      count = 0;
      onCreate(): void {
        this.count++;
      }
    }
    const counter = new Counter();
    const { pool } = scriptedPool({ listeners: [counter] });
    await pool.acquire();
    expect(counter.count).toBe(1);
  });

  it('hear how long a create took', async () => {
    const { pool, factory, clock, events } = scriptedPool();
    factory.creates.next(
      call => new Promise(resolve => void clock.advance(70).then(() => resolve(call.plain()))),
    );
    await pool.acquire();
    expect(events.find(one => one.event === 'onCreate')).toMatchObject({ tookMs: 70 });
  });
});

describe('user code that comes back into the pool', () => {
  it.each(EVENTS)('from %s may borrow, release and try', async event => {
    let reentered = 0;
    const pools: Pool<Thing>[] = [];
    const listener: PoolListener = {
      [event]: () => {
        if (++reentered > 20) return;
        const [pool] = pools;
        if (!pool || pool.stats().state === 'draining' || pool.stats().state === 'closed') return;
        pool.tryAcquire()?.release();
        void pool.acquire({ timeout: 50 }).then(
          lease => lease.release(),
          () => undefined,
        );
      },
    };
    const { pool, factory, clock } = scriptedPool({
      max: 2,
      listeners: [listener],
      leakThreshold: 500,
      destroyTimeout: 300,
    });
    pools.push(pool);
    factory.creates.next(rejects(new Error('down')));
    const first = follow(pool.acquire());
    await clock.advance(200);
    follow(pool.acquire({ timeout: 100 }));
    follow(pool.acquire({ timeout: 100 }));
    await clock.advance(1_000);
    first.value?.destroy();
    await clock.advance(1_000);
    expect(pool.stats().waiting).toBe(0);
  });

  it.each(EVENTS)('from %s may close it', async event => {
    const pools: Pool<Thing>[] = [];
    const listener: PoolListener = {
      [event]: () => {
        for (const pool of pools) void pool.close({ timeout: 0 });
      },
    };
    const { pool, factory, clock } = scriptedPool({
      max: 2,
      listeners: [listener],
      leakThreshold: 500,
      destroyTimeout: 300,
      acquireTimeout: 2_000,
    });
    pools.push(pool);
    factory.creates.next(rejects(new Error('down')));
    const borrowers = [1, 2, 3].map(() => follow(pool.acquire()));
    await clock.advance(3_000);
    factory.destroys.next(() => new Promise(() => undefined));
    for (const borrower of borrowers) borrower.value?.destroy();
    await clock.advance(1_000);
    void pool.close();
    await clock.advance(1_000);
    expect(pool.stats()).toMatchObject({ state: 'closed', total: 0 });
    expect(borrowers.every(one => one.state !== 'pending')).toBe(true);
  });

  it('from create, validate, reset and destroy leaves the counts right', async () => {
    const pools: Pool<Thing>[] = [];
    let meddled = 0;
    const meddle = (): void => {
      if (++meddled > 50) return;
      for (const pool of pools) {
        pool.tryAcquire()?.release();
        void pool.acquire({ timeout: 100 }).then(
          lease => lease.release(),
          () => undefined,
        );
      }
    };
    const { pool, clock } = scriptedPool({
      max: 2,
      validateAfterIdle: 0,
      create: call => {
        meddle();
        return call.plain();
      },
      validate: meddle,
      reset: meddle,
      destroy: meddle,
    });
    pools.push(pool);
    const leases: Lease<Thing>[] = [];
    for (let i = 0; i < 5; i++) {
      const borrower = follow(pool.acquire());
      await clock.advance(200);
      if (borrower.value) leases.push(borrower.value);
      if (i % 2) leases.shift()?.destroy();
      else leases.shift()?.release();
      await clock.advance(200);
    }
    expect(pool.stats()).toMatchObject({ waiting: 0, leased: 0 });
  });
});
