import { Pool } from '../../src/engine/index.js';
import { workerPool, type PooledWorker, type WorkerPoolOptions } from '../../src/resources/worker.js';
import { fixture, type Crunch } from './crunch.js';

export type CrunchWorker = PooledWorker<Crunch>;

/** A pool of workers that run fixtures/crunch.mjs, of one unless told otherwise. */
export function crunchPool(options: Partial<WorkerPoolOptions<Crunch>> = {}): Pool<CrunchWorker> {
  return new Pool(workerPool<Crunch>({ name: 'crunch', script: fixture('crunch.mjs'), max: 1, ...options }));
}

/** What a promise rejects with. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    value => {
      throw new Error(`resolved with ${String(value)}`);
    },
    (error: unknown) => error,
  );
}
