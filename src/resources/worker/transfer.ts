import type { TransferList } from './types.js';

/** A value, and which of its parts are moved to the other side. Made by {@link transfer}. */
export class Transferred<V> {
  /** @internal */
  constructor(
    readonly value: V,
    readonly list: TransferList,
  ) {}
}

/**
 * For the answer of a task: moves parts of it to the caller instead of copying them. They are empty in the worker
 * afterwards.
 *
 * ```ts
 * return transfer({ width, pixels }, [pixels.buffer]);
 * ```
 */
export function transfer<V>(value: V, list: TransferList): Transferred<V> {
  return new Transferred(value, list);
}
