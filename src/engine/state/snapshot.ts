import { nameOf } from '../basics/name-of.js';
import type { Interior } from '../interior.js';
import { summaries, type PoolHolder, type PoolState, type PoolStats } from '../reports/stats.js';
import type { Slot } from '../slots/slot.js';
import type { Attempts } from '../supply/attempts.js';

/** The counts of this moment. */
export function snapshot<T>(pool: Interior<T>, state: PoolState, { failing }: Attempts<T>): PoolStats {
  const { settings, limits, census, waiters, waits, totals, latencies } = pool;
  const { oldestSince } = waiters;
  return {
    name: settings.name,
    state,
    ...limits,
    total: census.places,
    idle: census.idle,
    leased: census.leased,
    creating: census.creating,
    validating: census.validating,
    preparing: census.preparing,
    resetting: census.resetting,
    closing: census.closing,
    abandoned: census.abandoned,
    waiting: waiters.length,
    oldestWaitMs: oldestSince === undefined ? 0 : waits.now() - oldestSince,
    failing,
    totals: { ...totals, destroyedBy: { ...totals.destroyedBy } },
    latency: summaries(latencies, totals.acquired),
  };
}

/** Those who hold longest first, as far as that is known. */
export function holdersOf<T>({ slots, clock }: Interior<T>): PoolHolder[] {
  const now = clock.now();
  const held = (slot: Slot<T>): number => (Number.isNaN(slot.lentAt) ? 0 : now - slot.lentAt);
  return [...slots]
    .filter(slot => slot.state === 'leased')
    .sort((a, b) => held(b) - held(a))
    .map(slot => ({
      slot: slot.id,
      heldMs: Number.isNaN(slot.lentAt) ? undefined : now - slot.lentAt,
      stack: slot.trace?.stack,
      owner: slot.owner && nameOf(slot.owner),
    }));
}
