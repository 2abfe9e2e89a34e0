import { PoolOptionsError } from '../errors.js';
import type { Rule } from './rules.js';

/**
 * Checks the options that something has of its own, beside those of a pool. One that is undefined is one that was not given.
 *
 * @param title how a message begins: `Pool "orders"`, or what else it is
 * @throws PoolOptionsError naming the option and what is allowed
 */
export function checkOwn(
  pool: string,
  title: string,
  given: object,
  rules: Readonly<Record<string, Rule>>,
): void {
  for (const [option, { ok, allowed, required }] of Object.entries(rules)) {
    const value = (given as Record<string, unknown>)[option];
    if (value === undefined && !required) continue;
    if (!ok(value)) throw wrongOption(pool, title, option, value, allowed);
  }
}

export function wrongOption(
  pool: string,
  title: string,
  option: string,
  value: unknown,
  allowed: string,
): PoolOptionsError {
  return new PoolOptionsError(
    pool,
    `${title}: option "${option}" is ${kindOf(value)}; it must be ${allowed}.`,
  );
}

/** What it is, but of a text or an object not what it says: that may be a secret, or a secret in the wrong place. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
