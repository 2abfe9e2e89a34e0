import { time, type Rule } from './rule.js';

/**
 * A validation that hangs fills a place for longer than anybody waits for one. Speaks when `validateTimeout` is above an
 * `acquireTimeout` that is not 0, in a pool that validates and has made something. Source: docs/engine.md, "Lateness":
 * borrowers are given another one before that, as long as there is room.
 */
export const validateTimeout: Rule = {
  rule: 'validate-timeout',
  threshold: 'validateTimeout above acquireTimeout',
  source: 'docs/engine.md, Lateness',
  look({ factory, settings, totals }) {
    const { validateTimeout: validateMs, acquireTimeout: acquireMs, validateAfterIdle, keepAlive } = settings;
    const validates = factory.validate && (validateAfterIdle !== Infinity || keepAlive !== Infinity);
    if (!validates || totals.created === 0 || acquireMs === 0 || validateMs <= acquireMs) return undefined;
    return {
      text:
        `A validation that hangs fills a place for ${time(validateMs)} (validateTimeout), while borrowers give up after ` +
        `${time(acquireMs)} (acquireTimeout). Lower validateTimeout.`,
      numbers: { validateMs, acquireMs },
    };
  },
};
