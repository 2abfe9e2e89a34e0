import type { CreateContext, Handle, ResourceFactory } from '../../engine/index.js';
import { isHopeless } from './errors.js';
import { WorkerHandle } from './handle.js';
import { startThread, type ThreadOptions } from './start.js';
import type { Thread } from './thread.js';
import type { PooledWorker, TasksOf } from './types.js';

/** How a pool makes, checks, cleans and ends its workers. */
export class WorkerFactory<Tasks extends TasksOf<Tasks>> implements ResourceFactory<PooledWorker<Tasks>> {
  // Private for the language too: environment and workerData may hold secrets, and must not appear in a log of the options.
  readonly #options: ThreadOptions;
  readonly #threads = new WeakMap<PooledWorker<Tasks>, Thread>();

  constructor(
    options: ThreadOptions,
    /** The user's own, asked about errors that do not end the worker by themselves. */
    private readonly ownIsFatal: ResourceFactory<PooledWorker<Tasks>>['isFatal'],
  ) {
    this.#options = options;
  }

  // Members of its own, not of a prototype: who takes it apart, `{ ...factory, create }`, keeps the others.

  readonly create = async (context: CreateContext): Promise<PooledWorker<Tasks>> => {
    const thread = await startThread(this.#options, context);
    const worker = new WorkerHandle(thread) as PooledWorker<Tasks>;
    this.#threads.set(worker, thread);
    return worker;
  };

  /** Does its event loop still turn? */
  readonly validate = async (worker: PooledWorker<Tasks>): Promise<void> => {
    await this.thread(worker).ping();
  };

  readonly reset = (worker: PooledWorker<Tasks>): true | Promise<true> => {
    return this.thread(worker).reset();
  };

  readonly destroy = (worker: PooledWorker<Tasks>): Promise<void> => {
    return this.thread(worker).terminate();
  };

  readonly handle = (worker: PooledWorker<Tasks>): Handle<PooledWorker<Tasks>> => {
    const handle = new WorkerHandle(this.thread(worker));
    return {
      resource: handle as PooledWorker<Tasks>,
      revoke: why => handle.revoke(why),
    };
  };

  readonly isFatal = (error: unknown, worker: PooledWorker<Tasks>): boolean => {
    return this.thread(worker).hasEnded || (this.ownIsFatal?.(error, worker) ?? false);
  };

  readonly isRetryable = (error: unknown): boolean => {
    return !isHopeless(error);
  };

  private thread(worker: PooledWorker<Tasks>): Thread {
    const thread = this.#threads.get(worker);
    if (!thread) throw new TypeError('This worker was not made by this factory');
    return thread;
  }
}
