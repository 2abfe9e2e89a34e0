import { KeyedPool, PoolUnavailableError, type Pool } from '../engine/index.js';
import { startTimer } from '../engine/time/timer.js';
import type { RegisteredPool } from './registry.js';

/**
 * Starts a pool with its application. A `warm` one is given up as soon as its creates keep failing: the application goes on
 * without it. A `required` one that is not there yet, such as a database that starts beside the application, is waited
 * for as long as there is time, and trying is of use.
 *
 * @throws what the pool could not be started for
 */
export async function startPool({ pool, start, startTimeout }: RegisteredPool): Promise<void> {
  if (start === 'lazy' || pool instanceof KeyedPool) return;
  const until = performance.now() + startTimeout;
  for (;;) {
    const left = Math.max(0, until - performance.now());
    try {
      await fill(pool, left);
      return;
    } catch (error) {
      if (start === 'warm' || left === 0 || !(error instanceof PoolUnavailableError) || error.hopeless)
        throw error;
      await recovery(pool, until - performance.now());
    }
  }
}

async function fill(pool: Pool<unknown>, timeout: number): Promise<void> {
  const { min } = pool.stats();
  await pool.start({ timeout });
  // At least one, also where none is kept: or else nothing would have been tried.
  if (min === 0) await pool.use(() => undefined, { timeout });
}

/** Until a create has succeeded, which the pool goes on trying by itself, or so many milliseconds have passed. */
async function recovery(pool: Pool<unknown>, ms: number): Promise<void> {
  if (pool.stats().state !== 'unavailable') return;
  await new Promise<void>(resolve => {
    const done = (): void => {
      timer.cancel();
      forget();
      resolve();
    };
    const timer = startTimer(done, ms);
    const forget = pool.addListener({
      onStateChange: ({ to }) => {
        if (to !== 'unavailable') done();
      },
    });
  });
}
