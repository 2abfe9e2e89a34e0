import type { ResourceTarget } from '../reports/target.js';
import type { Clock } from '../time/clock.js';
import type { ResourceFactory } from './factory.js';
import type { SessionHooks } from './hooks.js';
import type { CreateBackoff, PoolSettings, Shed } from './options.js';

/** What a value must be. */
export interface Rule {
  readonly ok: (value: unknown) => boolean;
  readonly allowed: string;
  /** May not be left out. */
  readonly required?: true;
}

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
/** NaN is none that could be at least something. */
const isNumber = (value: unknown): value is number => typeof value === 'number';
export const count = (least: number, infinite = false): Rule => ({
  ok: value =>
    isNumber(value) && value >= least && (Number.isInteger(value) || (infinite && value === Infinity)),
  allowed: `a whole number ≥ ${least}${infinite ? ', or Infinity' : ''}`,
});
export const duration = (least = 0): Rule => ({
  ok: value => isNumber(value) && value >= least,
  allowed: `milliseconds ≥ ${least}, or Infinity`,
});
const finite = (least: number): Rule => ({
  ok: value => isNumber(value) && value >= least && value !== Infinity,
  allowed: `a finite number ≥ ${least}`,
});
export const oneOf = (...values: string[]): Rule => ({
  ok: value => values.includes(value as string),
  allowed: values.map(value => `'${value}'`).join(' or '),
});
const flag: Rule = { ok: value => typeof value === 'boolean', allowed: 'true or false' };
const method: Rule = { ok: value => typeof value === 'function', allowed: 'a function' };

export const SETTINGS: Readonly<Record<keyof PoolSettings, Rule>> = {
  name: { ok: value => typeof value === 'string' && value !== '', allowed: 'a non-empty string' },
  min: count(0),
  minIdle: count(0),
  max: count(1),
  overflow: count(0),
  processes: count(1),
  order: oneOf('lifo', 'fifo'),
  acquireTimeout: duration(),
  maxWaiting: count(0, true),
  createTimeout: duration(1),
  createConcurrency: count(1, true),
  createBackoff: { ok: isObject, allowed: '{ initial?, max?, factor? }' },
  growth: oneOf('adaptive', 'eager', 'single'),
  propagateCreateError: flag,
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
  recycleOnFatal: flag,
  shed: { ok: isObject, allowed: '{ target?, interval? }' },
  leakThreshold: duration(1),
  detectUseAfterRelease: flag,
  destroyTimeout: duration(1),
  listeners: {
    ok: value => Array.isArray(value) && value.every(isObject),
    allowed: 'an array of PoolListener objects',
  },
  clock: {
    ok: value =>
      typeof (value as Clock | null)?.now === 'function' && typeof (value as Clock).setTimer === 'function',
    allowed: 'a Clock: { now(), setTimer(callback, ms) }',
  },
};

export const BACKOFF: Readonly<Record<keyof CreateBackoff, Rule>> = {
  initial: finite(1),
  max: finite(1),
  factor: finite(1),
};

export const SHED: Readonly<Record<keyof Shed, Rule>> = {
  target: finite(1),
  interval: finite(1),
};

export const FACTORY: Readonly<Record<keyof ResourceFactory<unknown> | 'targetOf', Rule>> = {
  create: { ...method, required: true },
  validate: method,
  reset: method,
  destroy: method,
  handle: method,
  begin: method,
  isFatal: method,
  isRetryable: method,
  capacity: method,
  target: {
    ok: isTarget,
    allowed: '{ system?, namespace?, host?, port? }, a number for the port and texts for the others',
  },
  // Of a pool by key only.
  targetOf: method,
};

export const HOOKS: Readonly<Record<keyof SessionHooks<unknown>, Rule>> = {
  onCreate: method,
  onBorrow: method,
  onReturn: method,
};

/** The names of all settings. */
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly (keyof PoolSettings)[];
/** The names of the hooks. */
export const HOOK_NAMES = Object.keys(HOOKS) as readonly (keyof SessionHooks<unknown>)[];
/** The names of the members of a factory. */
export const FACTORY_NAMES = Object.keys(FACTORY) as readonly (keyof ResourceFactory<unknown>)[];

/** It goes to whoever collects metrics, as it is. */
export function isTarget(value: unknown): value is ResourceTarget {
  if (!isObject(value)) return false;
  const { system, namespace, host, port } = value as Record<string, unknown>;
  const texts = [system, namespace, host].every(text => text === undefined || typeof text === 'string');
  return texts && (port === undefined || Number.isInteger(port));
}
