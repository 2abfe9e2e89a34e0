import { count, type Rule } from './rule.js';

/**
 * Nothing cleans the resources, although they can be cleaned. Speaks when the first resource had a method that does so
 * by convention (see {@link cleanerOf}), the factory has no `reset`, and one was lent a second time. Source: the guarantee
 * "Returned means clean", docs/engine.md, which holds only with a `reset`.
 */
export const noReset: Rule = {
  rule: 'no-reset',
  threshold: 'a method that cleans, no reset, and more borrows than creates',
  source: 'docs/engine.md, guarantee 8',
  look({ observed, totals }) {
    const { acquired: borrows, created } = totals;
    const { cleaner } = observed;
    if (cleaner === undefined || borrows <= created) return undefined;
    return {
      text:
        `${count(created)} resources were lent ${count(borrows)} times, and nothing cleans them in between, although ` +
        `they have ${cleaner}. Give the pool a reset, or one that does nothing if nothing is left behind.`,
      numbers: { borrows, created },
    };
  },
};

/** By convention these make something as good as new; the surest first. */
const CLEANERS = ['reset', 'resetSession', 'changeUser', 'rollback', 'clear'];
/** All of these together are those of a `Client` of pg. */
const PG_CLIENT = ['query', 'escapeIdentifier', 'setTypeParser'];

/** By what means a resource could be cleaned; undefined when nothing of it says so. Runs the getters of a resource. */
export function cleanerOf(resource: unknown): string | undefined {
  if (typeof resource !== 'object' || resource === null) return undefined;
  const has = (name: string): boolean => typeof (resource as Record<string, unknown>)[name] === 'function';
  try {
    const method = CLEANERS.find(has);
    if (method) return `${method}()`;
    return PG_CLIENT.every(has) ? 'sessions that DISCARD ALL resets' : undefined;
  } catch {
    return undefined;
  }
}
