import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseReleasedError, type Pool } from '../../src/engine/index.js';
import { WorkerCrashedError } from '../../src/resources/worker.js';
import { crunchPool, rejection, type CrunchWorker } from '../support/crunch-pool.js';
import { until } from '../support/until.js';

/** Long enough that no test that waits for it would pass. */
const NEVER = 600_000;

let pool: Pool<CrunchWorker>;
const reason = new Error('changed my mind');

function open(stopTimeout: number): void {
  pool = crunchPool({ stopTimeout, resetTimeout: NEVER });
}
beforeEach(() => open(NEVER));
afterEach(() => pool.close({ timeout: 0 }));

describe('a call whose signal aborts', () => {
  it('rejects at once with the reason of the signal, and its task stops', async () => {
    const lease = await pool.acquire();
    const worker = lease.resource;
    const aborter = new AbortController();
    const waiting = rejection(worker.call('wait', undefined, { signal: aborter.signal }));
    aborter.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await worker.call('reason')).toBe('Error: changed my mind');
    const { threadId } = worker;
    lease.release();
    await lease.finished;
    expect(await pool.use(next => next.call('who'))).toBe(threadId);
  });

  it('has not been sent if the signal had aborted before', async () => {
    await pool.use(async worker => {
      const before = await worker.call('count');
      expect(await rejection(worker.call('count', undefined, { signal: AbortSignal.abort(reason) }))).toBe(
        reason,
      );
      expect(await worker.call('count')).toBe(before + 1);
    });
  });

  it('may be aborted by its own payload', async () => {
    const aborter = new AbortController();
    const payload = {
      b: 1,
      get a() {
        aborter.abort(reason);
        return 1;
      },
    };
    const { signal } = aborter;
    expect(await rejection(pool.use(worker => worker.call('add', payload, { signal })))).toBe(reason);
  });

  it('leaves no listener on the signal, however it has ended', async () => {
    const { signal } = new AbortController();
    await pool.use(async worker => {
      await worker.call('count', undefined, { signal });
      await rejection(worker.call('fail', { message: 'x' }, { signal }));
      await rejection(worker.call('echo', () => 1, { signal }));
      await rejection(worker.call('exit', 1, { signal }));
    });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('does not abort the others', async () => {
    const aborter = new AbortController();
    await pool.use(async worker => {
      const other = worker.call('stubborn', 'other');
      const aborted = rejection(worker.call('wait', undefined, { signal: aborter.signal }));
      aborter.abort(reason);
      await aborted;
      await worker.call('open', 'other');
      expect(await other).toBe('late other');
    });
  });

  it('costs nothing when the task stops in time', async () => {
    open(1_000);
    await pool.use(async worker => {
      const aborter = new AbortController();
      const aborted = rejection(worker.call('wait', undefined, { signal: aborter.signal }));
      aborter.abort(reason);
      await aborted;
      // Beyond the time that the task had.
      const later = worker.call('stubborn', 'later');
      await worker.call('openIn', { name: 'later', ms: 1_200 });
      expect(await later).toBe('late later');
    });
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('costs the worker that does not stop, and all its calls, after stopTimeout', async () => {
    open(50);
    const lease = await pool.acquire();
    const { threadId } = lease.resource;
    const aborter = new AbortController();
    const other = rejection(lease.resource.call('wait'));
    const spinning = rejection(lease.resource.call('spin', undefined, { signal: aborter.signal }));
    const took = performance.now();
    aborter.abort(reason);
    expect(await spinning).toBe(reason);
    // Told before the worker is terminated.
    expect(lease.broken).toBe(false);
    const crash = (await other) as WorkerCrashedError;
    expect(crash).toBeInstanceOf(WorkerCrashedError);
    expect(crash).toMatchObject({ end: 'stop-timeout', cause: reason });
    expect(crash.message).toContain('did not stop within stopTimeout (50 ms)');
    expect(performance.now() - took).toBeGreaterThan(45);
    expect(lease.broken).toBe(true);
    expect((lease.signal.reason as Error).cause).toBe(crash);
    // Its borrower need not give it back for that.
    await until(
      () => process.getActiveResourcesInfo(),
      active => !active.includes('MessagePort'),
    );
    lease.release();
    expect(await pool.use(next => next.call('who'))).not.toBe(threadId);
  });
});

describe('the end of a lease', () => {
  it('fails the calls that are still running, at once', async () => {
    const lease = await pool.acquire();
    const running = rejection(lease.resource.call('wait'));
    lease.release();
    expect(await running).toBeInstanceOf(LeaseReleasedError);
  });

  it('aborts their tasks', async () => {
    const lease = await pool.acquire();
    void lease.resource.call('wait');
    lease.release();
    expect(await pool.use(worker => worker.call('reason'))).toContain('LeaseReleasedError: Pool "crunch"');
  });

  it('refuses calls that come later', async () => {
    const lease = await pool.acquire();
    const worker = lease.resource;
    const before = await worker.call('count');
    lease.release();
    expect(await rejection(worker.call('count'))).toBeInstanceOf(LeaseReleasedError);
    expect(await rejection(worker.terminate())).toBeInstanceOf(LeaseReleasedError);
    expect(await pool.use(next => next.call('count'))).toBe(before + 1);
  });

  it('is no unhandled rejection for a call that nobody waits for', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): unknown => unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      const lease = await pool.acquire();
      void lease.resource.call('wait');
      lease.release();
      await pool.use(worker => worker.call('count'));
      // They are told after the microtasks.
      await new Promise(resolve => setImmediate(resolve));
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  it('lends the worker again only when its tasks have really stopped', async () => {
    const lease = await pool.acquire();
    const { threadId } = lease.resource;
    const stubborn = rejection(lease.resource.call('stubborn', 'a'));
    const opens = lease.resource.call('openIn', { name: 'a', ms: 100 }).catch(() => undefined);
    lease.release();
    const took = performance.now();
    expect(await stubborn).toBeInstanceOf(LeaseReleasedError);
    await opens;
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pool.stats()).toMatchObject({ resetting: 1, idle: 0 });
    const next = await pool.acquire();
    expect(performance.now() - took).toBeGreaterThan(95);
    expect(next.resource.threadId).toBe(threadId);
    next.release();
  });

  it('replaces a worker whose tasks do not stop', async () => {
    open(50);
    const lease = await pool.acquire();
    const { threadId } = lease.resource;
    const spinning = rejection(lease.resource.call('spin'));
    lease.release();
    expect(await spinning).toBeInstanceOf(LeaseReleasedError);
    await lease.finished;
    expect(pool.stats().totals.destroyedBy).toEqual({ 'reset-failed': 1 });
    expect(await pool.use(next => next.call('who'))).not.toBe(threadId);
  });
});

describe('a late answer', () => {
  it('reaches neither the call that was aborted nor any other', async () => {
    const aborter = new AbortController();
    await pool.use(async worker => {
      const aborted = rejection(worker.call('stubborn', 'x', { signal: aborter.signal }));
      aborter.abort(reason);
      expect(await aborted).toBe(reason);
      const next = worker.call('echo', 'mine');
      await worker.call('open', 'x');
      expect(await next).toBe('mine');
      expect(await worker.call('add', { a: 1, b: 1 })).toBe(2);
    });
  });

  it('is not even sent', async () => {
    const aborter = new AbortController();
    await pool.use(async worker => {
      const aborted = rejection(worker.call('giveLate', 'x', { signal: aborter.signal }));
      aborter.abort(reason);
      await aborted;
      await worker.call('open', 'x');
      // Still there: nothing was transferred.
      expect(await worker.call('left')).toBe(512);
    });
  });

  it('comes before the next borrower has the worker', async () => {
    const lease = await pool.acquire();
    const worker = lease.resource;
    const { threadId } = worker;
    const aborter = new AbortController();
    const aborted = rejection(worker.call('stubborn', 'x', { signal: aborter.signal }));
    // Answered at once, but only after the lease has ended: the loop here does not turn in between.
    void worker.call('open', 'x').catch(() => undefined);
    aborter.abort(reason);
    lease.release();
    expect(await aborted).toBe(reason);
    await pool.use(async next => {
      expect(next.threadId).toBe(threadId);
      expect(await next.call('echo', 'mine')).toBe('mine');
    });
    expect(pool.stats().totals.destroyed).toBe(0);
  });
});

describe('the signal of a lease', () => {
  it('may be that of a call', async () => {
    pool = crunchPool({ maxHold: 100, maxHoldAction: 'report' });
    const lease = await pool.acquire();
    const error = await rejection(lease.resource.call('wait', undefined, { signal: lease.signal }));
    expect(error).toBe(lease.signal.reason);
    expect((error as Error).message).toContain('longer than maxHold');
    lease.release();
  });

  it('tells of a worker that has ended while nothing was called', async () => {
    const lease = await pool.acquire();
    const { signal } = lease;
    const ended = new Promise(resolve => signal.addEventListener('abort', resolve));
    void lease.resource.call('throwInTimer').catch(() => undefined);
    await ended;
    expect((signal.reason as Error).cause).toMatchObject({ end: 'error' });
    lease.release();
  });

  it('fails the calls of a lease that the pool takes away', async () => {
    pool = crunchPool({ maxHold: 100, maxHoldAction: 'destroy' });
    const lease = await pool.acquire();
    const error = await rejection(lease.resource.call('spin'));
    expect(error).toBeInstanceOf(LeaseReleasedError);
    expect((error as Error).message).toContain('maxHold');
    await lease.finished;
    expect(pool.stats().total).toBe(0);
  });
});
