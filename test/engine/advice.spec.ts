import { describe, expect, it } from '@jest/globals';
import { Pool, type Advice, type AdviceRule, type Verdict } from '../../src/engine/index.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { ManualClock } from '../support/manual-clock.js';
import { gives, ok } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const HOUR = 3_600_000;

function adviceOf<T>(pool: Pool<T>, rule: AdviceRule): Advice | undefined {
  return pool.advice().find(advice => advice.rule === rule);
}

/** A pool whose creates take `ms` of its clock. */
function slowlyMade(ms: number, options: Parameters<typeof scriptedPool>[0] = {}) {
  const clock = new ManualClock();
  const create = async (): Promise<object> => {
    await clock.wait(ms);
    return {};
  };
  return scriptedPool<object>({ ...(options as object), clock, create });
}

async function borrow<T>(pool: Pool<T>, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await pool.use(() => undefined);
}

/** So many come at once, and each holds for `ms`. */
async function crowd<T>(pool: Pool<T>, clock: ManualClock, people: number, ms: number): Promise<void> {
  const all = Promise.all(
    Array.from({ length: people }, () => pool.use(() => clock.wait(ms), { timeout: Infinity })),
  );
  await clock.advance(people * (ms + 1) + 1_000);
  await all;
}

describe('advice', () => {
  it('is none of a new pool', () => {
    expect(scriptedPool({ validate: ok, acquireTimeout: 10 }).pool.advice()).toEqual([]);
  });

  it('has a threshold and a source, and is fit for JSON', async () => {
    const { pool } = scriptedPool({ validate: ok, acquireTimeout: 1_000, maxUses: 1 });
    await borrow(pool, 10);
    const advice = pool.advice();
    expect(advice.map(({ rule }) => rule)).toEqual(['validate-timeout', 'cheap-create']);
    for (const { threshold, source } of advice) expect([threshold, source]).not.toContain('');
    expect(JSON.parse(JSON.stringify(advice))).toEqual(advice);
  });
});

describe('cheap-create', () => {
  /** On the real clock: each borrow makes one. */
  async function make(create: () => unknown, times: number): Promise<Advice | undefined> {
    const pool = new Pool({ create, maxUses: 1 });
    await borrow(pool, times);
    const advice = adviceOf(pool, 'cheap-create');
    await pool.close();
    return advice;
  }

  it('speaks of what is made in microseconds', async () => {
    const advice = await make(() => ({}), 500);
    expect(advice?.numbers).toMatchObject({ creates: 500 });
    expect(advice?.numbers.medianMs).toBeLessThanOrEqual(0.01);
    expect(advice?.text).toMatch(/^Half of 500 creates took at most \d+ µs\./);
  });

  it('is silent when making takes longer', async () => {
    const busy = (): object => {
      const until = performance.now() + 0.05;
      while (performance.now() < until);
      return {};
    };
    expect(await make(busy, 100)).toBeUndefined();
  });

  it('is silent before ten were made', async () => {
    const { pool } = scriptedPool({ maxUses: 1 });
    await borrow(pool, 9);
    expect(adviceOf(pool, 'cheap-create')).toBeUndefined();
    await borrow(pool, 1);
    expect(adviceOf(pool, 'cheap-create')).toBeDefined();
  });
});

describe('oversized', () => {
  async function load({ max, people }: { max: number; people: number }): Promise<Advice | undefined> {
    const { pool, clock } = scriptedPool({ max, growth: 'eager' });
    await crowd(pool, clock, people, 1);
    await borrow(pool, 1_000);
    expect(adviceOf(pool, 'oversized')).toBeUndefined();
    await clock.advance(HOUR);
    return adviceOf(pool, 'oversized');
  }

  it('speaks when never more than half of max were in use at once', async () => {
    const advice = await load({ max: 10, people: 5 });
    expect(advice?.numbers).toMatchObject({ mostLeased: 5, max: 10, borrows: 1_005 });
    expect(advice?.text).toMatch(
      /^Never more than 5 of max 10 were in use at once, in 1,005 borrows and 6\d min\./,
    );
  });

  it('is silent when one more was, be it only once', async () => {
    expect(await load({ max: 10, people: 6 })).toBeUndefined();
  });

  it('is silent before a thousand borrows', async () => {
    const { pool, clock } = scriptedPool();
    await borrow(pool, 999);
    await clock.advance(HOUR);
    expect(adviceOf(pool, 'oversized')).toBeUndefined();
    await borrow(pool, 1);
    expect(adviceOf(pool, 'oversized')?.text).toContain('Never more than 1 of max 10 was in use');
  });
});

