import type { LeaseReleasedError } from '../../engine/index.js';
import type { Thread } from './thread.js';
import type { CallOptions } from './types.js';

/** A worker as somebody may use it, until that is taken away. */
export class WorkerHandle {
  readonly #thread: Thread;
  /** Makes the error for what comes after the end; undefined before. */
  #why: (() => LeaseReleasedError) | undefined = undefined;

  constructor(thread: Thread) {
    this.#thread = thread;
  }

  get threadId(): number {
    return this.#thread.threadId;
  }

  call(task: string, payload?: unknown, options?: CallOptions): Promise<unknown> {
    if (this.#why) return Promise.reject(this.#why());
    return this.#thread.call(task, payload, options);
  }

  terminate(): Promise<void> {
    if (this.#why) return Promise.reject(this.#why());
    return this.#thread.terminate();
  }

  /** Its lease has ended: calls that are still running fail, and so do those to come. */
  revoke(why: () => LeaseReleasedError): void {
    this.#why = why;
    this.#thread.abandon(why);
  }
}
