import type { PoolName } from '../module/pools.js';
import { faultOf, type ReadinessOptions } from './readiness.js';

export const HEALTH_OPTIONS = Symbol('nestjs-pool.health-options');

export interface PoolHealthModuleOptions {
  /** Where the routes are: `<path>/live`, `<path>/ready`, `<path>/startup`. Default `health`. */
  path?: string;
  /** Which pools readiness and startup ask for; as an object, with options of their own. Default all of the application. */
  pools?: readonly PoolName[] | Readonly<Partial<Record<PoolName, ReadinessOptions>>>;
  /** For every pool that has none of its own. */
  readiness?: ReadinessOptions;
  /** Put on the controller: what lets it through your global guards, or out of your API's description. */
  decorators?: readonly ClassDecorator[];
}

const KEYS = ['path', 'pools', 'readiness', 'decorators'];

/** @throws TypeError */
export function checkHealthOptions(options: PoolHealthModuleOptions): void {
  for (const key of Object.keys(options)) {
    if (!KEYS.includes(key)) {
      throw new TypeError(`PoolHealthModule: there is no option ${key}; there are ${KEYS.join(', ')}.`);
    }
  }
  const { path = '', pools = [], readiness } = options;
  if (typeof path !== 'string') {
    throw new TypeError(`PoolHealthModule: path is ${String(path)}; it must be a string, such as 'health'.`);
  }
  if (readiness) check('readiness', readiness);
  for (const [name, own] of Object.entries(ownOptions(pools))) check(`pools['${name}']`, own);
}

/** The options of each pool that has some of its own. */
export function ownOptions(pools: PoolHealthModuleOptions['pools']): Record<string, ReadinessOptions> {
  return !pools || Array.isArray(pools) ? {} : (pools as Record<string, ReadinessOptions>);
}

/** @returns undefined for all */
export function chosenNames(pools: PoolHealthModuleOptions['pools']): readonly string[] | undefined {
  return Array.isArray(pools) ? (pools as readonly string[]) : pools && Object.keys(pools);
}

function check(where: string, options: ReadinessOptions): void {
  const fault = faultOf(options);
  if (fault) throw new TypeError(`PoolHealthModule: ${where}: ${fault}.`);
}
