import { KeyedPool, Pool, kindOf, type PoolListener, type PoolResource } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';
import { diagnose, type Failing } from './diagnose.js';
import { EventLog, stackText, type ShownEvent } from './events.js';
import { packed, sampleOf, type AnyStats, type Counts, type Sample } from './sample.js';
import { cut, whoOf } from './who.js';

/** So many resources are drawn. */
const CELLS = 200;
/** So many who have been seen to borrow are remembered, so long. */
const KNOWN = 50;
const KNOWN_FOR = 300_000;
/** So many stacks of holders are shown. */
const STACKS = 3;

const SYSTEMS: Readonly<Record<string, string>> = { http: 'server' };

/** Each state of a resource in a letter. */
const LETTERS = {
  creating: 'c',
  idle: 'i',
  validating: 'v',
  preparing: 'p',
  leased: 'l',
  resetting: 'r',
  closing: 'x',
  abandoned: 'a',
} as const satisfies Record<PoolResource['state'], string>;

/** What is remembered of one pool, and what is shown of it. */
export class PoolRecord {
  readonly samples: Sample[] = [];
  readonly events: EventLog;
  private before: Counts;
  private readonly known = new Map<string, number>();
  /** Who holds for too long, by the name of the pool and the number of the resource. */
  private readonly leaks = new Set<string>();
  private failing: { since: number; attempts: number; error: string; retryAt: number } | undefined;
  private readonly forget: () => void;

  /** @param history how many samples are kept */
  constructor(
    readonly pool: AnyPool<unknown>,
    private readonly history: number,
  ) {
    this.events = new EventLog(pool.name);
    this.before = { stats: pool.stats(), histograms: pool.histograms() };
    const ends = [pool.addListener(this.events.listener()), pool.addListener(this.listener())];
    this.forget = () => ends.forEach(end => end());
  }

  /** A second is over. @returns what has happened in it */
  turn(at: number): { sample: readonly (number | null)[]; events: readonly ShownEvent[] } {
    const { pool, before, samples } = this;
    const counts: Counts = { stats: pool.stats(), histograms: pool.histograms() };
    const holders = pool.holders();
    const sample = sampleOf(before, counts, at, holders[0]?.heldMs ?? 0);
    this.before = counts;
    samples.push(sample);
    samples.splice(0, samples.length - this.history);
    for (const { owner, stack } of holders.slice(0, KNOWN)) this.see(whoOf(owner, stack), at);
    if (sample.created > 0 && sample.createFailed === 0) this.failing = undefined;
    if (sample.timedOut + sample.refused > 0) this.events.note('load', summed(sample));
    return { sample: packed(sample), events: this.events.turn() };
  }

  /** As it is now. */
  now(lists: number): object {
    const { pool, samples } = this;
    const stats: AnyStats = pool.stats();
    const resources = pool.resources();
    const waiters = pool.waiters();
    for (const { owner } of waiters.slice(0, KNOWN)) this.see(whoOf(owner, undefined), Date.now());
    const leased = resources
      .filter(one => one.state === 'leased')
      .sort((a, b) => (b.forMs ?? 0) - (a.forMs ?? 0));
    const holdings = leased.map(one => ({ who: whoOf(one.owner, one.stack), heldMs: one.forMs ?? 0 }));
    const diagnosis = diagnose(samples, {
      state: stats.state,
      backend: this.backend,
      total: stats.total,
      failing: this.failingNow(stats),
      holders: holdings,
      known: [...this.known.keys()],
      leaks: holdings.filter((_, i) => this.isLeak(leased[i]!)),
    });
    const shown = resources.slice(0, CELLS);
    return {
      state: stats.state,
      diagnosis,
      min: 'min' in stats ? stats.min : undefined,
      max: stats.max,
      maxTotal: 'maxTotal' in stats ? stats.maxTotal : undefined,
      keys: 'keys' in stats ? stats.keys : undefined,
      waiting: stats.waiting,
      cells: shown.map(({ state }) => LETTERS[state]).join(''),
      slots: shown.map(({ slot }) => slot),
      counts: countsOf(stats),
      holders: leased.slice(0, lists).map((one, i) => ({
        ...shownOf(one.key, whoOf(one.owner, one.stack)),
        slot: one.slot,
        ms: Math.round(one.forMs ?? 0),
        leak: this.isLeak(one) || undefined,
        ...(i < STACKS && one.stack !== undefined && { stack: stackText(one.stack) }),
      })),
      waiters: waiters.slice(0, lists).map(({ key, waitedMs, priority, owner }) => ({
        ...shownOf(key, whoOf(owner, undefined)),
        ms: Math.round(waitedMs),
        priority: priority === 'normal' ? undefined : priority,
      })),
      advice: pool instanceof Pool ? pool.advice().map(({ text }) => cut(text, 600)) : [],
    };
  }

