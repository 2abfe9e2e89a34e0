import {
  Counter,
  Gauge,
  Histogram,
  type Metric,
  type MetricObjectWithValues,
  type MetricType,
  type MetricValue,
} from 'prom-client';
import { warnUnreadable } from '../module/unreadable.js';
import type { Family, Sample } from './families.js';
import type { Labels } from './options.js';
import { OBSERVER, keyOf, type Reading } from './watched.js';

/** Marks metrics that any copy of this package has made. */
const OURS = Symbol.for('nestjs-pool.prometheus.metric');

type Value = MetricValue<string> & { metricName?: string };

const KINDS = { gauge: Gauge, counter: Counter, histogram: Histogram };

export function isOurs(metric: Metric): boolean {
  return OURS in metric;
}

/**
 * A metric that remembers nothing: what it tells is read when it is asked. prom-client's own keep a value for each set of
 * labels until it is taken away, and can be given a histogram's events only one by one.
 */
export function metricOf(family: Family, name: string, readings: () => readonly Reading[]): Metric {
  const { type, help, combine } = family;
  const metric = new KINDS[type]({ name, help, aggregator: combine, registers: [] });
  const get = async (): Promise<MetricObjectWithValues<MetricValue<string>>> => {
    const named = metric as typeof metric & { name: string };
    const shown = named.name;
    // For OpenMetrics the registry has just cut `_total` off. It is back for who asks in the other format next.
    named.name = name;
    return {
      name: shown,
      help,
      // A number in prom-client's types, and in truth a text.
      type: type as unknown as MetricType,
      aggregator: combine,
      values: valuesOf(family, name, readings()),
    } as MetricObjectWithValues<MetricValue<string>>;
  };
  // A histogram is asked the second way for a text.
  return Object.assign(metric, { get, getForPromString: get, [OURS]: true });
}

/** One value for each set of labels: what several pools say is added up, or the largest of it. */
function valuesOf(family: Family, name: string, readings: readonly Reading[]): Value[] {
  const values = new Map<string, Value>();
  for (const reading of readings) {
    for (const { suffix = '', labels, value } of samplesOf(family, reading)) {
      const all: Labels = { ...reading.labels, ...labels };
      const key = reading.key + suffix + (labels ? keyOf(labels) : '');
      const known = values.get(key);
      if (!known) values.set(key, { ...(suffix && { metricName: name + suffix }), labels: all, value });
      else known.value = family.combine === 'max' ? Math.max(known.value, value) : known.value + value;
    }
  }
  return [...values.values()];
}

/** One of another version, or of somebody else's making, may not have all of it. */
function samplesOf(family: Family, reading: Reading): readonly Sample[] {
  try {
    return family.samples(reading);
  } catch (error) {
    warnUnreadable(reading.pool, OBSERVER, error);
    return [];
  }
}
