import type { AcquireOptions, ResizeOptions } from './calls.js';
import { systemClock, type Clock } from './clock.js';
import { PoolOptionsError } from './errors.js';
import type { ResourceFactory } from './factory.js';
import type { PoolListener } from './listener.js';
import { PRIORITIES } from './waiter-queue.js';

/** How long to wait after failed creates: `random() × min(max, initial × factor^(failures − 1))`, full jitter. */
export interface CreateBackoff {
  /** Milliseconds, default 100. */
  initial: number;
  /** Milliseconds, default 10 000. */
  max: number;
  /** Default 2. */
  factor: number;
}

/** When to shed load: CoDel on the time that borrowers queue, see shedding.ts. */
export interface Shed {
  /** Milliseconds a borrower may well have to queue. Default 50. */
  target: number;
  /** The queue is too long when nobody queued for less than `target` in as many milliseconds. Default 2 000. */
  interval: number;
}

/** The settings of a pool. All durations are milliseconds; `Infinity` turns a limit off. */
export interface PoolSettings {
  /** Names the pool in errors, logs and metrics. Default `pool`. */
  name?: string;
  /** Kept alive in total, once the pool has been started or first used. Default 0. */
  min?: number;
  /** At most; counts everything the outside may still see, closing ones included. Default 10. */
  max?: number;
  /** As many beyond `max` are made when borrowers wait, and destroyed when nobody does any more. Default 0. */
  overflow?: number;
  /** Which idle resource goes first: the most recently used (`lifo`, default), or the least (`fifo`, spreads use). */
  order?: 'lifo' | 'fifo';
  /** One deadline over queueing, creating and validating. Default 10 000; 0 = only what is idle now. */
  acquireTimeout?: number;
  /** Waiters beyond it are refused at once. Default `Infinity`. */
  maxWaiting?: number;
  /** A create that takes longer is given up; what it still makes is destroyed. Default 30 000. */
  createTimeout?: number;
  /** How many creates may run at once. Default `Infinity`. */
  createConcurrency?: number;
  /** Default `{ initial: 100, max: 10_000, factor: 2 }`; partial objects merge with it. */
  createBackoff?: Partial<CreateBackoff>;
  /** Failed attempts in a row, with nothing live, after which the pool is unavailable. Default 3. */
  unavailableAfter?: number;
  /** Validate before lending only what was idle for as long. Default 500; 0 = always, `Infinity` = never. */
  validateAfterIdle?: number;
  /** Validate idle resources this often, in the background; at most half of them at once. Default off. */
  keepAlive?: number;
  /** Default 5 000; then destroyed, reason `invalid`. */
  validateTimeout?: number;
  /** Default 5 000; then destroyed, reason `reset-failed`. */
  resetTimeout?: number;
  /** Idle for longer, and more than `min` alive: destroyed. Default 600 000. */
  idleTimeout?: number;
  /**
   * Retired at a random age in [1 − `lifetimeJitter`, 1] × this, when idle or on return. Default 1 800 000. In the last
   * tenth of it, but no more than `createTimeout` before the end, its replacement is made first if there is room.
   */
  maxLifetime?: number;
  /** 0 to 1, default 0.25: so that what was created together does not end together. */
  lifetimeJitter?: number;
  /** Retired after being lent this often. Default `Infinity`. */
  maxUses?: number;
  /** A lease held longer is reported to `onLeak`, and its signal aborted. Default off. */
  maxHold?: number;
  /** What becomes of the resource then: `destroy` takes it from its holder. Default `report`. */
  maxHoldAction?: 'report' | 'destroy';
  /** Whether one fatal error retires everything that is older, as `recycle()` does. Default false. */
  recycleOnFatal?: boolean;
  /** Refuse borrowers while the queue is standing, rather than serve all of them late. Default off. */
  shed?: Partial<Shed>;
  /** A lease held longer is reported with the stack of its acquire, and again when it comes back. Default off. */
  leakThreshold?: number;
  /** A destroy that takes longer is given up and no longer counted. Default 5 000. */
  destroyTimeout?: number;
  /** Told what happens in the pool. */
  listeners?: readonly PoolListener[];
  /** For tests. Default: the process's monotonic clock. */
  clock?: Clock;
}

/** Everything a pool needs: its settings and the members of a {@link ResourceFactory}, or a `factory` object. */
export type PoolOptions<T> = PoolSettings &
  ((ResourceFactory<T> & { factory?: never }) | { factory: ResourceFactory<T>; create?: never });

/** Settings with every default filled in. */
export type ResolvedSettings = Readonly<Required<Omit<PoolSettings, 'createBackoff' | 'shed'>>> & {
  readonly createBackoff: Readonly<CreateBackoff>;
  readonly shed: Readonly<Shed> | undefined;
};

/** How many there may be: the settings that `resize()` changes. */
export type Limits = Pick<ResolvedSettings, 'min' | 'max' | 'overflow'>;

interface Rule {
  readonly ok: (value: unknown) => boolean;
  readonly allowed: string;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isNumber = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value);
const count = (least: number, infinite = false): Rule => ({
  ok: value =>
    isNumber(value) && value >= least && (Number.isInteger(value) || (infinite && value === Infinity)),
  allowed: `a whole number ≥ ${least}${infinite ? ', or Infinity' : ''}`,
});
const duration = (least = 0): Rule => ({
  ok: value => isNumber(value) && value >= least,
  allowed: `milliseconds ≥ ${least}, or Infinity`,
});
const finite = (least: number): Rule => ({
  ok: value => isNumber(value) && value >= least && value !== Infinity,
  allowed: `a finite number ≥ ${least}`,
});
const oneOf = (...values: string[]): Rule => ({
  ok: value => values.includes(value as string),
  allowed: values.map(value => `'${value}'`).join(' or '),
});
const method = (optional: boolean): Rule => ({
  ok: value => typeof value === 'function' || (optional && value === undefined),
  allowed: 'a function',
});

