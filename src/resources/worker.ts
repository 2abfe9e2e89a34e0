import type { PoolSettings, ResourceFactory, SessionHooks } from '../engine/index.js';
import { WorkerFactory } from './worker/factory.js';
import { split, type WorkerPoolOptions } from './worker/options.js';
import type { PooledWorker, TasksOf, UnknownTasks } from './worker/types.js';

export { WorkerCrashedError, type WorkerEnd } from './worker/errors.js';
export { serveTasks } from './worker/serve.js';
export { transfer, type Transferred } from './worker/transfer.js';
export type * from './worker/types.js';
export type { WorkerPoolOptions };

/** What {@link workerPool} makes: options for `new Pool()`, or for a definition in `PoolModule`. */
export type WorkerPool<Tasks extends TasksOf<Tasks>> = PoolSettings &
  SessionHooks<PooledWorker<Tasks>> & {
    factory: ResourceFactory<PooledWorker<Tasks>>;
  };

/**
 * A pool of worker threads (`node:worker_threads`) that keep what they have loaded, each of which one borrower at a time
 * has to itself.
 *
 * ```ts
 * import type { Tasks } from './crunch.worker.js';
 *
 * const pool = new Pool(workerPool<Tasks>({ script: new URL('./crunch.worker.js', import.meta.url), max: 4 }));
 * const small = await pool.use(worker => worker.call('resize', image, { transfer: [image.buffer], signal }));
 * ```
 *
 * A call whose signal aborts rejects at once, and so does every call that is still running when its lease ends. The worker
 * is lent again only when its tasks have really stopped; if they do not within `stopTimeout`, it is terminated. A late
 * answer reaches nobody. A worker that has ended fails its calls with `WorkerCrashedError`, and is replaced.
 *
 * What the workers print goes to the stdout and stderr of the process. Threads keep the process alive: close the pool.
 *
 * @typeParam Tasks what the script serves: `typeof tasks`, or an interface of functions
 * @typeParam Name the pool's name, for a definition of a `PoolModule` whose `Pools` are declared:
 * `workerPool<Tasks, 'crunch'>({ name: 'crunch', … })`
 * @throws PoolOptionsError when an option of the workers is not what it must be; the pool itself checks the others
 */
export function workerPool<Tasks extends TasksOf<Tasks> = UnknownTasks, const Name extends string = string>(
  options: WorkerPoolOptions<Tasks> & { name: Name },
): WorkerPool<Tasks> & { name: Name };
export function workerPool<Tasks extends TasksOf<Tasks> = UnknownTasks>(
  options: WorkerPoolOptions<Tasks>,
): WorkerPool<Tasks>;
export function workerPool<Tasks extends TasksOf<Tasks>>(
  options: WorkerPoolOptions<Tasks>,
): WorkerPool<Tasks> {
  const { settings, thread, isFatal } = split(options);
  return { ...settings, factory: new WorkerFactory<Tasks>(thread, isFatal) };
}
