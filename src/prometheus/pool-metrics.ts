import { register } from 'prom-client';
import type { PoolTelemetry } from '../module/telemetry.js';
import { FAMILIES, USE, type Family } from './families.js';
import { isOurs, metricOf } from './metric.js';
import { checkMetricsOptions, type MetricsRegistry, type PoolMetricsOptions } from './options.js';
import { readAll, watched, type MeasuredPool, type Reading, type Watched } from './watched.js';

/** On a registry: the pools that are watched, by the prefix of their metrics. Whoever else uses this registry finds them there. */
const STATE = Symbol.for('nestjs-pool.prometheus.watched');

interface WithState {
  [STATE]: Map<string, Set<Watched>> | undefined;
}

/** The metrics of pools in one registry. */
export class PoolMetrics implements PoolTelemetry {
  private readonly all: Set<Watched>;
  private readings: readonly Reading[] | undefined = undefined;

  /** @throws TypeError for a wrong option; Error when the registry has another metric of such a name */
  constructor(private readonly options: PoolMetricsOptions) {
    checkMetricsOptions(options);
    const { registry = register, prefix = 'nestjs_pool_', histograms } = options;
    this.register(registry, prefix, histograms?.use ? [...FAMILIES, USE] : FAMILIES);
    this.all = watchedIn(registry, prefix);
  }

  watch(pool: MeasuredPool): () => void {
    const { labels = {}, histograms } = this.options;
    const [one, unlisten] = watched(pool, labels, histograms?.use === true);
    this.all.add(one);
    return () => {
      unlisten();
      this.all.delete(one);
    };
  }

  /** Those that are there already, of another application, of the time before a reload, show these pools too. */
  private register(registry: MetricsRegistry, prefix: string, families: readonly Family[]): void {
    const missing = families.filter(({ name }) => {
      const known = registry.getSingleMetric(prefix + name);
      if (known && !isOurs(known)) {
        throw new Error(
          `Metrics of pools: the registry has another metric ${prefix + name} already. Give these another prefix.`,
        );
      }
      return !known;
    });
    for (const family of missing) {
      registry.registerMetric(metricOf(family, prefix + family.name, () => this.read()));
    }
  }

  /** A registry asks all its metrics in one go: the pools are read once for all of them, and the numbers fit together. */
  private read(): readonly Reading[] {
    if (this.readings) return this.readings;
    queueMicrotask(() => (this.readings = undefined));
    return (this.readings = readAll(this.all));
  }
}

function watchedIn(registry: MetricsRegistry, prefix: string): Set<Watched> {
  const holder = registry as object as WithState;
  const state = (holder[STATE] ??= new Map<string, Set<Watched>>());
  const known = state.get(prefix);
  if (known) return known;
  const first = new Set<Watched>();
  state.set(prefix, first);
  return first;
}
