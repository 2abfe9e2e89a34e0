import { messageOf } from '../engine/index.js';

/** Who could not read which pool, and has said so. */
const told = new WeakMap<object, Set<string>>();

/**
 * A pool could not be looked at: it is left out, and the others are not. Not without a word: what is missing would be taken for a
 * pool that does nothing.
 *
 * @param who looks, such as `Prometheus`
 */
export function warnUnreadable(pool: { readonly name: string }, who: string, error: unknown): void {
  const observers = told.get(pool) ?? new Set();
  if (observers.has(who)) return;
  told.set(pool, observers.add(who));
  process.emitWarning(
    `Pool "${pool.name}" could not be read for ${who}: ${messageOf(error)}. It is left out as long as that is so; this is told once.`,
    { type: 'PoolUnreadableWarning', detail: error instanceof Error ? (error.stack ?? '') : '' },
  );
}
