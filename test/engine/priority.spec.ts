import { describe, expect, it } from '@jest/globals';
import {
  PoolClosedError,
  PoolQueueFullError,
  PoolTimeoutError,
  type Priority,
} from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { slow } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const EACH: readonly Priority[] = ['low', 'normal', 'high'];

describe('a waiter', () => {
  it('is of normal priority unless it says otherwise', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const waiters = [
      follow(pool.acquire({ priority: 'low' })),
      follow(pool.acquire({ priority: 'normal' })),
      follow(pool.acquire()),
      follow(pool.acquire({ priority: 'normal' })),
    ];
    const order: number[] = [];
    lease.release();
    while (order.length < waiters.length) {
      await turn();
      const now = waiters.findIndex((one, i) => one.state === 'fulfilled' && !order.includes(i));
      order.push(now);
      waiters[now]?.value?.release();
    }
    expect(order).toEqual([1, 2, 3, 0]);
  });

  it.each(EACH)(
    'of priority %s that leaves, late or aborted, is passed over; the others keep theirs',
    async gone => {
      const { pool, clock } = scriptedPool({ max: 1 });
      const lease = await pool.acquire();
      const abort = new AbortController();
      const late = follow(pool.acquire({ priority: gone, timeout: 100 }));
      const aborted = follow(pool.acquire({ priority: gone, signal: abort.signal }));
      const staying = EACH.map(priority => follow(pool.acquire({ priority })));
      abort.abort();
      await clock.advance(110);
      expect(late.error).toBeInstanceOf(PoolTimeoutError);
      expect(aborted.state).toBe('rejected');
      expect(pool.stats()).toMatchObject({ waiting: 3, totals: { timedOut: 1, aborted: 1 } });
      lease.release();
      for (const waiter of [...staying].reverse()) {
        await turn();
        expect(waiter.state).toBe('fulfilled');
        waiter.value?.release();
      }
    },
  );

  it('of high priority has what was created, or is being validated, for one of low', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 1, create: slow, validate: slow });
    const low = follow(pool.acquire({ priority: 'low' }));
    const high = follow(pool.acquire({ priority: 'high' }));
    factory.creates.last.settle();
    await turn();
    expect([low.state, high.state]).toEqual(['pending', 'fulfilled']);
    high.value?.release();
    await turn();
    low.value?.release();
    await clock.advance(1_000);

    const waits = follow(pool.acquire({ priority: 'low' }));
    const passes = follow(pool.acquire({ priority: 'high' }));
    expect(pool.stats()).toMatchObject({ validating: 1, waiting: 2 });
    factory.validates.last.settle(true);
    await turn();
    expect([waits.state, passes.state]).toEqual(['pending', 'fulfilled']);
    passes.value?.release();
  });
});

describe('all who wait, of whatever priority,', () => {
  it('count towards maxWaiting: a high one is refused as well', async () => {
    const { pool } = scriptedPool({ max: 1, maxWaiting: 2 });
    await pool.acquire();
    follow(pool.acquire({ priority: 'low' }));
    follow(pool.acquire({ priority: 'low' }));
    expect(await failureOf(pool.acquire({ priority: 'high' }))).toBeInstanceOf(PoolQueueFullError);
  });

  it.each(EACH)('are looked at for oldestWaitMs, the oldest being %s', async first => {
    const { pool, clock } = scriptedPool({ max: 1 });
    await pool.acquire();
    expect(pool.stats().oldestWaitMs).toBe(0);
    follow(pool.acquire({ priority: first }));
    await clock.advance(300);
    for (const priority of EACH) follow(pool.acquire({ priority }));
    await clock.advance(200);
    expect(pool.stats().oldestWaitMs).toBe(500);
  });

  it('hear of close; those that are drained are served by priority', async () => {
    const refused = scriptedPool({ max: 1 });
    await refused.pool.acquire();
    const refusals = EACH.map(priority => failureOf(refused.pool.acquire({ priority })));
    void refused.pool.close();
    for (const error of await Promise.all(refusals)) expect(error).toBeInstanceOf(PoolClosedError);

    const { pool } = scriptedPool({ max: 1 });
    const lease = await pool.acquire();
    const drained = EACH.map(priority => follow(pool.acquire({ priority })));
    void pool.close({ drain: true });
    lease.release();
    for (const waiter of [...drained].reverse()) {
      await turn();
      expect(waiter.state).toBe('fulfilled');
      waiter.value?.release();
    }
  });
});
