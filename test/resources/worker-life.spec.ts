import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Pool } from '../../src/engine/index.js';
import { fixture } from '../support/crunch.js';
import { crunchPool, rejection, type CrunchWorker } from '../support/crunch-pool.js';
import { until } from '../support/until.js';

let pool: Pool<CrunchWorker>;
afterEach(() => pool.close({ timeout: 0 }));

/** Runs a program of the fixtures. */
function run(program: string): { stdout: string; stderr: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [fixture(program)], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { stdout, stderr, status };
}

/** Each worker has a port to it. */
const threads = (): number => process.getActiveResourcesInfo().filter(kind => kind === 'MessagePort').length;

describe('close', () => {
  it('leaves no thread, whatever the workers are doing', async () => {
    expect(threads()).toBe(0);
    pool = crunchPool({ max: 3, min: 3 });
    await pool.start();
    const busy = await pool.acquire();
    const waiting = await pool.acquire();
    const calls = [rejection(busy.resource.call('spin')), rejection(waiting.resource.call('wait'))];
    expect(threads()).toBe(3);
    await pool.close({ timeout: 0 });
    await Promise.all(calls);
    expect(threads()).toBe(0);
  });

  it('leaves no thread that was being made', async () => {
    pool = crunchPool({ script: fixture('hangs-at-start.mjs') });
    const starting = rejection(pool.acquire());
    await new Promise(resolve => setImmediate(resolve));
    expect(threads()).toBe(1);
    await pool.close({ timeout: 0 });
    await starting;
    // The pool does not wait for what it has given up.
    await until(threads, count => count === 0);
  });
});

describe('a worker', () => {
  it('whose heap has become too large is replaced when it comes back', async () => {
    const causes: unknown[] = [];
    pool = crunchPool({ maxHeapMb: 60, listeners: [{ onDestroy: ({ cause }) => causes.push(cause) }] });
    const first = await pool.use(worker => worker.call('who'));
    const lease = await pool.acquire();
    expect(lease.resource.threadId).toBe(first);
    await lease.resource.call('fill', 80);
    // Its borrower may still work with it.
    expect(await lease.resource.call('who')).toBe(first);
    lease.release();
    await lease.finished;
    expect(await pool.use(worker => worker.call('who'))).not.toBe(first);
    expect(pool.stats().totals.destroyedBy).toEqual({ 'reset-failed': 1 });
    expect((causes[0] as Error).message).toMatch(/uses \d+ MB of heap, more than maxHeapMb \(60\)/);
  });

  it('may have any heap without maxHeapMb', async () => {
    pool = crunchPool();
    await pool.use(worker => worker.call('fill', 80));
    await pool.use(worker => worker.call('who'));
    expect(pool.stats().totals.created).toBe(1);
  });

  it('keeps nothing of the calls that have ended', async () => {
    // Some 500 bytes kept of each call would be too many.
    pool = crunchPool({ resourceLimits: { maxOldGenerationSizeMb: 24 } });
    await pool.use(async worker => {
      for (let round = 0; round < 60; round++) {
        await Promise.all(Array.from({ length: 1_000 }, () => worker.call('count')));
      }
      expect(await worker.call('count')).toBe(60_001);
    });
  });

  it('whose event loop hangs is found by the validation', async () => {
    pool = crunchPool({ validateAfterIdle: 0, validateTimeout: 200 });
    const first = await pool.use(async worker => {
      await worker.call('spinInBackground');
      return worker.threadId;
    });
    expect(await pool.use(worker => worker.call('who'))).not.toBe(first);
    expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
  });

  it('that is well passes the validation', async () => {
    pool = crunchPool({ validateAfterIdle: 0 });
    const first = await pool.use(worker => worker.call('who'));
    expect(await pool.use(worker => worker.call('who'))).toBe(first);
  });

  it('is its borrower’s own once it is detached', async () => {
    pool = crunchPool();
    const lease = await pool.acquire();
    const worker = lease.detach();
    await pool.close();
    expect(await worker.call('add', { a: 1, b: 2 })).toBe(3);
    expect(threads()).toBe(1);
    await worker.terminate();
    expect(threads()).toBe(0);
    expect(await rejection(worker.call('count'))).toMatchObject({ end: 'terminated' });
  });

  it('prints to the output of the process, which ends when its pool is closed', () => {
    expect(run('prints.mjs')).toEqual({ stdout: 'from the thread\n', stderr: '', status: 0 });
  });
});

describe('serveTasks', () => {
  it('does nothing on the main thread but give back the tasks', () => {
    expect(run('alone.mjs')).toEqual({ stdout: '42\n', stderr: '', status: 0 });
  });
});
