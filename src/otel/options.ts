import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { KeyedPool, Pool, PoolOptionsError } from '../engine/index.js';
import { checkOwn } from '../engine/options/own.js';
import { oneOf, type Rule } from '../engine/options/rules.js';
import type { AnyPool } from '../scope/index.js';
import { SEMCONVS } from './names.js';

/** A pool of any kind and of any things. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the keys and things of a pool stand in its parameters, too
export type ObservedPool = Pool<any> | KeyedPool<any, any>;

/** What `instrumentPools()` and `otel()` take. */
export interface OtelOptions {
  /** Default: the global one of `@opentelemetry/api`, also one that is registered later. */
  readonly meterProvider?: MeterProvider | undefined;
  /** Default: the global one of `@opentelemetry/api`, also one that is registered later. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Pools that there are already, and that nobody else would tell of. Default none. */
  readonly pools?: readonly ObservedPool[] | undefined;
  /**
   * Whose names the metrics of databases have: those of OpenTelemetry's semantic conventions 1.45, or with `dup` also those
   * that were other ones before (`db.client.connection.max`). Default `1.45`.
   */
  readonly semconv?: (typeof SEMCONVS)[number] | undefined;
  /** A span for each acquire that had to wait, or has failed. Default true. */
  readonly traces?: boolean | undefined;
  /**
   * The histograms `wait_time` and `use_time`: they cost every borrow two looks at the clock and two records. Default true.
   */
  readonly histograms?: boolean | undefined;
}

const provider = (method: string): Rule => ({
  ok: value => typeof (value as Record<string, unknown> | null)?.[method] === 'function',
  allowed: `a provider of @opentelemetry/api, with a ${method}()`,
});
const flag: Rule = { ok: value => typeof value === 'boolean', allowed: 'true or false' };

const RULES: Readonly<Record<keyof OtelOptions, Rule>> = {
  meterProvider: provider('getMeter'),
  tracerProvider: provider('getTracer'),
  pools: {
    ok: value =>
      Array.isArray(value) && value.every(pool => pool instanceof Pool || pool instanceof KeyedPool),
    allowed: 'an array of pools, each a Pool or a KeyedPool',
  },
  semconv: oneOf(...SEMCONVS),
  traces: flag,
  histograms: flag,
};

/** @throws PoolOptionsError naming the option and what is allowed */
export function checkOptions(caller: string, options: OtelOptions): void {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null || 'getMeter' in given) {
    throw new PoolOptionsError(
      'all',
      `${caller}(): its options must be an object, such as { traces: false }.`,
    );
  }
  const unknown = Object.keys(options).find(option => !Object.hasOwn(RULES, option));
  if (unknown !== undefined) {
    const known = Object.keys(RULES).join(', ');
    throw new PoolOptionsError('all', `${caller}(): there is no option "${unknown}"; there are ${known}.`);
  }
  checkOwn('all', `${caller}()`, options, RULES);
}

/** @throws PoolOptionsError */
export function checkProvider(given: unknown): void {
  if (given === undefined || RULES.meterProvider.ok(given)) return;
  throw new PoolOptionsError(
    'all',
    'instrumentPools(): what comes first is a MeterProvider, or undefined for the global one; options come second: ' +
      'instrumentPools(undefined, { pools: [ … ] }).',
  );
}

/** The pool itself, where somebody has put a proxy around it. */
export function asAny(pool: ObservedPool): AnyPool<unknown> {
  return pool.self as AnyPool<unknown>;
}
