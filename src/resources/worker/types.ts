import type { Worker } from 'node:worker_threads';
import type { transfer } from './transfer.js';
import type { Transferred } from './transfer.js';

/** What Node can move to another thread instead of copying it: an `ArrayBuffer`, a `MessagePort`, and some more. */
export type TransferList = NonNullable<Parameters<Worker['postMessage']>[1]>;

/** What a task is given beside its payload. */
export interface TaskContext {
  /**
   * Aborted when nobody waits for the result any more: the caller's own signal has aborted, or the lease has ended. From then
   * on the task has `stopTimeout` to stop, or its worker is terminated. Its reason is a copy of the caller's.
   */
  readonly signal: AbortSignal;
  /** Answers with a value whose parts are moved to the caller, not copied: `return transfer(pixels, [pixels.buffer])`. */
  readonly transfer: typeof transfer;
}

/** A task, as the worker's script writes it. Synchronous or not. */
export type Task = (payload: never, context: TaskContext) => unknown;

/** What a type of tasks has to be: an object or an interface of functions. */
export type TasksOf<T> = { readonly [K in keyof T]: Task };

/** The tasks of a worker of which nothing is known. */
export type UnknownTasks = Readonly<Record<string, (payload: unknown) => unknown>>;

/** Options of one call. */
export interface CallOptions {
  /** Parts of the payload that are moved to the worker, not copied: they are empty here afterwards. Default none. */
  transfer?: TransferList;
  /** Aborts the call: it rejects at once with the signal's reason, and the task is asked to stop. */
  signal?: AbortSignal | undefined;
}

/** What {@link PooledWorker.call} takes after the name of a task: its payload, which may be left out where it may be undefined. */
export type CallArguments<F> = F extends (...args: infer A extends unknown[]) => unknown
  ? A extends []
    ? [payload?: undefined, options?: CallOptions]
    : undefined extends A[0]
      ? [payload?: A[0], options?: CallOptions]
      : [payload: A[0], options?: CallOptions]
  : never;

/** What a task answers, without its promise and without what {@link transfer} has put around it. */
export type TaskResult<F> = F extends (...args: never[]) => infer R ? Unwrapped<Awaited<R>> : never;

type Unwrapped<R> = R extends Transferred<infer V> ? V : R;

declare const TASKS: unique symbol;

/**
 * A thread that one borrower has to itself.
 *
 * @typeParam Tasks what its script serves: `typeof tasks`, or an interface of functions
 */
export interface PooledWorker<Tasks extends TasksOf<Tasks> = UnknownTasks> {
  /** Only for the compiler, which would take workers with other tasks for each other: it compares generic calls loosely. */
  readonly [TASKS]?: Tasks;
  /** Node's number of the thread. */
  readonly threadId: number;
  /**
   * Runs a task in the worker. Several calls may be under way at once; where tasks are synchronous they take turns.
   *
   * Rejects with what the task has thrown (an error has its name, message, stack and code); with the reason of `signal` as
   * soon as that aborts; with a `DataCloneError` when payload or answer cannot be cloned, which costs nobody the worker;
   * with `WorkerCrashedError` when the worker has ended; and with `LeaseReleasedError` when the lease has, before the
   * call or during it.
   */
  call<K extends keyof Tasks & string>(
    task: K,
    ...args: CallArguments<Tasks[K]>
  ): Promise<TaskResult<Tasks[K]>>;
  /**
   * Ends the thread, and resolves when it is gone. For a worker that was detached from its pool; a borrower uses
   * `lease.destroy()`.
   */
  terminate(): Promise<void>;
}
