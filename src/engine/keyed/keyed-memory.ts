import type { FailureMemory } from '../supply/attempts.js';

/** So many keys are remembered, of each kind; the ones that were seen last. */
const REMEMBERED = 1_000;

/**
 * What is known of keys that have no pool now. Bounded, as keys come from requests: who makes them up makes the pool forget
 * others, and no more.
 */
export class KeyedMemory<K> {
  private readonly failed = new Map<K, FailureMemory>();
  private readonly proven = new Map<K, true>();

  /** The pool of a key goes. */
  keep(key: K, failures: FailureMemory | undefined, proven: boolean): void {
    // An object is not kept from being collected for that, and nobody makes it up.
    if (typeof key === 'object' || typeof key === 'function') return;
    if (failures) remember(this.failed, key, failures);
    if (proven) remember(this.proven, key, true);
  }

  /** There is a pool for it again, which knows from now on. */
  failuresOf(key: K): FailureMemory | undefined {
    const failures = this.failed.get(key);
    this.failed.delete(key);
    return failures;
  }

  isProven(key: K): boolean {
    return this.proven.delete(key);
  }
}

function remember<K, V>(known: Map<K, V>, key: K, value: V): void {
  known.delete(key);
  known.set(key, value);
  if (known.size <= REMEMBERED) return;
  const [oldest] = known.keys();
  known.delete(oldest as K);
}
