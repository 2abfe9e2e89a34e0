import { holdersOf } from '../state/snapshot.js';
import { time, type Rule } from './rule.js';

/** Leases that are to be measured first. */
const ENOUGH = 32;
const TIMES = 10;
/** Milliseconds: less is long for nobody. */
const LEAST_MS = 100;

/**
 * Some borrowers hold for much longer than most. Speaks when at least 32 leases were measured, and a holder of now, or
 * the slowest in a hundred so far, is above 100 ms and ten times the median. Who it is now is known of the leases that are
 * measured: all of them with `leakThreshold`, which also knows where, or with an `onRelease`. Source: docs/engine.md, "What
 * can go wrong": what is held by one is missing to all others, and the median tells what a borrow needs here.
 */
export const longHolds: Rule = {
  rule: 'long-holds',
  threshold: `${ENOUGH} leases measured or more; one of now, or p99, above ${LEAST_MS} ms and ${TIMES} × the median`,
  source: 'docs/engine.md, leakThreshold and maxHold',
  look(pool) {
    const { count: leases, p50Ms: medianMs, p99Ms } = pool.latencies.hold.summary();
    if (leases < ENOUGH) return undefined;
    const limitMs = Math.max(LEAST_MS, TIMES * medianMs);
    const holders = holdersOf(pool).filter(({ heldMs }) => heldMs > limitMs);
    if (holders.length === 0 && p99Ms <= limitMs) return undefined;
    const held = p99Ms > limitMs ? `one in a hundred for about ${time(p99Ms)} or longer` : '';
    const now = holders[0] ? `${holders.length} now for up to ${time(holders[0].heldMs)}` : '';
    const tracked = pool.settings.leakThreshold !== Infinity;
    return {
      text:
        `Half of the borrowers hold for at most ${time(medianMs)}, ${[held, now].filter(Boolean).join(', and ')}. ` +
        (tracked
          ? 'While it lasts, holders() tells who and where.'
          : 'Set leakThreshold to learn who and where.') +
        ' Give back before what is slow and needs no resource.',
      numbers: { leases, medianMs, p99Ms, holding: holders.length, longestMs: holders[0]?.heldMs ?? 0 },
      ...(holders.length > 0 && { holders }),
    };
  },
};
