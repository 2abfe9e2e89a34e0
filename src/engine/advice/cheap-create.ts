import { count, time, type Rule } from './rule.js';

/** Creates that are to be measured first, as the first ones are slow in any case. */
const ENOUGH = 10;
/** Milliseconds. Nothing that waits for another process, and be it on the same machine, takes so little. */
const CHEAP_MS = 0.01;

/**
 * Making one takes so little that a pool saves nothing worth its queue and its limits. Speaks when half of at least 10
 * creates took at most 10 µs. What the pool itself does in that time is a part of them, 2 to 5 µs while it is new. Source:
 * docs/engine.md, "When not to pool", and docs/cheap-pools.md, which measures.
 */
export const cheapCreate: Rule = {
  rule: 'cheap-create',
  threshold: `half of ${ENOUGH} creates or more took at most ${time(CHEAP_MS)}`,
  source: 'docs/engine.md, "When not to pool"; docs/cheap-pools.md',
  look({ latencies }) {
    const { count: creates, p50Ms: medianMs } = latencies.create.summary();
    if (creates < ENOUGH || medianMs > CHEAP_MS) return undefined;
    return {
      text:
        `Half of ${count(creates)} creates took at most ${time(medianMs)}. A pool saves next to nothing of that. Make a new ` +
        'one each time, unless it opens something only when it is first used.',
      numbers: { creates, medianMs },
    };
  },
};
