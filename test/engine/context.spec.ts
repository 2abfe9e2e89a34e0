import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { Pool, type Clock, type Lease, type PoolListener } from '../../src/engine/index.js';
import { ManualClock, turn } from '../support/manual-clock.js';

const requests = new AsyncLocalStorage<string>();

interface Observed {
  readonly pool: Pool<object>;
  readonly clock: ManualClock;
  /** What each kind of call saw: the store, or `none`. */
  readonly seen: Map<string, Set<string>>;
}

/** A pool that notes the async context of every call it makes. Not a scripted one, so that nothing is in between. */
function observedPool(): Observed {
  const clock = new ManualClock();
  const seen = new Map<string, Set<string>>();
  const note = (what: string): void => {
    seen.set(what, (seen.get(what) ?? new Set()).add(requests.getStore() ?? 'none'));
  };
  const noting: Clock = {
    now: () => clock.now(),
    setTimer: (callback, ms) => {
      note('setTimer');
      return clock.setTimer(() => {
        note('timer');
        callback();
      }, ms);
    },
  };
  const listener = Object.fromEntries(
    [
      'onAcquire',
      'onRelease',
      'onCreate',
      'onCreateFailed',
      'onDestroy',
      'onAbandon',
      'onTimeout',
      'onLeak',
    ].map(event => [event, () => note(event)]),
  ) as PoolListener;
  let creates = 0;
  let destroys = 0;
  const pool = new Pool<object>({
    clock: noting,
    listeners: [listener],
    max: 2,
    leakThreshold: 100,
    validateAfterIdle: 0,
    maxUses: 3,
    destroyTimeout: 100,
    create: async () => {
      note('create');
      await turn();
      note('create, later');
      if (++creates === 1) throw new Error('down');
      return {};
    },
    validate: async () => {
      note('validate');
      await turn();
      note('validate, later');
    },
    reset: async () => {
      note('reset');
      await turn();
      note('reset, later');
    },
    destroy: async () => {
      note('destroy');
      if (++destroys === 2) await new Promise(() => undefined);
      note('destroy, later');
    },
  });
  return { pool, clock, seen };
}

/** One request that makes the pool do everything it can; tells which context the borrower itself had. */
async function request({ pool, clock }: Observed): Promise<(string | undefined)[]> {
  const own: (string | undefined)[] = [];
  const borrow = async (timeout = 10_000): Promise<Lease<object> | undefined> => {
    try {
      return await pool.acquire({ timeout });
    } catch {
      return undefined;
    } finally {
      own.push(requests.getStore());
    }
  };
  const first = borrow();
  const second = borrow();
  for (let i = 0; i < 40; i++) await clock.advance(10);
  const late = borrow(50);
  for (let i = 0; i < 20; i++) await clock.advance(10);
  await late;
  (await first)?.release();
  await clock.advance(10);
  (await borrow())?.release();
  (await second)?.destroy();
  await clock.advance(10);
  const closed = pool.close({ timeout: 0 });
  for (let i = 0; i < 40; i++) await clock.advance(10);
  await closed;
  return own;
}

const CALLS = [
  'create',
  'create, later',
  'destroy',
  'destroy, later',
  'onAbandon',
  'onAcquire',
  'onCreate',
  'onCreateFailed',
  'onDestroy',
  'onLeak',
  'onRelease',
  'onTimeout',
  'reset',
  'reset, later',
  'setTimer',
  'timer',
  'validate',
  'validate, later',
];

describe('neutral context', () => {
  it('create, validate, reset, destroy, timers and listeners do not see the store of the requester', async () => {
    const observed = observedPool();
    await requests.run('request 1', () => request(observed));
    expect([...observed.seen.keys()].sort()).toEqual(CALLS);
    for (const [call, stores] of observed.seen) expect([call, ...stores]).toEqual([call, 'none']);
  });

  it('holds in a pool that was itself built inside a request', async () => {
    await requests.run('request 1', async () => {
      const observed = observedPool();
      await request(observed);
      expect([...observed.seen.keys()].sort()).toEqual(CALLS);
      for (const [call, stores] of observed.seen) expect([call, ...stores]).toEqual([call, 'none']);
    });
  });

  it('is not for borrowers: each keeps its own, whether it queued or not, was served or refused', async () => {
    const observed = observedPool();
    const own = await requests.run('request 1', () => request(observed));
    expect(own).toHaveLength(4);
    expect(new Set(own)).toEqual(new Set(['request 1']));
  });

  it('is not for borrowers: those of two requests do not mix when one serves the other', async () => {
    const pool = new Pool({ create: () => ({}), max: 1 });
    const lease = await requests.run('one', () => pool.acquire());
    const seen = requests.run('two', () => pool.use(() => requests.getStore()));
    requests.run('one', () => {
      lease.release();
    });
    expect(await seen).toBe('two');
    await pool.close();
  });

  it('is kept by an invalidate that comes from a request', async () => {
    let seen: string | undefined = 'not called';
    let invalidate: (() => void) | undefined;
    const pool = new Pool({
      create: context => {
        invalidate = context.invalidate;
        return {};
      },
      destroy: () => {
        seen = requests.getStore();
      },
    });
    (await pool.acquire()).release();
    requests.run('request 1', () => invalidate?.());
    expect(seen).toBeUndefined();
    await pool.close();
  });
});
