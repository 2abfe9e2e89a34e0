import type { Lease } from '../../src/engine/index.js';
import { checkInvariants, type ScriptedPool } from './invariants.js';
import { turn } from './manual-clock.js';
import type { Thing } from './scripted-factory.js';

/** Borrowers that are never more than `peak` at once, on a pool whose creates are slow. */
export interface SteadyLoad {
  readonly peak: number;
  /** How long a create takes. */
  readonly createMs: number;
  /** The longest that anybody holds a lease. */
  readonly holdMs: number;
}

const STEP = 20;

/**
 * Borrows and gives back at random for a while; then everything has come back.
 *
 * @returns how many had to queue. None does for long: what it waits for is settled at once.
 */
export async function steadyLoad(
  { pool, factory, clock }: ScriptedPool<Thing>,
  { peak, createMs, holdMs }: SteadyLoad,
  duration: number,
  random: () => number,
): Promise<number> {
  const until = clock.now() + duration;
  const before = pool.stats().totals.waited;
  const held = new Map<Lease<Thing>, number>();
  const settle = (age: number): void => {
    for (const call of factory.creates.open) if (clock.now() - call.at >= age) call.settle();
  };
  while (clock.now() < until) {
    settle(createMs);
    await turn();
    for (const [lease, end] of held) {
      if (end > clock.now()) continue;
      held.delete(lease);
      lease.release();
    }
    await turn();
    for (let more = Math.floor(random() * (peak + 1)) - held.size; more > 0; more--) {
      const acquired = pool.acquire();
      await turn();
      if (pool.stats().waiting > 0) settle(0);
      held.set(await acquired, clock.now() + random() * holdMs);
    }
    checkInvariants(pool, factory, clock);
    await clock.advance(STEP);
  }
  for (const lease of held.keys()) lease.release();
  return pool.stats().totals.waited - before;
}
