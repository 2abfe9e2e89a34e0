import { afterEach, describe, expect, it } from '@jest/globals';
import { Pool, PoolUnavailableError } from '../../src/engine/index.js';
import { WorkerCrashedError, workerPool, type WorkerPoolOptions } from '../../src/resources/worker.js';
import { fixture, type Crunch } from '../support/crunch.js';
import { crunchPool, rejection, type CrunchWorker } from '../support/crunch-pool.js';
import { until } from '../support/until.js';

let pool: Pool<CrunchWorker>;
afterEach(() => pool.close({ timeout: 0 }));

describe('a worker that ends', () => {
  const call = {
    'process.exit': (worker: CrunchWorker) => worker.call('exit', 3),
    'an error in a timer': (worker: CrunchWorker) => worker.call('throwInTimer'),
    'an unhandled rejection': (worker: CrunchWorker) => worker.call('rejectUnhandled'),
    'no memory': (worker: CrunchWorker) => worker.call('exhaust'),
    'a terminate': (worker: CrunchWorker) => worker.terminate(),
  };

  it.each([
    ['process.exit', 'exit', 'has exited with code 3.', undefined],
    [
      'an error in a timer',
      'error',
      'has ended by an error that nothing has caught: in a timer',
      { name: 'OrderError' },
    ],
    [
      'an unhandled rejection',
      'error',
      'has ended by an error that nothing has caught: nobody listens',
      { message: 'nobody listens' },
    ],
    ['no memory', 'out-of-memory', 'has run out of memory', { code: 'ERR_WORKER_OUT_OF_MEMORY' }],
    ['a terminate', 'terminated', 'was terminated', undefined],
  ] as const)('by %s fails all its calls, says so, and is replaced', async (how, end, message, cause) => {
    // Room for what crunch.mjs loads, and not for much more.
    pool = crunchPool({ resourceLimits: { maxOldGenerationSizeMb: 30 } });
    const lease = await pool.acquire();
    const worker = lease.resource;
    const { threadId } = worker;
    const other = rejection(worker.call('stubborn', 'other'));
    void call[how](worker).catch(() => undefined);
    const error = (await other) as WorkerCrashedError;
    expect(error).toBeInstanceOf(WorkerCrashedError);
    expect(error).toMatchObject({ name: 'WorkerCrashedError', code: 'WORKER_CRASHED', end });
    expect(error.message).toContain(`Pool "crunch": worker ${threadId} ${message}`);
    if (cause) expect(error.cause).toMatchObject(cause);
    if (end === 'exit') expect(error.exitCode).toBe(3);

    expect(lease.broken).toBe(true);
    expect(await rejection(worker.call('count'))).toBe(error);
    lease.release();
    expect(await pool.use(next => next.call('who'))).not.toBe(threadId);
    expect(pool.stats()).toMatchObject({ total: 1, totals: { created: 2, destroyed: 1 } });
  });

  it('costs the pool that worker even if its borrower says nothing', async () => {
    pool = crunchPool();
    const error = await rejection(pool.use(worker => worker.call('exit', 1)));
    expect(error).toMatchObject({ end: 'exit', exitCode: 1 });
    expect(await pool.use(worker => worker.call('add', { a: 1, b: 1 }))).toBe(2);
    expect(pool.stats().totals.destroyedBy).toEqual({ fatal: 1 });
  });

  it('is gone from the pool also when it was idle', async () => {
    const reasons: unknown[] = [];
    let gone: () => void;
    const destroyed = new Promise<void>(resolve => (gone = resolve));
    pool = crunchPool({
      listeners: [
        {
          onDestroy: ({ reason, cause }) => {
            reasons.push([reason, (cause as WorkerCrashedError).end]);
            gone();
          },
        },
      ],
    });
    const lease = await pool.acquire();
    // Answered before it ends.
    await lease.resource.call('endSoon');
    lease.release();
    await destroyed;
    expect(reasons).toEqual([['invalid', 'exit']]);
  });
});

describe('a worker that does not start', () => {
  async function failure(script: string, options: Partial<WorkerPoolOptions<Crunch>> = {}): Promise<Error> {
    pool = new Pool(
      workerPool<Crunch>({
        name: 'crunch',
        script: fixture(script),
        unavailableAfter: 1,
        acquireTimeout: 20_000,
        ...options,
      }),
    );
    const error = await rejection(pool.acquire());
    expect(error).toBeInstanceOf(PoolUnavailableError);
    // The pool does not wait for what it has given up.
    await until(
      () => process.getActiveResourcesInfo(),
      active => !active.includes('MessagePort'),
    );
    return (error as Error).cause as Error;
  }

  it('because it hangs is given up after startTimeout', async () => {
    const error = await failure('hangs-at-start.mjs', { startTimeout: 200 });
    expect(error).toBeInstanceOf(WorkerCrashedError);
    expect(error).toMatchObject({ end: 'start-timeout' });
    expect(error.message).toContain('did not serve tasks within startTimeout (200 ms)');
  });

  it('because it hangs is given up after createTimeout, if that is less', async () => {
    const error = await failure('hangs-at-start.mjs', { createTimeout: 200 });
    expect(error.message).toContain('create did not settle within 200 ms');
  });

  it('because it serves nothing says what is missing', async () => {
    const error = await failure('serves-nothing.mjs');
    expect(error).toMatchObject({ end: 'exit', exitCode: 0 });
    expect(error.message).toContain('before it served tasks: its script must call serveTasks');
  });

  it('because its script throws says what it has thrown', async () => {
    const error = await failure('fails-at-start.mjs');
    expect(error).toMatchObject({ end: 'error' });
    expect(error.message).toContain('serveTasks was called already');
  });

  it('because there is no such file makes the pool unavailable at once', async () => {
    const error = await failure('nowhere.mjs', { unavailableAfter: 1_000 });
    expect(error.cause).toMatchObject({ code: 'MODULE_NOT_FOUND' });
  });

  it('because its data cannot be cloned makes the pool unavailable at once', async () => {
    const error = await failure('crunch.mjs', { unavailableAfter: 1_000, workerData: () => 1 });
    expect(error.name).toBe('DataCloneError');
  });
});
