import { PoolOptionsError } from '../errors.js';
import type { AcquireOptions, Priority, ResizeOptions } from './calls.js';
import type { ResourceFactory } from './factory.js';
import type { SessionHooks } from './hooks.js';
import {
  DEFAULTS,
  SHED_DEFAULTS,
  type Limits,
  type PoolOptions,
  type PoolSettings,
  type ResolvedSettings,
} from './options.js';
import {
  BACKOFF,
  FACTORY,
  FACTORY_NAMES,
  HOOKS,
  HOOK_NAMES,
  SETTINGS,
  SETTING_NAMES,
  SHED,
  count,
  duration,
  isObject,
  oneOf,
  type Rule,
} from './rules.js';

const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low'];

/**
 * Checks what the user gave and fills in the defaults.
 *
 * @throws PoolOptionsError naming the option, its value and what is allowed
 */
export function resolveOptions<T>(given: PoolOptions<T>): {
  settings: ResolvedSettings;
  factory: ResourceFactory<T>;
  hooks: SessionHooks<T>;
} {
  const named: unknown = (given as { name?: unknown } | null | undefined)?.name;
  const pool = typeof named === 'string' ? named : DEFAULTS.name;
  if (!isObject(given)) throw wrong(pool, 'options', given, 'an object with a create function');

  for (const key of Object.keys(given)) {
    if (![SETTINGS, FACTORY, HOOKS].some(known => Object.hasOwn(known, key)) && key !== 'factory') {
      throw new PoolOptionsError(pool, `Pool "${pool}": unknown option "${key}"${suggestion(key)}`);
    }
  }
  const { factory, ...settings } = splitFactory(pool, given);
  const hooks = takeHooks(pool, given, settings);
  // An option that is undefined is an option that was not given, as in { max: config.max }.
  const present = defined(settings);
  check(pool, '', SETTINGS, present);
  check(pool, 'createBackoff.', BACKOFF, settings.createBackoff ?? {});
  check(pool, 'shed.', SHED, settings.shed ?? {});

  const backoff = { ...DEFAULTS.createBackoff, ...defined(settings.createBackoff) };
  const shed = settings.shed && { ...SHED_DEFAULTS, ...defined(settings.shed) };
  const resolved: ResolvedSettings = { ...DEFAULTS, ...present, createBackoff: backoff, shed };
  checkMin(pool, resolved);
  if (backoff.initial > backoff.max) {
    throw wrong(
      pool,
      'createBackoff.initial',
      backoff.initial,
      `at most createBackoff.max, which is ${backoff.max}`,
    );
  }
  return { settings: resolved, factory, hooks };
}

/**
 * Checks a duration given to a call, such as the timeout of an acquire.
 *
 * @throws PoolOptionsError
 */
export function checkDuration(pool: string, name: string, value: unknown): void {
  const rule = duration();
  if (!rule.ok(value)) throw wrong(pool, name, value, rule.allowed);
}

/**
 * The limits of a pool after a resize.
 *
 * @throws PoolOptionsError naming the option, its value and what is allowed
 */
export function resizedLimits(pool: string, now: Limits, changes: ResizeOptions): Limits {
  if (!isObject(changes)) throw wrong(pool, 'resize', changes, '{ min?, max?, overflow? }');
  const unknown = Object.keys(changes).find(key => !Object.hasOwn(now, key));
  if (unknown)
    throw wrong(pool, unknown, (changes as never)[unknown], 'left out: resize takes min, max, overflow');
  check(pool, '', { min: SETTINGS.min, max: SETTINGS.max, overflow: SETTINGS.overflow }, changes);
  const { min = now.min, max = now.max, overflow = now.overflow } = changes;
  checkMin(pool, { min, max });
  return { min, max, overflow };
}

/**
 * Checks the options of an acquire.
 *
 * @throws PoolOptionsError
 */
export function checkWish(pool: string, { timeout, priority, owner }: AcquireOptions): void {
  if (timeout !== undefined) checkDuration(pool, 'timeout', timeout);
  if (priority !== undefined && !PRIORITIES.includes(priority)) {
    throw wrong(pool, 'priority', priority, oneOf(...PRIORITIES).allowed);
  }
  if (owner !== undefined && !isObject(owner) && typeof owner !== 'function') {
    throw wrong(pool, 'owner', owner, 'an object');
  }
}

