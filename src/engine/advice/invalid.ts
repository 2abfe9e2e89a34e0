import { count, type Rule } from './rule.js';

const ENOUGH = 10;
const BORROWS_EACH = 2;

/**
 * Resources turn out to be unusable about as often as they are used. Speaks when at least 10 were destroyed for being
 * invalid, one for each two borrows or more: one that has died while it was idle is found by the borrow that has another
 * made, so that a pool of no use at all has one for each borrow. Source: docs/engine.md, `keepAlive` and `idleTimeout`.
 */
export const invalid: Rule = {
  rule: 'invalid',
  threshold: `${ENOUGH} destroyed as invalid or more, one for each ${BORROWS_EACH} borrows or more`,
  source: 'docs/engine.md, keepAlive and idleTimeout',
  look({ totals }) {
    const { invalid = 0 } = totals.destroyedBy;
    const { acquired: borrows } = totals;
    if (invalid < ENOUGH || borrows > BORROWS_EACH * invalid) return undefined;
    return {
      text:
        `${count(invalid)} resources were destroyed as invalid, in ${count(borrows)} borrows: they hardly serve twice. If they ` +
        'die while idle, set idleTimeout or maxLifetime below the limit of what ends them, or keepAlive; if they do not, ' +
        'look at validate.',
      numbers: { invalid, borrows },
    };
  },
};
