import type { BatchObservableResult, Meter, MeterProvider } from '@opentelemetry/api';
import type { CreateEvent, PoolListener } from '../engine/index.js';
import { warnUnreadable } from '../module/unreadable.js';
import type { AnyPool } from '../scope/index.js';
import { attributesOf, type PoolAttributes } from './attributes.js';
import { AllInstruments, labelled, type Instruments } from './instruments.js';
import { OWN, SCOPE } from './names.js';
import { OBSERVER, Readings, addCounters, addLevels, isClosed, type Leaks } from './readings.js';

/** Pools whose attributes are the same: one, unless several have the same name and the same target. */
interface Series extends PoolAttributes {
  readonly instruments: Instruments;
  readonly members: Set<Member>;
  /** What was counted in those that have closed: what only goes up must not go down as long as there are others. */
  readonly gone: Readings;
  /** What was said last. */
  last: Readings;
}

/** A pool that is looked at. */
interface Member {
  // Not held: one that nobody else holds any more is no pool.
  readonly pool: WeakRef<AnyPool<unknown>>;
  /** The pool itself does not count them. */
  readonly leaks: Leaks;
}

interface Watched {
  readonly listener: PoolListener;
  readonly end: () => void;
  /** How many look at it. */
  watchers: number;
}

/** What is measured of pools for one provider. Each pool counts once, however many look at it. */
export class Meters {
  private static readonly all = new WeakMap<MeterProvider, Meters>();
  private readonly meter: Meter;
  private readonly instruments: AllInstruments;
  private readonly series = new Map<string, Series>();
  private readonly watched = new WeakMap<object, Watched>();
  private dup = false;
  private stopCollecting: () => void;

  static knows(provider: MeterProvider): boolean {
    return Meters.all.has(provider);
  }

  /** @param dup older names, too: of all pools, also those of others who look, as what is collected is the same for all */
  static of(provider: MeterProvider, dup: boolean): Meters {
    const meters = Meters.all.get(provider) ?? new Meters(provider);
    Meters.all.set(provider, meters);
    if (dup) meters.addOlder();
    return meters;
  }

  private constructor(provider: MeterProvider) {
    this.meter = provider.getMeter(SCOPE);
    this.instruments = new AllInstruments(this.meter);
    this.stopCollecting = this.collectAll();
  }

  /**
   * @param histograms of waits and uses, too; of two who look at the same pool, the first decides
   * @returns ends it
   */
  add(pool: AnyPool<unknown>, histograms: boolean): () => void {
    const self: object = pool.self;
    let watched = this.watched.get(self);
    if (!watched) this.watched.set(self, (watched = this.watch(pool, histograms)));
    watched.watchers++;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      if (--watched.watchers > 0) return;
      this.watched.delete(self);
      watched.end();
    };
  }

  /** For a resource whose create has ended before anybody looked at its pool. */
  created(pool: AnyPool<unknown>, event: CreateEvent): void {
    this.watched.get(pool.self)?.listener.onCreate?.(event);
  }

  private addOlder(): void {
    if (this.dup) return;
    this.dup = true;
    this.instruments.addOlder();
    this.stopCollecting();
    this.stopCollecting = this.collectAll();
  }

  private collectAll(): () => void {
    const { observables } = this.instruments;
    const collect = (result: BatchObservableResult): void => {
      this.collect(result);
    };
    this.meter.addBatchObservableCallback(collect, observables);
    return () => {
      this.meter.removeBatchObservableCallback(collect, observables);
    };
  }

  private watch(pool: AnyPool<unknown>, histograms: boolean): Watched {
    const series = this.seriesOf(pool);
    const member: Member = { pool: new WeakRef(pool), leaks: new Map() };
    series.members.add(member);
    const listener = listenerOf(series, member, histograms);
    const remove = pool.addListener(listener);
    const end = (): void => {
      remove();
      leave(series, member);
    };
    return { listener, end, watchers: 0 };
  }

  private seriesOf(pool: AnyPool<unknown>): Series {
    const attributes = attributesOf(pool);
    const key = JSON.stringify(attributes.shaped);
    let series = this.series.get(key);
    if (!series) {
      const instruments = this.instruments[attributes.database ? 'database' : 'resource'];
      const [gone, last] = [new Readings(), new Readings()];
      this.series.set(key, (series = { ...attributes, instruments, members: new Set(), gone, last }));
    }
    return series;
  }

  private collect(result: BatchObservableResult): void {
    for (const [key, series] of this.series) {
      observe(result, series, read(series));
      // The last word about it has been said.
      if (series.members.size === 0) this.series.delete(key);
    }
  }
}

function listenerOf(series: Series, member: Member, histograms: boolean): PoolListener {
  const { shaped, instruments } = series;
  const { createTime, waitTime, useTime } = instruments;
  return {
    onCreate: ({ tookMs }) => {
      createTime.record(tookMs / 1_000, shaped);
    },
    ...(histograms && {
      onAcquire: ({ waitedMs }) => {
        waitTime.record(waitedMs / 1_000, shaped);
      },
      onRelease: ({ heldMs }) => {
        useTime.record(heldMs / 1_000, shaped);
      },
    }),
    // Its counts are kept, and not the pool, until somebody collects.
    onStateChange: ({ to }) => {
      if (to === 'closed') sweep(series);
    },
    onLeak: ({ returned, limit }) => {
      if (!returned) member.leaks.set(limit, (member.leaks.get(limit) ?? 0) + 1);
    },
  };
}

/** Those that have closed leave. */
function sweep(series: Series): void {
  for (const member of series.members) {
    const pool = member.pool.deref();
    if (!pool || isClosed(pool)) leave(series, member);
  }
}

function leave({ members, gone }: Series, member: Member): void {
  if (!members.delete(member)) return;
  const pool = member.pool.deref();
  // One that goes on, unseen, may be looked at again: it would count twice.
  if (pool && isClosed(pool)) addCounters(gone, pool.stats(), member.leaks);
}

function read(series: Series): Readings {
  const readings = new Readings();
  for (const member of series.members) {
    const all = readingsOf(member);
    if (all === 'gone') leave(series, member);
    else if (all) readings.addAll(all);
  }
  readings.addAll(series.gone);
  return readings;
}

/** @returns undefined where it cannot be read: the collection goes on with the others */
function readingsOf({ pool: ref, leaks }: Member): Readings | 'gone' | undefined {
  const pool = ref.deref();
  if (!pool) return 'gone';
  try {
    // Asked once: that of a pool with thousands of keys adds up thousands.
    const stats = pool.stats();
    if (stats.state === 'closed') return 'gone';
    const readings = new Readings();
    addLevels(readings, pool, stats);
    addCounters(readings, stats, leaks);
    return readings;
  } catch (error) {
    warnUnreadable(pool, OBSERVER, error);
    return undefined;
  }
}

function observe(result: BatchObservableResult, series: Series, readings: Readings): void {
  const { instruments, own, shaped, last } = series;
  const say = (
    metric: Parameters<Parameters<Readings['forEach']>[0]>[0],
    value: number,
    label: string,
  ): void => {
    const { instruments: all, label: name } = instruments.read[metric];
    const attributes = labelled(metric in OWN ? own : shaped, name, label);
    for (const instrument of all) result.observe(instrument, value, attributes);
  };
  readings.forEach(say);
  // Who collects goes on saying what was said last of a pool that has gone: there is nothing in it any more.
  if (series.members.size === 0) {
    last.forEach((metric, _value, label) => {
      if (instruments.read[metric].kind === 'level') say(metric, 0, label);
    });
  }
  series.last = readings;
}
