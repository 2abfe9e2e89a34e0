import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TerminusModule } from '@nestjs/terminus';
import { Test, type TestingModule } from '@nestjs/testing';
import type { KeyedPool, Lease, Pool } from '../../src/index.js';
import { PoolModule, PoolRegistry, type PoolDefinition } from '../../src/index.js';
import { PoolHealthIndicator } from '../../src/terminus/index.js';
import { ManualClock } from '../support/manual-clock.js';
import { NEST_MAJOR } from '../support/nest-major.js';
import { until } from '../support/until.js';

/** @returns lets so many milliseconds pass */
function stopTheClock(): (ms: number) => void {
  let now = performance.now();
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  return ms => {
    now += ms;
  };
}

/** Who has waited for longer than a second is stuck, and after five more starved. */
const STRICT = { maxWait: 1_000, starvedFor: 5_000 };

describe('PoolHealthIndicator', () => {
  let testing: TestingModule | undefined;
  let pool: Pool<unknown>;
  let health: PoolHealthIndicator;

  const boot = async (definition: Partial<PoolDefinition> = {}): Promise<void> => {
    testing = await Test.createTestingModule({
      imports: [
        TerminusModule,
        PoolModule.forRoot({
          log: false,
          pools: [{ name: 'db', create: () => ({}), max: 1, ...definition } as PoolDefinition],
        }),
      ],
      providers: [PoolHealthIndicator],
    }).compile();
    await testing.init();
    pool = testing.get(PoolRegistry).get('db');
    health = testing.get(PoolHealthIndicator);
  };
  const readiness = async (options = {}): Promise<Record<string, unknown>> => {
    const db = (await health.readiness('db', options)).db as Record<string, unknown>;
    if (NEST_MAJOR >= 12) return db;
    // How Terminus 11 is told of it, which has no such status.
    const { degraded, ...others } = db;
    return degraded === true && db.status === 'up' ? { ...others, status: 'degraded' } : db;
  };

  beforeEach(() => {
    testing = undefined;
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await testing?.close();
  });

  it('is up, with the counts, and borrows nothing from a pool nobody has used', async () => {
    await boot();
    expect(await readiness()).toEqual({
      status: 'up',
      state: 'ready',
      leased: 0,
      idle: 0,
      max: 1,
      waiting: 0,
      oldestWaitMs: 0,
    });
    expect(pool.stats().totals).toMatchObject({ acquired: 0, created: 0 });
  });

  describe('with advice', () => {
    const UNFIT = {
      validate: () => true,
      acquireTimeout: 1_000,
      validateTimeout: 2_000,
      leakThreshold: 60_000,
    };

    it('shows it when it is asked for, and has the same status', async () => {
      await boot(UNFIT);
      await pool.use(() => undefined);
      expect(await readiness({ advice: true })).toMatchObject({
        status: 'up',
        advice: [{ rule: 'validate-timeout', text: expect.stringContaining('2,000 ms') }],
      });
    });

    it('shows nothing of it unless it is asked for', async () => {
      await boot(UNFIT);
      await pool.use(() => undefined);
      expect(await readiness()).not.toHaveProperty('advice');
      expect(await readiness({ advice: false })).not.toHaveProperty('advice');
    });

    it('shows nobody who holds something', async () => {
      const advance = stopTheClock();
      await boot({ leakThreshold: 60_000 });
      for (let i = 0; i < 40; i++) await pool.use(() => undefined);
      class SecretOwner {}
      const lease = await pool.acquire({ owner: new SecretOwner() });
      advance(500);
      expect(pool.advice().find(({ rule }) => rule === 'long-holds')?.holders).toMatchObject([
        { owner: 'SecretOwner' },
      ]);
      const { advice } = await readiness({ advice: true });
      expect(advice).toContainEqual({ rule: 'long-holds', text: expect.any(String) });
      expect(JSON.stringify(advice)).not.toMatch(/SecretOwner|spec/);
      lease.release();
    });
  });

  it('is degraded while the pool is saturated but serving, and does not borrow', async () => {
    await boot();
    const lease = await pool.acquire();
    expect(await readiness()).toMatchObject({
      status: 'degraded',
      reason: expect.stringMatching(/saturated/),
      leased: 1,
    });
    expect(pool.stats().totals.acquired).toBe(1);
    lease.release();
  });

  it('is degraded only when the overflow is used up as well', async () => {
    await boot({ overflow: 1 });
    const first = await pool.acquire();
    expect(await readiness()).toMatchObject({ status: 'up' });
    const second = await pool.acquire();
    expect(await readiness()).toMatchObject({ status: 'degraded' });
    first.release();
    second.release();
  });

  it('is down while the pool is suspended', async () => {
    await boot();
    pool.suspend();
    expect(await readiness()).toMatchObject({ status: 'down', reason: 'suspended' });
    pool.resume();
    expect(await readiness()).toMatchObject({ status: 'up' });
  });

  it('is down when the oldest waiter has been too old for long enough, however many probers ask', async () => {
    await boot();
    const pass = stopTheClock();
    const lease = await pool.acquire();
    const waiting = pool.acquire({ timeout: Infinity });
    const look = async (ms: number): Promise<unknown> => {
      pass(ms);
      return [(await readiness(STRICT)).status, (await readiness(STRICT)).status];
    };
    expect(await look(900)).toEqual(['degraded', 'degraded']);
    expect(await look(1_000)).toEqual(['degraded', 'degraded']);
    expect(await look(4_000)).toEqual(['degraded', 'degraded']);
    expect(await look(200)).toEqual(['down', 'down']);
    expect(await readiness(STRICT)).toMatchObject({ reason: expect.stringMatching(/starved/), waiting: 1 });
    lease.release();
    (await waiting).release();
    expect(await look(0)).toEqual(['up', 'up']);
  });

  it('is degraded, never down, while others are served, however old its waiters are', async () => {
    await boot();
    const pass = stopTheClock();
    let lease = await pool.acquire();
    let oldest = 0;
    // Always three, so that each waits for six seconds.
    const queue = [1, 2, 3].map(() => pool.acquire({ timeout: Infinity }));
    for (let served = 0; served < 10; served++) {
      pass(2_000);
      expect(await readiness(STRICT)).toMatchObject({ status: 'degraded', waiting: 3 });
      oldest = pool.stats().oldestWaitMs;
      queue.push(pool.acquire({ timeout: Infinity }));
      lease.release();
      lease = await queue.shift()!;
    }
    expect(oldest).toBeCloseTo(6_000);
    pass(4_900);
    expect(await readiness(STRICT)).toMatchObject({ status: 'degraded' });
    pass(200);
    expect(await readiness(STRICT)).toMatchObject({ status: 'down' });
    lease.release();
    for (const acquired of queue) (await acquired).release();
  });

  describe.each([
    ['a pool', {}],
    ['a pool by key', { maxTotal: 1 }],
  ])('of %s that serves nobody', (_, options) => {
    let clock: ManualClock;
    let creates: () => unknown;
    const acquire = (): Promise<Pick<Lease<unknown>, 'release' | 'destroy'>> =>
      'maxTotal' in options ? (pool as unknown as KeyedPool<string, unknown>).acquire('a') : pool.acquire();

    beforeEach(async () => {
      clock = new ManualClock();
      creates = () => ({});
      await boot({ clock, acquireTimeout: 2_000, create: () => creates(), ...options } as object);
    });

    afterEach(() => pool.close({ timeout: 0 }));

    /** Somebody comes every 700 ms, waits in vain and leaves. */
    const crowd = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 700) {
        void acquire().then(
          lease => lease.release(),
          () => undefined,
        );
        await clock.advance(700);
      }
    };

    it('is down at the first check, however late that comes', async () => {
      const lease = await acquire();
      await crowd(7_700);
      expect(await readiness(STRICT)).toMatchObject({
        status: 'down',
        reason: expect.stringMatching(/starved/),
      });
      lease.release();
      await crowd(700);
    });

    it('is down also when the last who waited has left long before', async () => {
      const lease = await acquire();
      void acquire().catch(() => undefined);
      await clock.advance(5_900);
      expect(await readiness(STRICT)).toMatchObject({ status: 'degraded', waiting: 0 });
      await clock.advance(200);
      expect(await readiness(STRICT)).toMatchObject({ status: 'down', waiting: 0 });
      lease.release();
    });

    it('is not down when somebody was served since, whom no check has seen', async () => {
      const lease = await acquire();
      await crowd(7_000);
      await clock.advance(2_000);
      lease.release();
      const another = await acquire();
      void acquire().catch(() => undefined);
      await clock.advance(1_500);
      expect(await readiness(STRICT)).toMatchObject({ status: 'degraded', waiting: 1 });
      another.release();
    });

    it('forgets those who waited in vain once somebody comes who finds everything free', async () => {
      const lease = await acquire();
      await crowd(2_100);
      await clock.advance(2_000);
      lease.destroy();
      await clock.advance(600_000);
      creates = () => new Promise(() => undefined);
      void acquire().catch(() => undefined);
      await clock.advance(1_500);
      expect(await readiness(STRICT)).toMatchObject({ status: 'up', waiting: 1 });
    });
  });

  it('is down, and stays so when its waiters have given up, until something comes back', async () => {
    await boot();
    const pass = stopTheClock();
    const lease = await pool.acquire();
    // As when all are answered at the same time, and come back at the same time: nobody waits for as long as five seconds.
    for (let i = 0; i < 3; i++) {
      const leaving = new AbortController();
      const waiting = pool.acquire({ timeout: Infinity, signal: leaving.signal });
      pass(1_900);
      expect(await readiness(STRICT)).toMatchObject({ status: 'degraded', waiting: 1 });
      leaving.abort();
      await expect(waiting).rejects.toThrow();
      expect(await readiness(STRICT)).toMatchObject({ status: 'degraded', waiting: 0 });
    }
    pass(1_900);
    expect(await readiness(STRICT)).toMatchObject({ status: 'down', waiting: 0 });
    pass(600_000);
    expect(await readiness(STRICT)).toMatchObject({ status: 'down', waiting: 0 });
    lease.release();
    expect(await readiness(STRICT)).toMatchObject({ status: 'up' });
  });

  it.each(['down', 'degraded'] as const)(
    'is %s while the backend is unavailable, as chosen, and tells no secret',
    async whenUnavailable => {
      await boot({
        create: () => Promise.reject(new Error('postgres://admin:hunter2@db.internal refused')),
        createBackoff: { initial: 600_000, max: 600_000 },
        unavailableAfter: 1,
      });
      await pool.acquire().catch(() => undefined);
      const answer = await readiness({ whenUnavailable });
      expect(answer).toMatchObject({ status: whenUnavailable, state: 'unavailable' });
      expect(JSON.stringify(answer)).not.toMatch(/hunter2|internal|refused/);
    },
  );

  it('is down while the pool is starting, and while it is closing', async () => {
    let finish!: (resource: object) => void;
    await boot({ min: 1, create: () => new Promise<object>(resolve => (finish = resolve)) });
    const starting = pool.start();
    expect(await readiness()).toMatchObject({ status: 'down', reason: expect.stringMatching(/starting/) });
    finish({});
    await starting;
    expect(await readiness()).toMatchObject({ status: 'up' });
    const lease = await pool.acquire();
    const closing = pool.close();
    expect(await readiness()).toMatchObject({ status: 'down', reason: 'closing', state: 'draining' });
    lease.release();
    await closing;
    expect(await readiness()).toMatchObject({ status: 'down', reason: 'closing', state: 'closed' });
  });

  it('is down as soon as the application shuts down, while the pools still serve', async () => {
    await boot();
    const registry = testing!.get(PoolRegistry);
    registry.shuttingDown = true;
    expect(await readiness()).toMatchObject({
      status: 'down',
      reason: expect.stringMatching(/shutting down/),
    });
    await pool.use(() => undefined);
  });

  it('validates one resource of an idle pool, once for all who ask within cacheFor, and is down when it fails', async () => {
    let alive = true;
    let validations = 0;
    await boot({
      create: () => (alive ? {} : new Promise(() => undefined)),
      validateAfterIdle: 0,
      validate: () => (validations++, alive),
    });
    await pool.use(() => undefined);
    const options = { cacheFor: 60_000, probeTimeout: 50 };
    expect(await Promise.all([readiness(options), readiness(options)])).toMatchObject([
      { status: 'up' },
      { status: 'up' },
    ]);
    expect(validations).toBe(1);
    alive = false;
    expect(await readiness(options)).toMatchObject({ status: 'up' });
    expect(await readiness({ ...options, cacheFor: 0 })).toMatchObject({
      status: 'down',
      reason: expect.stringMatching(/probe.*PoolTimeoutError/),
    });
    await pool.close({ timeout: 0 });
  });

  it('stays down after a failed probe has left nothing live, until the backend answers', async () => {
    let answers = true;
    await boot({
      create: () => (answers ? {} : new Promise(() => undefined)),
      validateAfterIdle: 0,
      validate: () => answers,
      createTimeout: 50,
      createBackoff: { initial: 1, max: 1 },
    });
    await pool.use(() => undefined);
    answers = false;
    const options = { cacheFor: 0, probeTimeout: 20 };
    expect(await readiness(options)).toMatchObject({ status: 'down' });
    expect(await readiness(options)).toMatchObject({ status: 'down' });
    answers = true;
    await until(
      () => readiness(options),
      ({ status }) => status === 'up',
    );
    await pool.close({ timeout: 0 });
  });

  it('lets a failed probe count as an unavailable backend does', async () => {
    let alive = true;
    await boot({
      create: () => (alive ? {} : Promise.reject(new Error('down'))),
      validateAfterIdle: 0,
      validate: () => alive,
      unavailableAfter: 1,
    });
    await pool.use(() => undefined);
    alive = false;
    expect(await readiness({ whenUnavailable: 'degraded' })).toMatchObject({ status: 'degraded' });
    expect(await readiness({ whenUnavailable: 'degraded' })).toMatchObject({ status: 'degraded' });
  });

  it('is degraded from the chosen share of leased resources on', async () => {
    await boot({ max: 3, overflow: 1 });
    const leases = [await pool.acquire(), await pool.acquire()];
    expect(await readiness({ maxUtilization: 0.75 })).toMatchObject({ status: 'up' });
    leases.push(await pool.acquire());
    expect(await readiness()).toMatchObject({ status: 'up' });
    expect(await readiness({ maxUtilization: 0.75 })).toMatchObject({
      status: 'degraded',
      reason: 'busy: 3 of 4 resources are leased',
    });
    for (const lease of leases) lease.release();
  });

  it('tells since when, how often and with what class of error creates fail, until one succeeds', async () => {
    let error: Error | undefined = Object.assign(new Error('connect to 10.0.0.7'), { code: 'ECONNREFUSED' });
    await boot({
      create: () => (error ? Promise.reject(error) : {}),
      createBackoff: { initial: 1, max: 1 },
      unavailableAfter: 2,
    });
    const before = Date.now();
    await pool.acquire().catch(() => undefined);
    const answer = await readiness();
    expect(answer).toMatchObject({
      status: 'down',
      lastError: 'Error ECONNREFUSED',
      failedCreates: expect.any(Number),
    });
    expect(answer.failedCreates).toBeGreaterThanOrEqual(2);
    const since = Date.parse(answer.since as string);
    expect(since).toBeGreaterThanOrEqual(before - 1);
    expect(Date.parse((await readiness()).since as string) - since).toBeLessThanOrEqual(1);
    error = undefined;
    const recovered = await until(readiness, ({ status }) => status === 'up');
    expect(recovered).not.toHaveProperty('since');
    expect(recovered).not.toHaveProperty('lastError');
  });

  it('never shows a name or code that is more than one word', async () => {
    class Leaky extends Error {
      override name = 'postgres://admin:hunter2@db';
      code = 'host db.internal';
    }
    await boot({ create: () => Promise.reject(new Leaky()), unavailableAfter: 1 });
    await pool.acquire().catch(() => undefined);
    expect(await readiness()).toMatchObject({ lastError: 'Error' });
  });

  it.each([
    [{ maxWait: -1 }, 'maxWait is -1; it must be milliseconds ≥ 0'],
    [{ starvedFor: Number.NaN }, 'starvedFor is NaN; it must be milliseconds ≥ 0'],
    [{ maxUtilization: 80 }, 'maxUtilization is 80; it must be more than 0 and at most 1'],
    [{ maxUtilization: 0 }, 'maxUtilization is 0; it must be more than 0 and at most 1'],
    [{ whenUnavailable: 'up' }, "whenUnavailable is up; it must be 'down' or 'degraded'"],
    [{ maxwait: 1 }, 'there is no option maxwait; there are maxWait, '],
  ])('with the wrong options %j is down and says what is wrong', async (options, fault) => {
    await boot();
    expect(await readiness(options)).toEqual({
      status: 'down',
      reason: expect.stringContaining(`wrong options: ${fault}`),
    });
  });

  it('answers for several pools at once', async () => {
    testing = await Test.createTestingModule({
      imports: [
        TerminusModule,
        PoolModule.forRoot({
          log: false,
          pools: [
            { name: 'db', create: () => ({}), max: 1 },
            { name: 'renderer', create: () => ({}), max: 1 },
          ],
        }),
      ],
      providers: [PoolHealthIndicator],
    }).compile();
    await testing.init();
    const registry = testing.get(PoolRegistry);
    registry.get('renderer').suspend();
    expect(await testing.get(PoolHealthIndicator).readiness(['db', 'renderer'])).toMatchObject({
      db: { status: 'up' },
      renderer: { status: 'down', reason: 'suspended' },
    });
  });

  it('never borrows from a pool that is used, so that probes cannot make an overload worse', async () => {
    await boot({ max: 2, validateAfterIdle: 0, validate: () => true });
    const lease = await pool.acquire();
    await pool.use(() => undefined);
    const { acquired } = pool.stats().totals;
    for (let probe = 0; probe < 10; probe++) await readiness({ cacheFor: 0 });
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 1, totals: { acquired } });
    lease.release();
  });

  it('is down, and does not throw, for a pool nobody registered', async () => {
    await boot();
    expect(await health.readiness('nope')).toEqual({ nope: { status: 'down', reason: 'not registered' } });
  });

  it('says that the process lives, whatever becomes of the pools', async () => {
    await boot();
    await pool.close();
    await until(
      () => pool.stats().state,
      state => state === 'closed',
    );
    expect(health.liveness()).toEqual({ process: { status: 'up' } });
  });
});
