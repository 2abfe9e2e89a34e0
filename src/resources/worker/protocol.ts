import type { ThrownCopy } from './thrown-copy.js';

/** Tells the messages of the pool from those of the script's own. The number is that of this protocol. */
export const TAG = 'nestjs-pool.worker/1';

/** What the pool says to a worker. */
export type Request =
  /** The first word. A worker says nothing before it, so that a script can be loaded by others, too. */
  | { readonly kind: 'hello'; readonly reportHeap: boolean }
  | { readonly kind: 'call'; readonly id: number; readonly task: string; readonly payload: unknown }
  | { readonly kind: 'abort'; readonly id: number; readonly reason: ThrownCopy }
  | { readonly kind: 'ping'; readonly id: number };

/** How a call has ended. Every call has exactly one such answer, unless the worker ends before. */
export type Answer = {
  readonly id: number;
  /** Bytes of the heap that are in use, if they are to be reported. */
  readonly heap?: number;
} & (
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'thrown'; readonly thrown: ThrownCopy }
  /** It was aborted, and nobody wants to know how it has ended. */
  | { readonly kind: 'stopped' }
);

/** What a worker says to the pool. */
export type Reply = { readonly kind: 'ready' } | Answer;

export type Tagged<M> = M & { readonly tag: typeof TAG };

export function tagged<M extends object>(message: M): Tagged<M> {
  return { ...message, tag: TAG };
}

/** Is it one of the pool's, which only the other side can have sent? */
export function isTagged<M>(message: unknown): message is Tagged<M> {
  return typeof message === 'object' && message !== null && (message as { tag?: unknown }).tag === TAG;
}