describe('waits-at-max', () => {
  it('speaks when waiting for others takes longer than creating', async () => {
    const { pool, clock } = slowlyMade(20, { max: 2 });
    await crowd(pool, clock, 202, 30);
    const advice = adviceOf(pool, 'waits-at-max');
    expect(advice?.numbers).toMatchObject({ waits: 200, longer: 200, max: 2 });
    expect(advice?.text).toMatch(
      /While all of max 2 were taken, 200 borrows waited 1,\d+ ms on average, 200 of them/,
    );
  });

  it('counts those who waited in vain', async () => {
    const { pool, clock } = slowlyMade(20, { max: 1 });
    const first = pool.acquire();
    await clock.advance(20);
    const others = Array.from({ length: 100 }, () => pool.acquire({ timeout: 50 }).catch(() => undefined));
    await clock.advance(60);
    await Promise.all(others);
    expect(adviceOf(pool, 'waits-at-max')?.numbers).toMatchObject({ waits: 100, longer: 100 });
    (await first).release();
  });

  it('is silent when waiting is shorter than creating', async () => {
    const { pool, clock } = slowlyMade(500, { max: 2 });
    await crowd(pool, clock, 2, 1);
    for (let i = 0; i < 60; i++) await crowd(pool, clock, 4, 30);
    expect(pool.stats().totals.waited).toBeGreaterThanOrEqual(100);
    expect(adviceOf(pool, 'waits-at-max')).toBeUndefined();
  });

  it('is silent before a hundred have waited', async () => {
    const { pool, clock } = slowlyMade(20, { max: 1 });
    await crowd(pool, clock, 100, 30);
    expect(adviceOf(pool, 'waits-at-max')).toBeUndefined();
    await crowd(pool, clock, 2, 30);
    expect(adviceOf(pool, 'waits-at-max')).toBeDefined();
  });

  it('is silent when nobody would mind the wait', async () => {
    const { pool, clock } = scriptedPool({ max: 1, growth: 'eager' });
    for (let i = 0; i < 110; i++) await crowd(pool, clock, 2, 0.5);
    expect(pool.stats().latency.wait).toMatchObject({ maxMs: 0.5 });
    expect(adviceOf(pool, 'waits-at-max')).toBeUndefined();
  });

  it('is silent when what they wait for is being made', async () => {
    const { pool, clock } = slowlyMade(20, { max: 200, growth: 'eager' });
    await crowd(pool, clock, 200, 1);
    expect(pool.stats().totals.waited).toBe(200);
    expect(adviceOf(pool, 'waits-at-max')).toBeUndefined();
  });
});

describe('long-holds', () => {
  it('speaks of who holds for much longer than the median, and where', async () => {
    const { pool, clock } = scriptedPool({ leakThreshold: HOUR });
    await crowd(pool, clock, 40, 5);
    class Export {}
    const long = await pool.acquire({ owner: new Export() });
    const short = await pool.acquire();
    await clock.advance(90);
    expect(adviceOf(pool, 'long-holds')).toBeUndefined();
    short.release();
    await clock.advance(20);
    const advice = adviceOf(pool, 'long-holds');
    expect(advice?.holders).toHaveLength(1);
    expect(advice?.holders?.[0]).toMatchObject({ heldMs: 110, owner: 'Export' });
    expect(advice?.holders?.[0]?.stack).toContain('advice.spec');
    expect(advice?.text).toMatch(
      /^Half of the borrowers hold for at most 5\.3 ms, 1 now for up to 110 ms\. While it lasts, holders/,
    );
    long.release();
  });

  it('speaks of those who have held for long and are gone', async () => {
    const { pool, clock } = scriptedPool({ leakThreshold: HOUR });
    await crowd(pool, clock, 90, 5);
    await crowd(pool, clock, 10, 400);
    const advice = adviceOf(pool, 'long-holds');
    expect(advice?.numbers).toMatchObject({ leases: 100, holding: 0 });
    expect(advice?.numbers.p99Ms).toBeGreaterThanOrEqual(400);
    expect(advice?.holders).toBeUndefined();
  });

  it('is silent before 32 leases were measured', async () => {
    const { pool, clock } = scriptedPool();
    await crowd(pool, clock, 31, 5);
    const long = await pool.acquire();
    await clock.advance(500);
    expect(adviceOf(pool, 'long-holds')).toBeUndefined();
    await crowd(pool, clock, 1, 5);
    expect(adviceOf(pool, 'long-holds')).toBeDefined();
    long.release();
  });

  it('is silent when all hold about as long', async () => {
    const { pool, clock } = scriptedPool({ leakThreshold: HOUR });
    await crowd(pool, clock, 40, 400);
    await crowd(pool, clock, 40, 900);
    expect(adviceOf(pool, 'long-holds')).toBeUndefined();
  });
});

describe('invalid', () => {
  it('speaks when each borrow finds the last resource dead', async () => {
    const { pool, factory, clock } = scriptedPool({ validate: gives<Verdict>(false) });
    for (let i = 0; i < 11; i++) {
      await borrow(pool, 1);
      await clock.advance(1_000);
    }
    expect(factory.reasons).toEqual(Array.from({ length: 10 }, () => 'invalid'));
    expect(adviceOf(pool, 'invalid')).toMatchObject({
      numbers: { invalid: 10, borrows: 11 },
      text: expect.stringMatching(/^10 resources were destroyed as invalid, in 11 borrows/),
    });
  });

  it('is silent when they serve more than twice each', async () => {
    const { pool, factory, clock } = scriptedPool({ validate: gives<Verdict>(false) });
    for (let i = 0; i < 11; i++) {
      await borrow(pool, 3);
      await clock.advance(1_000);
    }
    expect(factory.reasons.length).toBeGreaterThanOrEqual(10);
    expect(adviceOf(pool, 'invalid')).toBeUndefined();
  });
});

