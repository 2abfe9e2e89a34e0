import type { Lease, PoolSettings } from '../../../src/engine/index.js';
import type { ManualClock } from '../manual-clock.js';
import type { Hook, Limits, Priority } from './commands.js';
import type { Item, Resource } from './resource.js';

/** One lending of a resource, from the moment at which the pool tells of it. */
export interface Lending {
  readonly resource: Resource;
  /** Its place in the order of everything that happens. */
  readonly order: number;
  readonly since: number;
  /** What its borrower was given, once that has happened. */
  lease?: Lease<Item>;
  owner?: object | undefined;
  /** Ends the work of a `use`. */
  done?: (error?: Error) => void;
}

/** Somebody who asked for a resource. */
export interface Borrower {
  /** Its place in the order of everything that happens. */
  readonly order: number;
  readonly priority: Priority;
  readonly timeout: number;
  /** On the clock that stands still while the pool is suspended. */
  readonly since: number;
  readonly signal?: AbortSignal | undefined;
  readonly owner?: object | undefined;
  /** Its signal was aborted when it came. */
  readonly hopeless: boolean;
  /** How many were waiting when it came. */
  readonly ahead: number;
}

/** The settings that the model knows of. */
export type Settings = Required<
  Omit<PoolSettings, 'clock' | 'listeners' | 'name' | 'leakThreshold' | 'detectUseAfterRelease' | 'shed'>
> & { readonly shed: PoolSettings['shed'] | undefined };

/**
 * Everything that is known about one pool and those around it: what was asked of the pool, what it told, and what it
 * did outside. None of it comes from its counters, and none of it says how the pool decides.
 */
export class Facts {
  readonly resources: Resource[] = [];
  readonly waiting = new Set<Borrower>();
  /** What the borrowers hold, or have been given and not seen yet. */
  readonly lendings = new Set<Lending>();
  /** Leases that have ended; those of them that the pool has ended. */
  readonly ended: Lease<Item>[] = [];
  readonly taken: Lease<Item>[] = [];
  /** What `onBorrow` has failed with, and nobody was told yet; and whether the borrower had gone. */
  readonly failedBorrows = new Map<unknown, AbortSignal>();
  /** Owners that hold something, or did since the last rest. */
  readonly holders = new Set<object>();
  /** Whose acquires were refused since the last rest for what they hold. */
  readonly blamed: (object | undefined)[] = [];
  readonly seen = {
    acquired: 0,
    released: 0,
    detached: 0,
    timedOut: 0,
    aborted: 0,
    refused: 0,
    shed: 0,
    deadlocked: 0,
    created: 0,
    destroyed: 0,
  };
  /** What has gone wrong, as seen from outside; and all that has happened. */
  readonly violations: string[] = [];
  readonly story: string[] = [];

  limits: Limits;
  /** Somebody has borrowed, or started the pool: from then on it keeps `min`. */
  begun = false;
  /** The pool has told that an attempt to create has failed, and none has succeeded since. */
  failing: { readonly attempt: number; readonly order: number; readonly retryAt: number } | undefined;
  /** Until as many creates have gone well as there may be, not as many may run at once as are wanted. */
  recovering = false;
  /** Creates that have gone well since one has not. */
  wentWell = 0;
  /** It has told so since the last rest. */
  failedLately = false;
  /** Nothing has happened since the last rest, so that the pool knows all that is known here. */
  atRest = true;
  /** What the longest of all creates has taken. */
  longestCreate = 0;
  /** Since when the pool knows how long a create takes. */
  measuredAt = Infinity;
  /** Creates that were late, since one has succeeded in time. After two the pool waits, at most until then. */
  readonly late = new Set<Resource>();
  pausedUntil = 0;
  /** How many await `start()`. */
  starting = 0;
  closing: { readonly since: number; within: number; drain: boolean; done: boolean } | undefined;
  private suspendedSince: number | undefined;
  private suspendedFor = 0;
  private happened = 0;

  constructor(
    readonly clock: ManualClock,
    readonly settings: Settings,
    /** Which of the optional members the factory has, and which hooks the pool. */
    readonly has: Readonly<Record<'validate' | 'reset' | Hook, boolean>>,
  ) {
    this.limits = settings;
  }

  get now(): number {
    return this.clock.now();
  }

  /** Looks for creates that take too long. */
  seeLate(): void {
    for (const one of this.resources) if (one.beingCreated && one.mayBeLate(this)) this.late.add(one);
    if (this.late.size > 1 || (this.failing && this.late.size > 0)) {
      const { max = 0 } = this.settings.createBackoff;
      this.pausedUntil = this.now + max + lateness(max);
    }
    if (this.late.size > 0) this.recover();
  }

  /** A create has failed, or takes too long. */
  recover(): void {
    this.recovering = true;
    this.wentWell = 0;
  }

  /** Numbers what happens in its order. */
  next(): number {
    return ++this.happened;
  }

  /** The time of those who wait: it stands still while the pool is suspended. */
  get patience(): number {
    return (this.suspendedSince ?? this.now) - this.suspendedFor;
  }

  get suspended(): boolean {
    return this.suspendedSince !== undefined;
  }

  suspend(): void {
    if (!this.closing) this.suspendedSince ??= this.now;
  }

  resume(): void {
    if (this.suspendedSince === undefined) return;
    this.suspendedFor += this.now - this.suspendedSince;
    this.suspendedSince = undefined;
    this.failing = undefined;
  }

  /** What exists now must not be lent again; what is idle may go within `spread`. */
  recycle(spread: number): void {
    if (this.closing) return;
    for (const one of this.resources) {
      if (spread > 0 && one.free && one.known) one.endsBy = Math.min(one.endsBy, this.now + spread);
      else {
        one.old = true;
        one.unfit ??= 'it is older than the last recycle';
      }
    }
  }

  close(timeout: number, drain: boolean): void {
    this.resume();
    this.closing ??= { since: this.now, within: Infinity, drain: true, done: false };
    this.closing.within = Math.min(this.closing.within, this.now - this.closing.since + timeout);
    this.closing.drain &&= drain;
  }

  /** The deadline of close() may have passed. */
  get forced(): boolean {
    return this.closing !== undefined && this.now - this.closing.since >= this.closing.within;
  }

  /** Somebody who comes now must be served at once. */
  get mustServe(): boolean {
    if (!this.atRest || this.closing || this.waiting.size > 0 || this.has.onBorrow) return false;
    // All of them: the one whose turn it is may have to be validated, whatever the others are.
    const free = this.resources.filter(one => one.free);
    return free.length > 0 && free.every(one => one.certainlyFit(this));
  }

  count(fits: (one: Resource) => boolean): number {
    return this.resources.filter(fits).length;
  }

  /** Those who wait for a resource, and not for its `onBorrow`. */
  get queued(): number {
    return this.waiting.size - this.count(one => one.awaited);
  }

  get places(): number {
    return this.count(one => one.fillsPlace);
  }

  violated(what: string): void {
    this.violations.push(what);
    this.tell(`!! ${what}`);
  }

  tell(what: string): void {
    this.story.push(`${(this.now - 1_000_000).toFixed(0).padStart(6)}  ${what}`);
  }
}

/** How late a deadline may be. */
export const lateness = (delay: number): number => Math.max(8, delay * 0.016) + 0.01;
/** How far the pool's coarse time may be behind. */
export const COARSE = 58;
