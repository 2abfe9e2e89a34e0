import { count, time, type Rule } from './rule.js';

const ENOUGH = 100;
const SHARE = 0.5;
/** Milliseconds: nobody minds less. */
const LEAST_MS = 1;

/**
 * Borrowers wait for each other for longer than another resource would take to make, which `max` forbids. Speaks when at
 * least 100 borrowers waited while the pool was full, more than half of them for longer than a create took then, and
 * 1 ms or more on average. Source: the pool's own growth (supply/demand.ts) weighs the same two times below `max`; that the
 * wait grows with the time of a hold is Little's law (1961).
 */
export const waitsAtMax: Rule = {
  rule: 'waits-at-max',
  threshold: `${ENOUGH} waits at max or more, more than half of them longer than a create, ${LEAST_MS} ms or more on average`,
  source: 'Little 1961; HikariCP wiki, About Pool Sizing',
  look({ limits, latencies, observed }) {
    const { waitsAtMax: waits, longWaitsAtMax: longer, waitedAtMaxMs } = observed;
    const meanWaitMs = waitedAtMaxMs / waits;
    if (waits < ENOUGH || longer <= SHARE * waits || meanWaitMs < LEAST_MS) return undefined;
    const { p50Ms: createMs } = latencies.create.summary();
    const { p50Ms: holdMs } = latencies.hold.summary();
    return {
      text:
        `While all of max ${limits.max} were taken, ${count(waits)} borrows waited ${time(meanWaitMs)} on average, ` +
        `${count(longer)} of them for longer than a create takes (${time(createMs)}). Raise max, if the backend has room, or ` +
        `hold for less (now ${time(holdMs)}).`,
      numbers: { waits, longer, meanWaitMs, createMs, holdMs, max: limits.max },
    };
  },
};