  /** What does not change. */
  get title(): object {
    const { system, namespace, host, port } = this.pool.target ?? {};
    const place = [system, [host, port].filter(part => part !== undefined).join(':'), namespace];
    return {
      name: this.pool.name,
      keyed: this.pool instanceof KeyedPool,
      target: cut(place.filter(part => part !== undefined && part !== '').join(' '), 200),
    };
  }

  get past(): readonly (readonly (number | null)[])[] {
    return this.samples.map(packed);
  }

  end(): void {
    this.forget();
  }

  private get backend(): string {
    const system = this.pool.target?.system;
    return system === undefined ? 'backend' : (SYSTEMS[system] ?? 'database');
  }

  private listener(): PoolListener {
    return {
      onCreateFailed: ({ error, retryInMs }) => {
        const { since = Date.now(), attempts = 0 } = this.failing ?? {};
        this.failing = {
          since,
          attempts: attempts + 1,
          error: kindOf(error),
          retryAt: Date.now() + retryInMs,
        };
      },
      onLeak: ({ pool, slot, returned }) => {
        if (returned) this.leaks.delete(`${pool}#${slot}`);
        else if (this.leaks.size < CELLS) this.leaks.add(`${pool}#${slot}`);
      },
      onDestroy: ({ pool, slot }) => {
        this.leaks.delete(`${pool}#${slot}`);
      },
    };
  }

  private isLeak({ key, slot }: PoolResource): boolean {
    const { name } = this.pool;
    return this.leaks.has(`${key === undefined ? name : `${name}[${key}]`}#${slot}`);
  }

  /** The pool's own word where it has one; of a pool by key, what was heard of all keys. */
  private failingNow(stats: AnyStats): Failing | undefined {
    const { failing } = this;
    const told = 'failing' in stats ? stats.failing : undefined;
    if ('failing' in stats && !told) return undefined;
    if (!failing && !told) return undefined;
    const retryInMs = failing && Math.max(0, failing.retryAt - Date.now());
    if (told) return { ...told, retryInMs };
    const { since, attempts, error } = failing!;
    return { attempts, forMs: Date.now() - since, error, retryInMs };
  }

  private see(who: string | undefined, at: number): void {
    if (who === undefined) return;
    // The last one seen is the last one there.
    this.known.delete(who);
    this.known.set(who, at);
    for (const [other, seen] of this.known) {
      if (this.known.size <= KNOWN && at - seen <= KNOWN_FOR) break;
      this.known.delete(other);
    }
  }
}

function shownOf(key: string | undefined, who: string | undefined): object {
  return { who, key: key === undefined ? undefined : cut(key, 64) };
}

function countsOf(stats: AnyStats): Record<PoolResource['state'], number> {
  const { creating, idle, validating, preparing, leased, resetting, closing, abandoned } = stats;
  return { creating, idle, validating, preparing, leased, resetting, closing, abandoned };
}

function summed({ timedOut, refused }: Sample): string {
  const parts = [
    timedOut > 0 ? `${timedOut} timed out` : '',
    refused > 0 ? `${refused} refused or shed` : '',
  ];
  return `Acquires within a second: ${parts.filter(part => part !== '').join(', ')}`;
}
