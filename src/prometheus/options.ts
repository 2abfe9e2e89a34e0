import type { OpenMetricsContentType, Registry } from 'prom-client';

/** Of either of the two formats that prom-client writes. */
export type MetricsRegistry = Registry | Registry<OpenMetricsContentType>;

export interface PoolMetricsOptions {
  /** Where the metrics are registered. Default prom-client's global `register`, which `@willsoto/nestjs-prometheus` serves. */
  registry?: MetricsRegistry;
  /** What all names begin with: letters, digits and underscores, with one at the end. Default `nestjs_pool_`. */
  prefix?: string;
  /**
   * Labels that all series get, beside their own (`pool`, `state`, `reason`, `threshold`, `le`), such as `{ app: 'shop' }`. Tells
   * applications of one process apart: what of two pools has the same labels is added up. Default none.
   */
  labels?: Readonly<Record<string, string>>;
  /** Histograms that cost something. */
  histograms?: {
    /**
     * `use_seconds`: how long leases were held. It makes the pool look at the clock twice for each borrow, where it does so for
     * one in 64 otherwise. Default false.
     */
    use?: boolean;
  };
}

export type Labels = Readonly<Record<string, string>>;

/** What series have of their own. */
const OWN_LABELS: readonly string[] = ['pool', 'state', 'reason', 'threshold', 'le'];

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** @throws TypeError naming the option and what is allowed */
export function checkMetricsOptions(options: unknown): asserts options is PoolMetricsOptions {
  if (!isObject(options)) throw wrong(`its options are ${shown(options)}; they must be an object`);
  known(options, ['registry', 'prefix', 'labels', 'histograms'], '');
  const { registry, prefix, labels, histograms } = options;
  if (registry !== undefined && !isRegistry(registry)) {
    throw wrong(`registry is ${shown(registry)}; it must be a Registry of prom-client`);
  }
  if (prefix !== undefined && !(typeof prefix === 'string' && NAME.test(prefix) && prefix.endsWith('_'))) {
    throw wrong(
      `prefix is ${shown(prefix)}; it must be letters, digits and underscores, with an underscore at its end and no digit ` +
        `at its beginning, such as 'shop_pool_'`,
    );
  }
  if (labels !== undefined) checkLabels(labels);
  if (histograms === undefined) return;
  if (!isObject(histograms)) {
    throw wrong(`histograms is ${shown(histograms)}; it must be an object, such as { use: true }`);
  }
  known(histograms, ['use'], 'histograms.');
  const { use } = histograms;
  if (use !== undefined && typeof use !== 'boolean') {
    throw wrong(`histograms.use is ${shown(use)}; it must be true or false`);
  }
}

/** @throws TypeError when what `collectPools` is given has no pools */
export function checkPools(options: unknown): void {
  if (!isObject(options)) throw wrong(`its options are ${shown(options)}; they must be an object`);
  const { pools } = options;
  if (Array.isArray(pools) && pools.every(isPool)) return;
  throw wrong(`pools is ${shown(pools)}; it must be an array of pools, each a Pool or a KeyedPool`);
}

function checkLabels(labels: unknown): void {
  if (!isObject(labels)) {
    throw wrong(`labels is ${shown(labels)}; it must be an object, such as { app: 'shop' }`);
  }
  for (const [name, value] of Object.entries(labels)) {
    const label = JSON.stringify(name);
    if (OWN_LABELS.includes(name)) {
      throw wrong(`labels has ${label}, which series have of their own; call it something else`);
    }
    if (!NAME.test(name) || name.startsWith('__')) {
      throw wrong(
        `labels has ${label}; names must be letters, digits and underscores, with no digit and no two underscores at their ` +
          'beginning',
      );
    }
    if (typeof value !== 'string') throw wrong(`labels[${label}] is ${shown(value)}; it must be a string`);
  }
}

function known(options: object, names: readonly string[], within: string): void {
  const unknown = Object.keys(options).find(name => !names.includes(name));
  if (unknown === undefined) return;
  const all = names.map(name => within + name).join(', ');
  throw wrong(`unknown option ${JSON.stringify(within + unknown)}; known are ${all}`);
}

function isRegistry(value: unknown): boolean {
  const { getSingleMetric, registerMetric } = Object(value) as Partial<MetricsRegistry>;
  return typeof getSingleMetric === 'function' && typeof registerMetric === 'function';
}

/** Also one of another copy of this package. */
function isPool(value: unknown): boolean {
  const { addListener, stats, histograms } = Object(value) as Record<string, unknown>;
  return [addListener, stats, histograms].every(method => typeof method === 'function');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function wrong(what: string): TypeError {
  return new TypeError(`Metrics of pools: ${what}.`);
}
