import { nameOf } from '../basics/name-of.js';
import type { Interior } from '../interior.js';
import {
  summaries,
  type PoolHolder,
  type PoolResource,
  type PoolState,
  type PoolStats,
  type PoolWaiter,
} from '../reports/stats.js';
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

/** Those who hold longest first. */
export function holdersOf<T>({ slots, clock }: Interior<T>): PoolHolder[] {
  const now = clock.now();
  return [...slots]
    .filter(slot => slot.state === 'leased')
    .sort((a, b) => held(b, now) - held(a, now))
    .map(slot => ({
      slot: slot.id,
      heldMs: held(slot, now),
      stack: slot.trace?.stack,
      owner: slot.owner && nameOf(slot.owner),
    }));
}

/** How long it has been leased. */
function held<T>({ lentAt, lentAbout }: Slot<T>, now: number): number {
  return now - (Number.isNaN(lentAt) ? lentAbout : lentAt);
}

/** Everything that there is, in the order it was made. */
export function resourcesOf<T>({ slots, clock, title }: Interior<T>): PoolResource[] {
  const now = clock.now();
  return [...slots].map(slot => {
    const { id, state, uses, bornAt, idleSince, trace, owner } = slot;
    const unborn = state === 'creating' || (state === 'abandoned' && bornAt === 0);
    return {
      slot: id,
      key: title.key,
      state: state as PoolResource['state'],
      ageMs: unborn ? undefined : Math.max(0, now - bornAt),
      forMs: state === 'leased' ? held(slot, now) : state === 'idle' ? now - idleSince : undefined,
      uses,
      owner: owner && nameOf(owner),
      stack: trace?.stack,
    };
  });
}

/** Those who have waited longest first. */
export function waitersOf<T>({ waiters, waits, title }: Interior<T>): PoolWaiter[] {
  const now = waits.now();
  return [...waiters]
    .map(({ since, wish: { priority = 'normal', owner } }) => ({
      key: title.key,
      waitedMs: now - since,
      priority,
      owner: owner && nameOf(owner),
    }))
    .sort((a, b) => b.waitedMs - a.waitedMs);
}
