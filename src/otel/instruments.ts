import type { Attributes, Histogram, Meter, Observable } from '@opentelemetry/api';
import { BUCKETS, DATABASE, DATABASE_MAX, OWN, RESOURCE, type Metric, type Shape } from './names.js';
import type { Read } from './readings.js';

/** What is read of a pool when somebody collects. */
interface Observed extends Pick<Metric, 'kind' | 'label'> {
  /** Two where two conventions have a name for it. */
  readonly instruments: readonly Observable[];
}

/** The instruments for pools of databases, or for others. */
export interface Instruments {
  readonly read: Record<Read, Observed>;
  readonly createTime: Histogram;
  readonly waitTime: Histogram;
  readonly useTime: Histogram;
}

/** All that a meter is asked for. */
export class AllInstruments {
  readonly database: Instruments;
  readonly resource: Instruments;

  constructor(private readonly meter: Meter) {
    const own = observed(meter, OWN);
    this.database = make(meter, DATABASE, own);
    this.resource = make(meter, RESOURCE, own);
  }

  /** Adds what has another name by older conventions. */
  addOlder(): void {
    const { read } = this.database;
    const max = observable(this.meter, DATABASE_MAX);
    read.limit = { ...read.limit, instruments: [...read.limit.instruments, max] };
  }

  get observables(): Observable[] {
    const read = [...Object.values(this.database.read), ...Object.values(this.resource.read)];
    return [...new Set(read.flatMap(({ instruments }) => instruments))];
  }
}

/** The attributes of one series. */
export function labelled(attributes: Attributes, label: string | undefined, value: string): Attributes {
  return label === undefined ? attributes : { ...attributes, [label]: value };
}

function make(
  meter: Meter,
  { createTime, waitTime, useTime, ...shapes }: Readonly<Record<Shape, Metric>>,
  own: Record<keyof typeof OWN, Observed>,
): Instruments {
  return {
    read: { ...observed(meter, shapes), ...own },
    createTime: histogram(meter, createTime),
    waitTime: histogram(meter, waitTime),
    useTime: histogram(meter, useTime),
  };
}

function observed<K extends string>(meter: Meter, metrics: Readonly<Record<K, Metric>>): Record<K, Observed> {
  const all = Object.entries<Metric>(metrics).map(([key, metric]) => {
    const { kind, label } = metric;
    return [key, { kind, label, instruments: [observable(meter, metric)] }];
  });
  return Object.fromEntries(all) as Record<K, Observed>;
}

function observable(meter: Meter, { kind, name, unit, description }: Metric): Observable {
  return kind === 'level'
    ? meter.createObservableUpDownCounter(name, { unit, description })
    : meter.createObservableCounter(name, { unit, description });
}

function histogram(meter: Meter, { name, unit, description }: Metric): Histogram {
  return meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: BUCKETS } });
}
