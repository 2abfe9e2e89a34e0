import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { KeyedPool, Pool, PoolTimeoutError, type Clock, type Lease } from '../../src/engine/index.js';
import {
  BorrowScope,
  Borrowed,
  CallerDeadline,
  DeadlineExceededError,
  RequestAbortedError,
  inScope,
  transact,
  type ScopeHost,
} from '../../src/scope/index.js';
import { failureOf, follow } from '../support/follow.js';
import { turn } from '../support/manual-clock.js';

/** The time that Jest stands in for. */
const clock: Clock = {
  now: () => performance.now(),
  setTimer(callback, ms) {
    const timer = setTimeout(callback, ms);
    return {
      cancel: () => {
        clearTimeout(timer);
      },
      ref: () => timer.ref(),
      unref: () => timer.unref(),
    };
  },
};

/** What a promise rejects with when so many milliseconds have passed. */
async function failureAfter(ms: number, promise: Promise<unknown>): Promise<unknown> {
  const failure = failureOf(promise);
  await jest.advanceTimersByTimeAsync(ms);
  return failure;
}

describe('a scope whose caller has a deadline', () => {
  const host: ScopeHost = { stopping: new AbortController().signal };
  const begin = (): object => ({ commit: () => undefined, rollback: () => undefined });
  let pool: Pool<object>;
  let scope: BorrowScope;
  let drop: () => void;
  let timers: jest.SpiedFunction<typeof setTimeout>;

  const within = (ms: number): CallerDeadline =>
    (scope.deadline = new CallerDeadline(performance.now() + ms));
  /** The timers that have been set and are not those of pools in which somebody waits, which hold the process. */
  const ownTimers = (): NodeJS.Timeout[] =>
    timers.mock.results.map(({ value }) => value as NodeJS.Timeout).filter(timer => !timer.hasRef());

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const settings = { name: 'things', max: 1, acquireTimeout: 60_000, clock };
    pool = new Pool({ ...settings, create: () => ({}), begin } as never);
    scope = new BorrowScope(host);
    drop = scope.hold();
    timers = jest.spyOn(globalThis, 'setTimeout');
  });
  afterEach(async () => {
    timers.mockRestore();
    drop();
    await pool.close({ timeout: 0 });
    jest.useRealTimers();
  });

  it('is lent what is there in time, and sets no timer for it', async () => {
    (await pool.acquire()).release();
    const before = timers.mock.calls.length;
    within(60_000);
    await scope.borrow(pool);
    expect(timers.mock.calls.length).toBe(before);
  });

  it('leaves the queue at its deadline, by an error that says so, which is nothing against the pool', async () => {
    const other = await pool.acquire();
    within(20);
    const pending = follow(scope.borrow(pool));
    await jest.advanceTimersByTimeAsync(19);
    expect(pending.state).toBe('pending');
    const error = (await failureAfter(1, scope.borrow(pool))) as DeadlineExceededError;
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect(error).not.toBeInstanceOf(PoolTimeoutError);
    expect(error.message).toMatch(
      /^Pool "things": the caller's deadline has passed, [\d.]+ ms ago.*not acquireTimeout.*wait of 20 ms/,
    );
    expect(error.waitedMs).toBe(20);
    const { waiting, totals } = pool.stats();
    expect(waiting).toBe(0);
    expect(totals).toMatchObject({ timedOut: 0, aborted: 1, refused: 0 });
    expect(pool.advice()).toEqual([]);
    other.release();
  });

  it('is refused at once when nothing is left, also where something is idle, and the pool is asked for nothing', async () => {
    (await pool.acquire()).release();
    const { totals } = pool.stats();
    within(0);
    const error = (await failureOf(scope.borrow(pool))) as Error;
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect(error.message).toContain('Nothing was asked of the pool');
    expect(pool.stats()).toMatchObject({ totals, leased: 0, idle: 1 });
  });

  it('makes nothing for who is refused: a pool that has not begun stays so', async () => {
    within(0);
    await failureOf(scope.borrow(pool));
    expect(pool.stats()).toMatchObject({ creating: 0, totals: { created: 0 } });
  });

  it('is lent on what it has already: its work is going on', async () => {
    const lease = await scope.borrow(pool);
    within(0);
    expect(await scope.borrow(pool)).toBe(lease);
    expect(await failureOf(scope.borrow(pool, { fresh: true }))).toBeInstanceOf(DeadlineExceededError);
    expect(lease.signal.aborted).toBe(false);
  });

  it('gives back what was handed over in time, but comes round to it after the deadline', async () => {
    const other = await pool.acquire();
    within(30);
    const pending = follow(scope.borrow(pool));
    other.release();
    jest.advanceTimersByTime(30);
    await turn();
    expect(pending.error).toBeInstanceOf(DeadlineExceededError);
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1, totals: { acquired: 2 } });
  });

  it('does not end the process when nobody looks at a borrow that comes too late', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const other = await pool.acquire();
    within(20);
    void scope.borrow(pool);
    other.release();
    jest.advanceTimersByTime(20);
    within(0);
    void scope.borrow(pool, { fresh: true });
    await turn();
    await turn();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('keeps the create that was begun for it for whoever comes next', async () => {
    let made!: (resource: object) => void;
    const slow = new Pool<object>({ clock, create: () => new Promise(resolve => (made = resolve)), max: 1 });
    within(10);
    expect(await failureAfter(10, scope.borrow(slow))).toBeInstanceOf(DeadlineExceededError);
    expect(slow.stats()).toMatchObject({ creating: 1, waiting: 0 });
    const resource = {};
    made(resource);
    await turn();
    expect((await slow.acquire()).resource).toBe(resource);
    expect(slow.stats().totals.created).toBe(1);
  });

  it.each([
    ['the timeout of the borrow', {}, { timeout: 10 }],
    ['the acquireTimeout of the pool', { acquireTimeout: 10 }, {}],
  ])('changes nothing when it is later than %s', async (_, settings, options) => {
    const short = new Pool({ clock, create: () => ({}), max: 1, acquireTimeout: 60_000, ...settings });
    const other = await short.acquire();
    within(60_000);
    expect(await failureAfter(20, scope.borrow(short, options))).toBeInstanceOf(PoolTimeoutError);
    expect(short.stats().totals).toMatchObject({ timedOut: 1, aborted: 0 });
    other.release();
  });

  it('goes on with its time where that of a suspended pool stands still', async () => {
    pool.suspend();
    within(70_000);
    expect(await failureAfter(70_000, scope.borrow(pool))).toBeInstanceOf(DeadlineExceededError);
  });

  it('ends a wait that several parts of it share for all of them, and the timeout of who began it goes on counting', async () => {
    const other = await pool.acquire();
    within(60_000);
    const [first, second] = [scope.borrow(pool, { timeout: 10 }), scope.borrow(pool, { timeout: 50_000 })];
    expect(await failureAfter(20, first)).toBeInstanceOf(PoolTimeoutError);
    expect(await failureOf(second)).toBe(await failureOf(first));
    within(10);
    scope.abandon(new RequestAbortedError());
    const shared = [scope.borrow(pool), scope.borrow(pool)];
    for (const one of shared) expect(await failureAfter(10, one)).toBeInstanceOf(DeadlineExceededError);
    expect(pool.stats().totals.waited).toBe(3);
    other.release();
  });

  it('holds for keyed pools, whose keys are not even made room for', async () => {
    const keyed = new KeyedPool<string, object>({ clock, name: 'tenants', create: () => ({}), maxTotal: 1 });
    const other = await keyed.acquire('a');
    within(10);
    expect(await failureAfter(10, scope.borrow(keyed, {}, 'b'))).toBeInstanceOf(DeadlineExceededError);
    expect(await failureOf(scope.borrow(keyed, {}, 'c'))).toBeInstanceOf(DeadlineExceededError);
    expect(keyed.stats()).toMatchObject({ waiting: 0, keys: 1, totals: { timedOut: 0, aborted: 1 } });
    other.release();
  });

  it.each<[string, () => Promise<unknown>]>([
    ['begin', () => scope.begin(pool, {}, undefined, {})],
    ['join', () => scope.join(pool, {}, undefined, {}, () => undefined)],
    ['a borrow apart', () => scope.borrowApart(pool)],
    ['a fresh one', () => scope.borrow(pool, { fresh: true })],
    ['Borrowed.lease', () => inScope(scope, () => new Borrowed(pool, host).lease())],
    ['Borrowed.get', () => inScope(scope, () => new Borrowed(pool, host).get())],
    ['Borrowed.transaction', () => inScope(scope, () => new Borrowed(pool, host).transaction(() => 1))],
  ])('holds for %s, in the queue and once it has passed', async (_, borrow) => {
    const other = await pool.acquire();
    within(10);
    expect(await failureAfter(10, borrow())).toBeInstanceOf(DeadlineExceededError);
    expect(pool.stats()).toMatchObject({ waiting: 0, totals: { waited: 2 } });
    other.release();
    expect(await failureOf(borrow())).toBeInstanceOf(DeadlineExceededError);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { waited: 2, acquired: 1 } });
  });

  it('is not tried again when it has passed: what the conflict was is told', async () => {
    await scope.borrow(pool);
    const conflict = Object.assign(new Error('conflict'), { code: '40001' });
    const work = jest.fn(() => {
      within(0);
      throw conflict;
    });
    const retry = { attempts: 3, delay: 1 };
    expect(await failureAfter(10, transact({ scope, pool }, { retry }, work))).toBe(conflict);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('commits what is at work when it passes', async () => {
    await scope.borrow(pool);
    const done = await transact({ scope, pool }, {}, () => {
      within(0);
      return 'done';
    });
    expect(done).toBe('done');
  });

  it('also ends the wait for what has to be there before a borrow', async () => {
    class Hindered extends BorrowScope {
      protected override hindrance(): Promise<void> {
        return new Promise(() => undefined);
      }
    }
    scope = new Hindered(host);
    within(10);
    expect(await failureAfter(10, scope.borrow(pool))).toBeInstanceOf(DeadlineExceededError);
    expect(pool.stats().totals).toMatchObject({ waited: 0, created: 0 });
  });

  describe('its signal', () => {
    it('is aborted when the deadline passes, with an error that says so, and takes nothing away', async () => {
      const lease = await scope.borrow(pool);
      within(10);
      const { signal } = scope;
      jest.advanceTimersByTime(9);
      expect(signal.aborted).toBe(false);
      jest.advanceTimersByTime(1);
      expect(signal.reason).toBeInstanceOf(DeadlineExceededError);
      expect((signal.reason as Error).message).toMatch(/^The caller's deadline has passed, [\d.]+ ms ago/);
      expect((signal.reason as Error).message).not.toMatch(/acquireTimeout|pool/);
      expect(lease.signal.aborted).toBe(false);
      expect(scope.hasLeft).toBe(false);
    });

    it('is aborted already when it is asked for after that', () => {
      within(0);
      expect(scope.signal.reason).toBeInstanceOf(DeadlineExceededError);
    });

    it('is not aborted by a deadline that the scope does not live to see', async () => {
      await scope.borrow(pool);
      within(10);
      const { signal } = scope;
      drop();
      jest.advanceTimersByTime(20);
      expect(signal.aborted).toBe(false);
    });
  });

  describe('its timer', () => {
    const waiting = async (ms: number): Promise<Lease<object>> => {
      const other = await pool.acquire();
      within(ms);
      timers.mockClear();
      void follow(scope.borrow(pool));
      void follow(scope.borrow(pool, { fresh: true }));
      return other;
    };

    it('is one for all that wait, does not keep the process alive, and goes when nobody waits', async () => {
      const clear = jest.spyOn(globalThis, 'clearTimeout');
      const other = await waiting(40_000);
      expect(scope.signal.aborted).toBe(false);
      expect(ownTimers()).toHaveLength(1);
      const [own] = ownTimers();
      drop();
      expect(clear).toHaveBeenCalledWith(own);
      clear.mockRestore();
      other.release();
      expect(scope.ended).toBe(true);
    });

    it('of a wait that is over is cleared, also while the scope goes on', async () => {
      const clear = jest.spyOn(globalThis, 'clearTimeout');
      const other = await waiting(40_000);
      const [own] = ownTimers();
      scope.abandon(new RequestAbortedError());
      expect(clear).toHaveBeenCalledWith(own);
      clear.mockRestore();
      other.release();
    });

    it.each([2 ** 31, 1e15, Number.MAX_VALUE, Infinity])(
      'of a deadline in %d ms does not fire at once, as setTimeout would',
      async ms => {
        const other = await waiting(ms);
        const delays = timers.mock.calls.map(([, delay]) => delay!);
        expect(Math.max(...delays)).toBeLessThan(2 ** 31);
        await jest.advanceTimersByTimeAsync(1_000);
        expect(pool.stats().waiting).toBe(2);
        scope.abandon(new RequestAbortedError());
        other.release();
      },
    );

    it('that has come to the end of its longest delay goes on to the deadline', () => {
      const told = jest.fn();
      new CallerDeadline(performance.now() + 2 ** 31 + 500).watch(told);
      jest.advanceTimersByTime(2 ** 31 + 400);
      expect(told).not.toHaveBeenCalled();
      jest.advanceTimersByTime(101);
      expect(told).toHaveBeenCalledTimes(1);
      expect(jest.getTimerCount()).toBe(0);
    });
  });
});
