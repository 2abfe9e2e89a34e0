import { afterEach, expect, it } from '@jest/globals';
import type { Pool } from '../../src/engine/index.js';
import { LeaseReleasedError } from '../../src/engine/index.js';
import { WorkerCrashedError } from '../../src/resources/worker.js';
import { crunchPool, type CrunchWorker } from '../support/crunch-pool.js';
import { randomFrom } from '../support/random.js';

const MILLISECONDS = 4_000;
const BORROWERS = 8;

let pool: Pool<CrunchWorker>;
afterEach(() => pool.close({ timeout: 0 }));

it('gives no wrong result and loses no lease while workers are killed at random', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = randomFrom(seed);
  pool = crunchPool({ max: 3, stopTimeout: 30, acquireTimeout: 60_000, growth: 'eager' });
  const end = performance.now() + MILLISECONDS;
  const wrong: unknown[] = [];
  const done = { right: 0, aborted: 0, crashed: 0, left: 0 };
  const changed = new Error('changed my mind');
  /** Otherwise nothing was tested; a busy machine needs longer for it. */
  const enough = (): boolean =>
    wrong.length > 0 || (done.right > 100 && Math.min(done.aborted, done.crashed, done.left) > 0);

  async function sum(worker: CrunchWorker, n: number): Promise<void> {
    const result = await worker.call(n % 2 ? 'add' : 'later', { a: n, b: 1 });
    if (result === n + 1) done.right++;
    else wrong.push([n, result]);
  }
  async function one(worker: CrunchWorker, n: number): Promise<void> {
    await sum(worker, n);
    const dice = random();
    const signal = AbortSignal.abort(changed);
    if (dice < 0.02) await worker.call('exit', 1);
    else if (dice < 0.03) await worker.call('throwInTimer');
    else if (dice < 0.05) await worker.terminate();
    else if (dice < 0.07) await aborted(worker.call.bind(worker, 'spin', undefined));
    else if (dice < 0.15) await aborted(worker.call.bind(worker, 'wait', undefined));
    else if (dice < 0.17) await worker.call('count', undefined, { signal });
    else if (dice < 0.3) {
      // Left behind: its result is nobody's.
      worker.call('echo', `left ${n}`).then(
        result => result === `left ${n}` || wrong.push([n, result]),
        (error: unknown) => {
          if (error instanceof LeaseReleasedError || error instanceof WorkerCrashedError) done.left++;
          else wrong.push([n, error]);
        },
      );
    } else await Promise.all([sum(worker, n + 1), sum(worker, n + 2), sum(worker, n + 3)]);
  }
  async function aborted(call: (options: { signal: AbortSignal }) => Promise<unknown>): Promise<void> {
    const aborter = new AbortController();
    setTimeout(() => aborter.abort(changed), 1);
    await call({ signal: aborter.signal });
  }
  async function borrower(from: number): Promise<void> {
    for (let n = from; performance.now() < end || !enough(); n += 10) {
      try {
        await pool.use(worker => one(worker, n));
      } catch (error) {
        if (error === changed) done.aborted++;
        else if (error instanceof WorkerCrashedError) done.crashed++;
        else wrong.push([n, error]);
      }
    }
  }

  await Promise.all(Array.from({ length: BORROWERS }, (_, i) => borrower(i * 1_000_000)));
  expect({ seed, wrong }).toEqual({ seed, wrong: [] });
  await pool.close();
  const { total, leased, totals } = pool.stats();
  expect({ total, leased }).toEqual({ total: 0, leased: 0 });
  expect(totals.acquired).toBe(totals.released);
  expect(totals.created).toBe(totals.destroyed);
  expect(process.getActiveResourcesInfo()).not.toContain('MessagePort');
});
