import type { INestApplicationContext } from '@nestjs/common';
import { PoolRegistry } from '../module/registry.js';
import type { AnyPool } from '../scope/index.js';

export interface AssertNoLeasesOptions {
  /**
   * Milliseconds that they have for coming back: an answer can reach a test a moment before the end of its request.
   * Default 1 000.
   */
  readonly within?: number;
}

// As they were when this was loaded: a test may have put the time in their place under its own control.
const { setTimeout: later, performance: clock } = globalThis;

/**
 * Fails unless everything that was borrowed is back, and nobody waits.
 *
 * ```ts
 * afterEach(() => assertNoLeases(app));
 * ```
 *
 * @param where an application or a testing module: all its pools, those that a test has put in their place included; or
 *   one pool
 * @throws Error that says which pools, and how much of them
 */
export async function assertNoLeases<T>(
  where: Pick<INestApplicationContext, 'get'> | AnyPool<T>,
  { within = 1_000 }: AssertNoLeasesOptions = {},
): Promise<void> {
  const end = clock.now() + within;
  for (;;) {
    const held = poolsOf(where).flatMap(pool => heldOf(pool));
    if (held.length === 0) return;
    if (clock.now() >= end) {
      throw new Error(
        `Not everything that was borrowed is back after ${within} ms: ${held.join('; ')}. ` +
          'Is a handler still running, or a stream still open? With `leakThreshold` a pool tells where it was borrowed.',
      );
    }
    await new Promise(resolve => later(resolve, 1));
  }
}

function poolsOf<T>(where: Pick<INestApplicationContext, 'get'> | AnyPool<T>): AnyPool<unknown>[] {
  // Not by its class: another copy of this package has classes of its own.
  if ('acquire' in where) return [where as AnyPool<unknown>];
  const registry = where.get(PoolRegistry, { strict: false });
  return registry.knownNames().flatMap(name => registry.find(name) ?? []);
}

function heldOf(pool: AnyPool<unknown>): string[] {
  const { name, leased, resetting, waiting } = pool.stats();
  return leased + resetting + waiting > 0
    ? [`pool "${name}" has ${leased} leased, ${resetting} being reset and ${waiting} waiting`]
    : [];
}