const SETTINGS: Readonly<Record<keyof PoolSettings, Rule>> = {
  name: { ok: value => typeof value === 'string' && value !== '', allowed: 'a non-empty string' },
  min: count(0),
  max: count(1),
  overflow: count(0),
  order: oneOf('lifo', 'fifo'),
  acquireTimeout: duration(),
  maxWaiting: count(0, true),
  createTimeout: duration(1),
  createConcurrency: count(1, true),
  createBackoff: { ok: isObject, allowed: '{ initial?, max?, factor? }' },
  unavailableAfter: count(1, true),
  validateAfterIdle: duration(),
  keepAlive: duration(1),
  validateTimeout: duration(1),
  resetTimeout: duration(1),
  idleTimeout: duration(1),
  maxLifetime: duration(1),
  lifetimeJitter: {
    ok: value => isNumber(value) && value >= 0 && value <= 1,
    allowed: 'a number from 0 to 1',
  },
  maxUses: count(1, true),
  maxHold: duration(1),
  maxHoldAction: oneOf('report', 'destroy'),
  recycleOnFatal: { ok: value => typeof value === 'boolean', allowed: 'true or false' },
  shed: { ok: isObject, allowed: '{ target?, interval? }' },
  leakThreshold: duration(1),
  destroyTimeout: duration(1),
  listeners: {
    ok: value => Array.isArray(value) && value.every(one => typeof one === 'object' && one !== null),
    allowed: 'an array of PoolListener objects',
  },
  clock: {
    ok: value =>
      typeof (value as Clock | null)?.now === 'function' && typeof (value as Clock).setTimer === 'function',
    allowed: 'a Clock: { now(), setTimer(callback, ms) }',
  },
};

const BACKOFF: Readonly<Record<keyof CreateBackoff, Rule>> = {
  initial: finite(1),
  max: finite(1),
  factor: finite(1),
};

const SHED: Readonly<Record<keyof Shed, Rule>> = {
  target: finite(1),
  interval: finite(1),
};

const FACTORY: Readonly<Record<keyof ResourceFactory<unknown>, Rule>> = {
  create: method(false),
  validate: method(true),
  reset: method(true),
  destroy: method(true),
  isFatal: method(true),
  isRetryable: method(true),
};

const DEFAULTS: ResolvedSettings = {
  name: 'pool',
  min: 0,
  max: 10,
  overflow: 0,
  order: 'lifo',
  acquireTimeout: 10_000,
  maxWaiting: Infinity,
  createTimeout: 30_000,
  createConcurrency: Infinity,
  createBackoff: { initial: 100, max: 10_000, factor: 2 },
  unavailableAfter: 3,
  validateAfterIdle: 500,
  keepAlive: Infinity,
  validateTimeout: 5_000,
  resetTimeout: 5_000,
  idleTimeout: 600_000,
  maxLifetime: 1_800_000,
  lifetimeJitter: 0.25,
  maxUses: Infinity,
  maxHold: Infinity,
  maxHoldAction: 'report',
  recycleOnFatal: false,
  shed: undefined,
  leakThreshold: Infinity,
  destroyTimeout: 5_000,
  listeners: [],
  clock: systemClock,
};

const SHED_DEFAULTS: Shed = { target: 50, interval: 2_000 };

/** The names of all settings, for those who have to tell a pool's options from their own. */
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly (keyof PoolSettings)[];
/** The names of the members of a factory. */
export const FACTORY_NAMES = Object.keys(FACTORY) as readonly (keyof ResourceFactory<unknown>)[];

/**
 * Checks what the user gave and fills in the defaults.
 *
 * @throws PoolOptionsError naming the option, its value and what is allowed
 */
export function resolveOptions<T>(given: PoolOptions<T>): {
  settings: ResolvedSettings;
  factory: ResourceFactory<T>;
} {
  const named: unknown = (given as { name?: unknown } | null | undefined)?.name;
  const pool = typeof named === 'string' ? named : DEFAULTS.name;
  if (!isObject(given)) throw wrong(pool, 'options', given, 'an object with a create function');

  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(SETTINGS, key) && !Object.hasOwn(FACTORY, key) && key !== 'factory') {
      throw new PoolOptionsError(pool, `Pool "${pool}": unknown option "${key}"${suggestion(key)}`);
    }
  }
  const { factory, ...settings } = splitFactory(pool, given);
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
  return { settings: resolved, factory };
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

function defined<V extends object>(values: V | undefined): Partial<V> {
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<V>;
}

function check(pool: string, prefix: string, rules: Readonly<Record<string, Rule>>, values: object): void {
  for (const [key, rule] of Object.entries(rules)) {
    const value = (values as Record<string, unknown>)[key];
    if (value === undefined && !(key === 'create' && rules === FACTORY)) continue;
    if (!rule.ok(value)) throw wrong(pool, prefix + key, value, rule.allowed);
  }
  if (rules !== BACKOFF && rules !== SHED) return;
  const unknown = Object.keys(values).find(key => !(key in rules));
  if (unknown) throw new PoolOptionsError(pool, `Pool "${pool}": unknown option "${prefix}${unknown}".`);
}

function wrong(pool: string, option: string, value: unknown, allowed: string): PoolOptionsError {
  return new PoolOptionsError(
    pool,
    `Pool "${pool}": option "${option}" is ${show(value)}; it must be ${allowed}.`,
  );
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
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
    : `; known are ${[...SETTING_NAMES, 'factory', ...FACTORY_NAMES].join(', ')}.`;
}