/**
 * Checks a count that is not among the settings.
 *
 * @throws PoolOptionsError
 */
export function checkCount(pool: string, name: string, value: unknown): void {
  const rule = count(1);
  if (!rule.ok(value)) throw wrong(pool, name, value, rule.allowed);
}

/**
 * Checks that an option that makes no sense here was not given.
 *
 * @throws PoolOptionsError
 */
export function checkLeftOut(pool: string, name: string, value: unknown, why: string): void {
  if (value !== undefined) throw wrong(pool, name, value, `left out: ${why}`);
}

function checkMin(pool: string, { min, max }: Pick<Limits, 'min' | 'max'>): void {
  if (min > max) throw wrong(pool, 'min', min, `at most max, which is ${max}`);
}

function splitFactory<T>(
  pool: string,
  given: PoolOptions<T>,
): PoolSettings & { factory: ResourceFactory<T> } {
  const settings: Record<string, unknown> = { ...given };
  const own = FACTORY_NAMES.filter(name => name in settings && settings[name] !== undefined);
  const object = given.factory;
  if (object !== undefined) {
    if (!isObject(object)) {
      throw wrong(pool, 'factory', object, 'an object with a create function');
    }
    if (own[0]) throw wrong(pool, own[0], settings[own[0]], 'left out when a factory object is given');
    check(pool, 'factory.', FACTORY, object);
    return { ...(settings as PoolSettings), factory: object };
  }
  check(pool, '', FACTORY, settings);
  // The members stay methods of the object they were given on, so that `this` in them is what the user expects.
  for (const name of FACTORY_NAMES) Reflect.deleteProperty(settings, name);
  return { ...(settings as PoolSettings), factory: given };
}

/** Takes the hooks out of the settings. `this` in them is what they were given on, as in the members of a factory. */
function takeHooks<T>(pool: string, given: PoolOptions<T>, settings: object): SessionHooks<T> {
  check(pool, '', HOOKS, given);
  const hooks: Record<string, unknown> = {};
  for (const name of HOOK_NAMES) {
    Reflect.deleteProperty(settings, name);
    const hook = (given as unknown as Record<string, unknown>)[name];
    if (typeof hook === 'function') hooks[name] = hook.bind(given) as unknown;
  }
  return hooks;
}

function defined<V extends object>(values: V | undefined): Partial<V> {
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<V>;
}

function check(pool: string, prefix: string, rules: Readonly<Record<string, Rule>>, values: object): void {
  for (const [key, rule] of Object.entries(rules)) {
    const value = (values as Record<string, unknown>)[key];
    if (value === undefined && !rule.required) continue;
    if (!rule.ok(value)) throw wrong(pool, prefix + key, value, rule.allowed);
  }
  if (rules !== BACKOFF && rules !== SHED) return;
  const unknown = Object.keys(values).find(key => !(key in rules));
  if (unknown) throw new PoolOptionsError(pool, `Pool "${pool}": unknown option "${prefix}${unknown}".`);
}

function wrong(pool: string, option: string, value: unknown, allowed: string): PoolOptionsError {
  return new PoolOptionsError(
    pool,
    `Pool "${pool}": option "${option}" is ${show(value, allowed)}; it must be ${allowed}.`,
  );
}

/** A text may be a connection string with a password, above all where no text was expected: it is told if it is harmless. */
const HARMLESS = /^[\w .-]{0,12}$/;

function show(value: unknown, allowed: string): string {
  if (typeof value === 'string') {
    return HARMLESS.test(value) && !/^an? (object|function)|^\{/.test(allowed) ? `"${value}"` : 'a string';
  }
  if (typeof value === 'symbol' || typeof value === 'bigint') return `a ${typeof value}`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}

/** Names the option that was probably meant. */
function suggestion(key: string): string {
  const plain = (name: string): string =>
    name.toLowerCase().replace(/(millis|ms|count|size|connections)$/, '');
  const meant = SETTING_NAMES.find(name => plain(name) === plain(key));
  return meant
    ? `; did you mean "${meant}"?`
    : `; known are ${[...SETTING_NAMES, 'factory', ...FACTORY_NAMES, ...HOOK_NAMES].join(', ')}.`;
}
