import { guarded } from '../basics/user-code.js';
import type { Interior } from '../interior.js';
import type { Advice, Capacity } from '../reports/advice.js';
import { cheapCreate } from './cheap-create.js';
import { invalid } from './invalid.js';
import { longHolds } from './long-holds.js';
import { cleanerOf, noReset } from './no-reset.js';
import { oversized } from './oversized.js';
import type { Rule } from './rule.js';
import { serverLimit } from './server-limit.js';
import { validateTimeout } from './validate-timeout.js';
import { waitsAtMax } from './waits-at-max.js';

/** Each speaks for itself; what keeps a pool from serving comes first. */
const RULES: readonly Rule[] = [
  serverLimit,
  invalid,
  waitsAtMax,
  longHolds,
  noReset,
  validateTimeout,
  oversized,
  cheapCreate,
];

/** What all rules have to say. */
export function advise<T>(pool: Interior<T>): Advice[] {
  return RULES.flatMap(rule => adviceBy(rule, pool) ?? []);
}

/** Looks at the first resource that a pool has made, and asks its factory, once, what the other side admits. */
export function lookOnce<T>(pool: Interior<T>, resource: T): void {
  const { factory, observed, watch, settings, clock } = pool;
  if (factory.reset === undefined) observed.cleaner = cleanerOf(resource);
  if (factory.capacity === undefined) return;
  guarded<Capacity | undefined>(
    () => factory.capacity?.(),
    outcome => {
      if (!outcome.ok || !isCapacity(outcome.value)) return;
      observed.capacity = outcome.value;
      const advice = adviceBy(serverLimit, pool);
      if (advice) watch.onAdvice?.({ pool: settings.name, at: clock.now(), advice });
    },
  );
}

function adviceBy<T>(by: Rule, pool: Interior<T>): Advice | undefined {
  const { rule, threshold, source } = by;
  const found = by.look(pool);
  return found && { rule, threshold, source, ...found };
}

/** It comes from user code. */
function isCapacity(value: Capacity | undefined): value is Capacity {
  return typeof value?.limit === 'number' && typeof (value.reserved ?? 0) === 'number';
}
