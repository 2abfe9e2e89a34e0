import { describe, expect, it } from '@jest/globals';
import { KeyedPool, type Lease, type PoolSettings } from '../../src/engine/index.js';
import { follow, type Followed } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool, type ScriptedPool } from '../support/invariants.js';
import { ManualClock, turn } from '../support/manual-clock.js';
import { slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

/** Deadlines are late by as much. */
const LATE = 8;

interface Lab extends ScriptedPool<Thing> {
  /** How many creates have begun. */
  readonly made: () => number;
  /** So many who come at once. */
  readonly come: (count: number, timeout?: number) => Followed<Lease<Thing>>[];
  /** Time passes, and creates end when they have lasted for long enough. */
  readonly pass: (ms: number) => Promise<void>;
}

/** A pool whose creates take `createMs`, with so many idle, which were all lent for `heldMs` if that is given. */
async function lab({
  createMs,
  idle = 0,
  heldMs,
  ...settings
}: Omit<PoolSettings, 'clock'> & { createMs: number; idle?: number; heldMs?: number }): Promise<Lab> {
  const scripted = scriptedPool({ max: 50, ...settings, create: slow });
  const { pool, factory, clock } = scripted;
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed++) {
      await clock.advance(1);
      for (const call of factory.creates.open) if (clock.now() >= call.at + createMs) call.settle();
      await turn();
    }
  };
  const come = (count: number, timeout?: number): Followed<Lease<Thing>>[] =>
    Array.from({ length: count }, () => follow(pool.acquire({ timeout })));
  if (idle > 0) {
    pool.resize({ min: idle });
    follow(pool.start());
    await pass(createMs);
    expect(pool.stats()).toMatchObject({ idle, leased: 0 });
    pool.resize({ min: 0 });
  }
  if (heldMs !== undefined) {
    const first = come(idle);
    await turn();
    await pass(heldMs);
    for (const { value } of first) value!.release();
  }
  return { ...scripted, made: () => factory.creates.calls.length, come, pass };
}

/** So many borrow again and again, for `heldMs` each time, with a pause of `pauseMs` between, for so long. */
async function toil(
  { pool, pass, clock }: Lab,
  {
    borrowers,
    heldMs,
    pauseMs = 0,
    forMs,
  }: Record<'borrowers' | 'heldMs' | 'forMs', number> & { pauseMs?: number },
): Promise<void> {
  const end = clock.now() + forMs;
  const ended = Array.from({ length: borrowers }, async () => {
    while (clock.now() < end) {
      await pool.use(() => clock.wait(heldMs));
      if (pauseMs > 0) await clock.wait(pauseMs);
    }
  });
  await pass(forMs + borrowers * (heldMs + pauseMs) + LATE);
  await Promise.all(ended);
}

/** Everybody works for `heldMs`, until all are served; how long that takes. */
async function serve(
  { clock, pass }: Lab,
  borrowers: readonly Followed<Lease<Thing>>[],
  heldMs: number,
): Promise<number> {
  const since = clock.now();
  const until = new Map<Followed<Lease<Thing>>, number>();
  for (let done = 0; done < borrowers.length;) {
    await turn();
    for (const one of borrowers) {
      if (one.value && !until.has(one)) until.set(one, clock.now() + heldMs);
      else if (one.value && !one.value.released && until.get(one)! <= clock.now()) {
        one.value.release();
        done++;
      }
    }
    if (done < borrowers.length) await pass(1);
    if (clock.now() - since > 60_000) throw new Error(`only ${done} were served within a minute`);
  }
  return clock.now() - since;
}

