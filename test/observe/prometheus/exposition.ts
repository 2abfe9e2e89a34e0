import parse from 'parse-prometheus-text-format';
import { get } from '../../support/http-client.js';

export type Labels = Readonly<Record<string, string>>;

export interface Series {
  readonly labels: Labels;
  readonly value: number;
}

export interface Histogram {
  readonly labels: Labels;
  readonly count: number | undefined;
  readonly sum: number | undefined;
  /** Bounds and counts, in the order they stand there. */
  readonly buckets: readonly (readonly [bound: number, count: number])[];
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  /** Of a histogram none. */
  readonly series: readonly Series[];
  readonly histograms: readonly Histogram[];
}

/** What Prometheus is told in one scrape. */
export class Exposition {
  readonly families: readonly Family[];

  constructor(readonly text: string) {
    const types = new Map(
      [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]),
    );
    // The parser throws the histograms of one metric together, whatever their labels: their series are read as what they are.
    const parsed = parse(text.replace(/^(# TYPE \S+) histogram$/gm, '$1 untyped'));
    // Those of a histogram come once for each of its sets of labels.
    const all = new Map<string, Series[]>();
    for (const { name, metrics } of parsed) {
      const series = metrics.map(({ labels = {}, value }) => ({ labels, value: Number(value) }));
      all.set(name, [...(all.get(name) ?? []), ...series]);
    }
    this.families = parsed
      .filter(({ name }) => types.has(name))
      .map(({ name, help }) => ({
        ...{ name, help, type: types.get(name)!, series: all.get(name)! },
        histograms: types.get(name) === 'histogram' ? histograms(name, all) : [],
      }));
  }

  static async of(url: string): Promise<Exposition> {
    const { status, body, headers } = await get(`${url}/metrics`);
    if (status !== 200) throw new Error(`/metrics answers ${status}: ${body}`);
    if (!headers['content-type']?.startsWith('text/plain')) throw new Error('/metrics is no plain text');
    return new Exposition(body);
  }

  family(name: string): Family | undefined {
    return this.families.find(family => family.name === name);
  }

  /** All series of a metric that have these labels, and maybe others. */
  series(name: string, labels: Labels = {}): readonly Series[] {
    return (this.family(name)?.series ?? []).filter(series => has(series.labels, labels));
  }

  /** Of the only series that has these labels; undefined where there is none. */
  value(name: string, labels: Labels = {}): number | undefined {
    const found = this.series(name, labels);
    if (found.length > 1) throw new Error(`${found.length} series of ${name} have ${JSON.stringify(labels)}`);
    return found[0]?.value;
  }

  /** By the value of a label. */
  by(label: string, name: string, labels: Labels = {}): Record<string, number> {
    const found = this.series(name, labels);
    return Object.fromEntries(found.map(series => [series.labels[label] ?? '', series.value]));
  }

  histogram(name: string, labels: Labels = {}): Histogram | undefined {
    return this.family(name)?.histograms.find(histogram => has(histogram.labels, labels));
  }
}

function has(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([label, value]) => labels[label] === value);
}

function histograms(name: string, all: ReadonlyMap<string, readonly Series[]>): Histogram[] {
  const found = new Map<string, { labels: Labels; buckets: [number, number][] }>();
  for (const { labels: withBound, value } of all.get(`${name}_bucket`) ?? []) {
    const { le, ...labels } = withBound;
    const key = JSON.stringify(labels);
    const known = found.get(key) ?? { labels, buckets: [] };
    known.buckets.push([le === '+Inf' ? Infinity : Number(le), value]);
    found.set(key, known);
  }
  const of = (suffix: string, key: string): number | undefined =>
    all.get(name + suffix)?.find(({ labels }) => JSON.stringify(labels) === key)?.value;
  return [...found].map(([key, histogram]) => ({
    ...histogram,
    count: of('_count', key),
    sum: of('_sum', key),
  }));
}
