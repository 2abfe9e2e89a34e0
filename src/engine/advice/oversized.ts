import { count, wasOrWere, type Rule } from './rule.js';

const BORROWS = 1_000;
/** Milliseconds. */
const HOUR = 3_600_000;
const SHARE = 0.5;

/**
 * Most of what there may be has never been in use at once. Speaks when never more than half of `max` were leased in at
 * least 1,000 borrows and an hour since the first; of no pool of a key, whose total is shared. Source: HikariCP, "About
 * Pool Sizing": a pool is to be small, since a server serves few connections better than many.
 */
export const oversized: Rule = {
  rule: 'oversized',
  threshold: `never more than half of max leased, in ${count(BORROWS)} borrows and 60 min or more`,
  source: 'HikariCP wiki, About Pool Sizing',
  look({ census, limits, totals, latencies, clock, share }) {
    const { acquired: borrows } = totals;
    const { mostLeased } = census;
    const { max, min } = limits;
    const forMs = clock.now() - latencies.firstLeaseAt;
    if (share || borrows < BORROWS || !(forMs >= HOUR) || mostLeased > SHARE * max) return undefined;
    const less = min > mostLeased ? 'Lower min and max' : 'Lower max';
    return {
      text:
        `Never more than ${mostLeased} of max ${max} ${wasOrWere(mostLeased)} in use at once, in ${count(borrows)} borrows ` +
        `and ${count(Math.floor(forMs / 60_000))} min. ${less}, if the backend has other clients that need room.`,
      numbers: { mostLeased, max, min, borrows, forMs },
    };
  },
};