describe('adaptive growth', () => {
  it('makes nothing for a burst that those who are there serve sooner', async () => {
    const pool = await lab({ createMs: 150, idle: 5, heldMs: 2 });
    const tookMs = await serve(pool, pool.come(50), 2);
    expect(pool.made()).toBe(5);
    expect(tookMs).toBeLessThan(50);
  });

  it('nor before it knows how long anything is held: the age of the first lease stands in', async () => {
    const pool = await lab({ createMs: 150, idle: 5 });
    const tookMs = await serve(pool, pool.come(50), 2);
    expect(pool.made()).toBe(5);
    expect(tookMs).toBeLessThan(50);
  });

  it('makes one for everybody at once where leases last longer than creates', async () => {
    const pool = await lab({ createMs: 20, idle: 5, heldMs: 500 });
    pool.come(50);
    await turn();
    // 45 wait; of five leases that last for 500 ms none is likely to end within 20 ms.
    expect(pool.made()).toBe(50);
  });

  it('counts on as many as come back within the time of a create', async () => {
    const pool = await lab({ createMs: 100, idle: 4, heldMs: 50 });
    pool.come(4 + 8);
    await turn();
    // Four leases of 50 ms: eight will come back within 100 ms.
    expect(pool.made()).toBe(4);
    pool.come(3);
    await turn();
    expect(pool.made()).toBe(4 + 3);
  });

  it('makes one for everybody where there is nothing yet', async () => {
    const pool = await lab({ createMs: 100 });
    pool.come(7);
    await turn();
    expect(pool.made()).toBe(7);
  });

  it('is delayed by holders that hang for one create time, not more', async () => {
    const pool = await lab({ createMs: 100, idle: 3, heldMs: 2 });
    pool.come(3);
    await turn();
    const waiting = pool.come(20);
    await pool.pass(100 - 1);
    expect(pool.made()).toBe(3);
    await pool.pass(1 + LATE);
    expect(pool.made()).toBe(3 + 20);
    await pool.pass(100);
    expect(waiting.every(({ state }) => state === 'fulfilled')).toBe(true);
  });

  it('makes one only for those who have waited for as long where some come back', async () => {
    const pool = await lab({ createMs: 100, idle: 2, heldMs: 2 });
    pool.come(1);
    const [busy] = pool.come(1);
    await turn();
    pool.come(4);
    await pool.pass(60);
    pool.come(4);
    await pool.pass(20);
    busy!.value!.release();
    await pool.pass(20 + LATE);
    // The first three of the first four, and none of those who came later. One was served.
    expect(pool.made()).toBe(2 + 3);
  });

  it('comes to those too who never wait for as long as a create takes', async () => {
    const pool = await lab({ createMs: 100, idle: 1, heldMs: 2 });
    pool.come(1);
    await turn();
    const [unlucky] = pool.come(2, 30);
    await pool.pass(40);
    expect(unlucky!.state).toBe('rejected');
    expect(pool.made()).toBe(2);
    await pool.pass(100);
    const [lucky] = pool.come(1, 30);
    await turn();
    expect(lucky!.state).toBe('fulfilled');
  });

  it('gives those who always wait, for however short, as many as they can use, one after the other', async () => {
    const one = await lab({ createMs: 100, idle: 1, heldMs: 2, max: 4 });
    await toil(one, { borrowers: 3, heldMs: 2, forMs: 180 });
    expect(one.pool.stats().total).toBe(2);
    await toil(one, { borrowers: 3, heldMs: 2, forMs: 1_000 });
    // A fourth would have nobody.
    expect(one.pool.stats().total).toBe(3);
    await toil(one, { borrowers: 40, heldMs: 2, forMs: 400 });
    expect(one.pool.stats().total).toBe(4);
  });

  it('makes nothing for those who only meet now and then', async () => {
    const one = await lab({ createMs: 50, idle: 1, heldMs: 2, max: 4 });
    await toil(one, { borrowers: 3, heldMs: 2, pauseMs: 10, forMs: 2_000 });
    expect(one.pool.stats()).toMatchObject({ total: 1, totals: { timedOut: 0 } });
    expect(one.pool.stats().totals.waited).toBeGreaterThan(100);
  });

  it('comes to one who has waited for half of its time, however long creates take', async () => {
    const pool = await lab({ createMs: 1_000, idle: 1, heldMs: 2, acquireTimeout: 400 });
    const [holder] = pool.come(2);
    await pool.pass(199);
    expect(pool.made()).toBe(1);
    await pool.pass(1 + LATE);
    expect(pool.made()).toBe(2);
    holder!.value!.release();
  });

  it('makes one when somebody was too late, also when others were served in between', async () => {
    const pool = await lab({ createMs: 100, idle: 1, heldMs: 2 });
    const late: Followed<Lease<Thing>>[] = [];
    for (let i = 0; i < 10; i++) {
      const [holder] = pool.come(1);
      await turn();
      late.push(...pool.come(1, 30));
      await pool.pass(40);
      for (const one of [holder!, late.at(-1)!]) one.value?.release();
    }
    expect(pool.made()).toBe(2);
    // Until it was there.
    expect(late.filter(({ state }) => state === 'rejected')).toHaveLength(3);
  });

  it('does not add up those who have left while others are served in between', async () => {
    const pool = await lab({ createMs: 100, idle: 1, heldMs: 2 });
    for (let i = 0; i < 5; i++) {
      const [holder] = pool.come(1);
      await turn();
      const left = new AbortController();
      follow(pool.pool.acquire({ signal: left.signal }));
      await pool.pass(40);
      left.abort();
      await pool.pass(1);
      holder!.value!.release();
    }
    expect(pool.made()).toBe(1);
  });

  it('makes nothing for those who have left while something was on its way', async () => {
    const pool = await lab({ createMs: 100, idle: 1, heldMs: 2 });
    pool.come(1);
    await turn();
    pool.come(1, 120);
    await pool.pass(100 + LATE);
    expect(pool.made()).toBe(2);
    pool.come(5, 50);
    await pool.pass(200);
    expect(pool.pool.stats()).toMatchObject({ idle: 1, waiting: 0 });
    expect(pool.made()).toBe(2);
  });

  it('makes nothing for those who have left while there was no room', async () => {
    const pool = await lab({ createMs: 100, idle: 2, heldMs: 2, max: 2 });
    const [holder] = pool.come(2);
    await turn();
    pool.come(5, 50);
    await pool.pass(60);
    holder!.value!.destroy();
    await pool.pass(60);
    expect(pool.made()).toBe(2);
  });

  it('does not count the time for which the pool was suspended', async () => {
    const pool = await lab({ createMs: 100, idle: 1, heldMs: 2 });
    pool.come(1);
    await turn();
    pool.come(1);
    await pool.pass(50);
    pool.pool.suspend();
    await pool.pass(1_000);
    pool.pool.resume();
    await pool.pass(40);
    expect(pool.made()).toBe(1);
    await pool.pass(10 + LATE);
    expect(pool.made()).toBe(2);
  });

  it('learns: leases that have become long make it grow', async () => {
    const pool = await lab({ createMs: 100, idle: 5, heldMs: 2 });
    for (let i = 0; i < 20; i++) await serve(pool, pool.come(5), 1_000);
    pool.come(10);
    await turn();
    expect(pool.made()).toBe(10);
  });

  it('shares a total by key, and makes what a key needs', async () => {
    const clock = new ManualClock();
    let made = 0;
    const pools = new KeyedPool<string, number>({
      maxTotal: 20,
      max: 10,
      clock,
      create: async () => {
        await new Promise<void>(resolve => clock.setTimer(resolve, 100));
        return ++made;
      },
    });
    const come = (key: string): Followed<Lease<number>> => follow(pools.acquire(key));
    const [a, b] = [come('a'), come('b')];
    await clock.advance(100);
    for (const { value } of [a, b]) value!.release();
    await turn();
    const holders = [come('a'), come('b')];
    await turn();
    for (const { value } of holders) expect(value).toBeDefined();
    const waiting = [come('a'), come('a'), come('b')];
    await clock.advance(99);
    expect(made).toBe(2);
    await clock.advance(1 + LATE + 100);
    expect(waiting.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    for (const { value } of [...holders, ...waiting]) value!.release();
    await pools.close();
  });

  it.each([
    ['a burst that is served by those that are there', { createMs: 150, heldMs: 2, idle: 5 }],
    ['a ramp-up of what is held for longer than it takes to make', { createMs: 20, heldMs: 200, idle: 5 }],
    ['a cold start', { createMs: 50, heldMs: 10, idle: 0 }],
  ])('serves everybody as soon as eager growth, or sooner: %s', async (_, { createMs, heldMs, idle }) => {
    const took = async (growth: 'adaptive' | 'eager'): Promise<number> => {
      const pool = await lab({ growth, createMs, idle, ...(idle > 0 && { heldMs }) });
      return await serve(pool, pool.come(50), heldMs);
    };
    expect(await took('adaptive')).toBeLessThanOrEqual(await took('eager'));
  });
});

describe('the other kinds of growth', () => {
  it('eager: one for everybody who waits, however soon others come back', async () => {
    const pool = await lab({ growth: 'eager', createMs: 150, idle: 5, heldMs: 2 });
    pool.come(20);
    await turn();
    expect(pool.made()).toBe(20);
  });

  it('single: one after the other, as long as somebody waits', async () => {
    const pool = await lab({ growth: 'single', createMs: 100 });
    const all = pool.come(3);
    await turn();
    expect(pool.made()).toBe(1);
    await pool.pass(100);
    expect(pool.made()).toBe(2);
    all[0]!.value!.release();
    await pool.pass(100);
    // The third was served by the first; the second create is spare.
    expect(pool.made()).toBe(2);
    expect(all.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  });
});
