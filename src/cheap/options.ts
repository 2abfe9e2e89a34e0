import { PoolOptionsError } from '../engine/errors.js';
import { checkOwn, wrongOption as wrong } from '../engine/options/own.js';
import { isObject, type Rule } from '../engine/options/rules.js';

export const flag: Rule = { ok: value => typeof value === 'boolean', allowed: 'true or false' };
export const method: Rule = { ok: value => typeof value === 'function', allowed: 'a function' };
export const required = (rule: Rule): Rule => ({ ...rule, required: true });

/** Are the checks on that cost something? Everywhere but in production. */
export const inDevelopment = (): boolean => process.env.NODE_ENV !== 'production';

/**
 * Checks all options at once. One that is undefined is one that was not given.
 *
 * @throws PoolOptionsError naming the option and what is allowed
 */
export function checkOptions<O extends object>(
  pool: string,
  given: O,
  rules: Readonly<Record<keyof O, Rule>>,
): void {
  if (!isObject(given)) throw wrongOption(pool, 'options', given, 'an object');
  const unknown = Object.keys(given).find(key => !Object.hasOwn(rules, key));
  if (unknown !== undefined) {
    const known = Object.keys(rules).join(', ');
    throw new PoolOptionsError(pool, `${pool}: unknown option "${unknown}"; known are ${known}.`);
  }
  checkOwn(pool, pool, given, rules);
}

export function wrongOption(pool: string, option: string, value: unknown, allowed: string): PoolOptionsError {
  return wrong(pool, pool, option, value, allowed);
}