describe('no-reset', () => {
  class Session {
    rollback(): void {}
  }

  it('speaks of what has a method that cleans', async () => {
    const { pool } = scriptedPool({ create: gives<object>(new Session()) });
    await borrow(pool, 1);
    expect(adviceOf(pool, 'no-reset')).toBeUndefined();
    await borrow(pool, 1);
    expect(adviceOf(pool, 'no-reset')).toMatchObject({
      numbers: { borrows: 2, created: 1 },
      text: expect.stringContaining('although they have rollback()'),
    });
  });

  it('is silent with a reset', async () => {
    const { pool } = scriptedPool({ create: gives<object>(new Session()), reset: ok });
    await borrow(pool, 3);
    expect(adviceOf(pool, 'no-reset')).toBeUndefined();
  });

  it('is silent of what has nothing of the kind, and of what does not let itself be asked', async () => {
    const hostile = new Proxy(
      {},
      {
        get(_target, key) {
          if (key === 'then') return undefined;
          throw new Error('hands off');
        },
      },
    );
    for (const resource of [{}, hostile]) {
      const { pool } = scriptedPool({ create: gives<object>(resource) });
      await borrow(pool, 3);
      expect(adviceOf(pool, 'no-reset')).toBeUndefined();
    }
  });
});

describe('validate-timeout', () => {
  const timeouts = { acquireTimeout: 1_000, validateTimeout: 2_000 };

  it('speaks when validateTimeout is above acquireTimeout', async () => {
    const { pool } = scriptedPool({ ...timeouts, validate: ok });
    await borrow(pool, 1);
    expect(adviceOf(pool, 'validate-timeout')).toMatchObject({
      numbers: { validateMs: 2_000, acquireMs: 1_000 },
      text: expect.stringContaining('for 2,000 ms (validateTimeout)'),
    });
  });

  it.each([
    ['it is not above', { ...timeouts, validateTimeout: 1_000, validate: ok }],
    ['nothing is validated', timeouts],
    ['nothing is ever validated', { ...timeouts, validate: ok, validateAfterIdle: Infinity }],
    ['nobody waits', { ...timeouts, acquireTimeout: 0, validate: ok }],
  ])('is silent when %s', async (_why, options) => {
    const { pool } = scriptedPool(options);
    await pool.start();
    await pool.use(() => undefined, { timeout: 1_000 });
    expect(adviceOf(pool, 'validate-timeout')).toBeUndefined();
  });
});

describe('server-limit', () => {
  it('speaks, and tells listeners once, when max times processes does not fit', async () => {
    const told: Advice[] = [];
    let asked = 0;
    const pool = new Pool({
      create: () => ({}),
      capacity: () => {
        asked++;
        return Promise.resolve({ limit: 30, reserved: 3, name: 'max_connections' });
      },
      max: 10,
      processes: 3,
      listeners: [{ onAdvice: ({ advice }) => told.push(advice) }],
    });
    expect(pool.advice()).toEqual([]);
    expect(pool.capacity).toBeUndefined();
    await Promise.all(Array.from({ length: 5 }, () => borrow(pool, 3)));
    expect(pool.capacity).toEqual({ limit: 30, reserved: 3, name: 'max_connections' });
    const advice = adviceOf(pool, 'server-limit');
    expect(advice).toMatchObject({
      numbers: { wanted: 30, max: 10, processes: 3, limit: 30, reserved: 3, admitted: 27 },
      text:
        'The pool may open 10 resources in each of 3 processes, 30 together, but the server admits 27 (max_connections ' +
        'is 30, of which 3 are reserved). Lower max to 9 or less, or raise the limit of the server.',
    });
    expect(told).toEqual([advice]);
    expect(asked).toBe(1);
    pool.resize({ max: 9 });
    expect(adviceOf(pool, 'server-limit')).toBeUndefined();
    pool.resize({ max: 9, overflow: 1 });
    expect(adviceOf(pool, 'server-limit')).toBeDefined();
    await pool.close();
  });

  it.each([
    ['it fits', () => ({ limit: 10 })],
    ['it is not known', () => undefined],
    ['it is nonsense', () => ({ limit: 'ten' }) as never],
    [
      'asking throws',
      () => {
        throw new Error('no');
      },
    ],
    ['asking rejects', () => Promise.reject(new Error('no'))],
    ['there is no answer', () => new Promise<never>(() => undefined)],
  ])('is silent when %s', async (_why, capacity) => {
    const told: unknown[] = [];
    const pool = new Pool({
      create: () => ({}),
      capacity,
      listeners: [{ onAdvice: event => told.push(event) }],
    });
    await borrow(pool, 3);
    expect(adviceOf(pool, 'server-limit')).toBeUndefined();
    expect(told).toEqual([]);
    await pool.close();
  });
});
