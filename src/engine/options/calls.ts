import type { Priority } from '../basics/priority.js';
import type { Limits } from './options.js';

export type { Priority };

// What the methods of a pool take. All durations are milliseconds.

/** What an acquire needs of an `AbortSignal`. */
export interface AcquireSignal {
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(event: 'abort', listener: { handleEvent(): void }): void;
  removeEventListener(event: 'abort', listener: { handleEvent(): void }): void;
}

export interface AcquireOptions {
  /** Until the lease must be there, in place of `acquireTimeout`; 0 = only what is idle now. */
  readonly timeout?: number | undefined;
  /** An `AbortSignal`: gives up the wait when aborted; the acquire then rejects with the signal's reason. */
  readonly signal?: AcquireSignal | undefined;
  /** `high` is served before `normal`, `normal` before `low`; within one, who came first. Default `normal`. */
  readonly priority?: Priority | undefined;
  /**
   * On whose behalf: any object, such as the request. The owner promises to give nothing back while one of its acquires
   * waits, so that the pool can tell a deadlock at once instead of by timeouts.
   */
  readonly owner?: object | undefined;
}

export interface StartOptions {
  /** Until `min` resources must be there. Default: `createTimeout`. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is left out stays as it is. */
export type ResizeOptions = { readonly [L in keyof Limits]?: number | undefined };

export interface RecycleOptions {
  /** Idle resources go one by one, each at a random moment within this time. Default 0: all at once. */
  readonly spread?: number | undefined;
}

export interface CloseOptions {
  /** For the leased ones to come back; then they are destroyed under their holders. Default 10 000. */
  readonly timeout?: number | undefined;
  /** Serve those who wait already, instead of refusing them. Default false. */
  readonly drain?: boolean | undefined;
}
