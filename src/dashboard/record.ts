import {
  KeyedPool,
  Pool,
  kindOf,
  type PoolListener,
  type PoolResource,
  type PoolWaiter,
  type ResourceTarget,
} from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';
import { diagnose } from './diagnose.js';
import { EventLog, stackText, type ShownEvent } from './events.js';
import { LONG, type Failing } from './facts.js';
import { routeOf } from './route.js';
import { packed, sampleOf, type AnyStats, type Counts, type Sample } from './sample.js';
import { cut, whoOf } from './who.js';

/** So many resources are drawn. */
const CELLS = 200;
/** So many who have been seen to borrow are remembered, so long. */
const KNOWN = 50;
const KNOWN_FOR = 300_000;
/** Milliseconds: whoever has not tried again so long after it was due does not, as for a key that nobody asks for any more. */
const FORGOTTEN = 30_000;
/** Of what gets too old to be shown, a sample in so many milliseconds is remembered for what is usual, so many at most: half a day. */
const REMEMBER_EVERY = 30_000;
const MEMORIES = 1_440;
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
  /** What was before that: one sample of {@link REMEMBER_EVERY} seconds. */
  private readonly memories: Sample[] = [];
  readonly events: EventLog;
  private before: Counts;
  private readonly known = new Map<string, { at: number; holds: number }>();
  /** Who holds for too long, by the name of the pool and the number of the resource. */
  private readonly leaks = new Set<string>();
  private failing:
    { pool: string; since: number; attempts: number; error: string; retryAt: number } | undefined;
  private readonly forget: () => void;

  /**
   * @param history how many samples are kept
   * @throws what reading the pool throws: then nobody listens to it
   */
  constructor(
    readonly pool: AnyPool<unknown>,
    private readonly history: number,
  ) {
    this.events = new EventLog(pool.name);
    this.before = { stats: pool.stats(), histograms: pool.histograms() };
    // One that cannot be read every second would come and go.
    for (const look of ['holders', 'resources', 'waiters'] as const) pool[look]();
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
    for (const old of samples.splice(0, samples.length - this.history)) this.remember(old);
    // Those who hold for shortest were not seen a second ago.
    for (const { owner, stack, heldMs } of holders.slice(-KNOWN))
      this.see(whoOf(owner, stack) ?? '', at, heldMs < LONG);
    const isMade = sample.created > 0 && sample.createFailed === 0;
    if (isMade || (this.failing && at > this.failing.retryAt + FORGOTTEN)) this.failing = undefined;
    if (sample.timedOut + sample.refused > 0) this.events.note('load', summed(sample));
    return { sample: packed(sample), events: this.events.turn() };
  }

  /** As it is now. */
  now(lists: number): object {
    const { pool, samples } = this;
    const stats: AnyStats = pool.stats();
    const resources = pool.resources();
    const waiters = pool.waiters();
    const waiting = new Map<string, number>();
    for (const { owner } of waiters.slice(0, KNOWN)) {
      if (owner === undefined) continue;
      const route = this.see(owner, Date.now());
      waiting.set(route, (waiting.get(route) ?? 0) + 1);
    }
    const leased = resources
      .filter(one => one.state === 'leased')
      .sort((a, b) => (b.forMs ?? 0) - (a.forMs ?? 0));
    const holdings = leased.map(({ owner, stack, key, forMs = 0 }) => ({
      ...{ who: whoOf(owner, stack), stack, heldMs: forMs },
      key: key === undefined ? undefined : cut(key, 64),
    }));
    const diagnosis = diagnose(
      samples,
      {
        state: stats.state,
        backend: this.backend,
        total: stats.total,
        failing: this.failingNow(stats),
        holders: holdings,
        known: Array.from(this.known, ([who, { holds }]) => ({
          who,
          holds: holds + (waiting.get(who) ?? 0),
        })),
        leaks: holdings.filter((_, i) => this.isLeak(leased[i]!)),
        keyed: 'keys' in stats ? { max: stats.max, waitedFor: keysOf(waiters) } : undefined,
      },
      this.memories,
    );
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
    return {
      name: this.pool.name,
      keyed: this.pool instanceof KeyedPool,
      target: cut(targetText(this.pool.target), 200),
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
      onCreateFailed: ({ pool, error, retryInMs }) => {
        const { since = Date.now(), attempts = 0 } = this.failing?.pool === pool ? this.failing : {};
        this.failing = {
          pool,
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

  private remember(old: Sample): void {
    const last = this.memories.at(-1)?.at ?? -Infinity;
    if (old.holdMs === undefined || old.at - last < REMEMBER_EVERY) return;
    this.memories.push(old);
    if (this.memories.length > MEMORIES) this.memories.shift();
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
    const { pool, since, attempts, error } = failing!;
    const key = cut(pool.slice(this.pool.name.length + 1, -1), 64);
    return { attempts, forMs: Date.now() - since, error, retryInMs, key };
  }

  /** @returns its route */
  private see(who: string, at: number, isFresh = false): string {
    const route = routeOf(cut(who, 120));
    if (route === '') return route;
    const { holds } = this.known.get(route) ?? { holds: 0 };
    // The last one seen is the last one there.
    this.known.delete(route);
    this.known.set(route, { at, holds: holds + (isFresh ? 1 : 0) });
    for (const [other, seen] of this.known) {
      if (this.known.size <= KNOWN && at - seen.at <= KNOWN_FOR) break;
      this.known.delete(other);
    }
    return route;
  }
}

/** A key is told from others by its first letters: whoever sends longer ones wants to fill this page. */
function keysOf(waiters: readonly PoolWaiter[]): string[] {
  return [...new Set(waiters.flatMap(({ key }) => (key === undefined ? [] : cut(key, 64))))];
}

/** `postgresql, shop at 127.0.0.1:5432` */
function targetText({ system, namespace, host, port }: Partial<ResourceTarget> = {}): string {
  const place = [host?.includes(':') && port !== undefined ? `[${host}]` : host, port]
    .filter(part => part !== undefined)
    .join(':');
  const what = [namespace, place].filter(part => part !== undefined && part !== '').join(' at ');
  return [system, what].filter(part => part !== undefined && part !== '').join(', ');
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
