import {
  KeyedPool,
  type DestroyReason,
  type KeyedPoolOptions,
  type KeyedPoolStats,
  type Lease,
  type PoolStats,
} from '../../src/engine/index.js';
import { Findings } from './findings.js';
import type { Followed } from './follow.js';
import { ManualClock } from './manual-clock.js';

/** What one create has made. */
export interface Link {
  readonly key: string;
  readonly id: number;
  state: 'live' | 'held' | 'ending' | 'gone';
  readonly invalidate: (cause?: unknown) => void;
  /** The pool had given up on its create: it is destroyed when it comes, in nobody's place. */
  readonly late: boolean;
}

/** A create that runs. */
interface Creation {
  readonly key: string;
  readonly slot: number;
  /** It hangs, and its place has gone to another. */
  givenUp: boolean;
}

/** Somebody who waits for a lease, or did. */
export interface Borrower {
  readonly key: string;
  readonly lease: Followed<Lease<Link>>;
  readonly timeout: number | undefined;
  readonly abort: AbortController;
}

export const BACKOFF_MS = 200;
/** Deadlines are late by at most 1/64 and a little. */
const BACKOFF_OVER = BACKOFF_MS * 1.1 + 50;

/** A keyed pool, and the other side of it: what exists there, what is held, what runs. */
export class KeyedWorld {
  readonly clock = new ManualClock();
  readonly pools: KeyedPool<string, Link>;
  readonly links: Link[] = [];
  readonly held: { readonly lease: Lease<Link>; readonly link: Link }[] = [];
  borrowers: Borrower[] = [];
  /** Settles a call that is running, one way or the other. */
  readonly running: (() => void)[] = [];
  /** Keys whose creates fail. */
  readonly down = new Set<string>();
  readonly violations: string[] = [];
  suspended = false;
  closing = false;
  failed = 0;
  destroyed = 0;
  private readonly creating: Creation[] = [];
  /** When a create of a key failed last; no entry once one has succeeded. */
  private readonly failedAt = new Map<string, number>();

  /** Keys whose last create has gone well. */
  private readonly succeeded = new Set<string>();

  /** @param chance whether something with this probability happens now */
  constructor(
    private readonly keys: readonly string[],
    private readonly limits: {
      maxTotal: number;
      max: number;
      overflow: number;
      createConcurrency: number;
      growth: 'adaptive' | 'eager' | 'single';
    },
    settings: Partial<KeyedPoolOptions<string, Link>>,
    private readonly chance: (probability: number) => boolean,
    private readonly slow: () => boolean,
  ) {
    const check = (link: Link): void | Promise<void> => {
      if (link.state !== 'live') this.violations.push(`link ${link.id} is inspected while ${link.state}`);
      return this.call(() => {
        if (this.chance(0.1)) throw new Error('not fit');
      });
    };
    const members = {
      create: ({ key, slot, invalidate }: { key: string; slot: number; invalidate: Link['invalidate'] }) =>
        this.create({ key, slot, givenUp: false }, invalidate),
      destroy: (link: Link, reason: DestroyReason) => this.destroy(link, reason),
      ...(this.chance(0.5) && { reset: check }),
      ...(this.chance(0.5) && { validate: check }),
    };
    this.pools = new KeyedPool<string, Link>({
      ...limits,
      clock: this.clock,
      listeners: [
        {
          // Also one that was of no use when it came.
          onCreateFailed: ({ pool }) => void this.succeeded.delete(keyOf(pool)),
          onAbandon: ({ pool, slot, stage }) => {
            const create = this.creating.find(one => one.slot === slot && one.key === keyOf(pool));
            if (stage !== 'create' || !create) {
              this.violations.push(`the ${stage} of ${pool} ${slot} is given up`);
              return;
            }
            create.givenUp = true;
            this.failed++;
            this.failedAt.set(create.key, this.clock.now());
          },
        },
      ],
      acquireTimeout: Infinity,
      createTimeout: Infinity,
      destroyTimeout: Infinity,
      createBackoff: { initial: 50, max: BACKOFF_MS },
      ...members,
      ...settings,
    } as KeyedPoolOptions<string, Link>);
  }

  /** What exists over there and has a place: creates and destroys that run included. */
  outside(key?: string): number {
    const mine = (one: { readonly key: string }): boolean => key === undefined || one.key === key;
    const creating = this.creating.filter(one => mine(one) && !one.givenUp);
    const links = this.links.filter(one => mine(one) && one.state !== 'gone' && !one.late);
    return creating.length + links.length;
  }

  took(lease: Lease<Link>, key: string): void {
    const link = lease.resource;
    if (link.key !== key) this.violations.push(`${key} was given a link of ${link.key}`);
    if (link.state !== 'live') this.violations.push(`link ${link.id} is lent while ${link.state}`);
    link.state = 'held';
    this.held.push({ lease, link });
  }

  /** Ends the lease with this index. */
  letGo(index: number, how: 'release' | 'destroy'): void {
    const [{ lease, link }] = this.held.splice(index, 1) as [(typeof this.held)[0]];
    if (link.state === 'held') link.state = 'live';
    lease[how]();
  }

  /** Takes note of who has been served or turned away since the last look. */
  collect(): void {
    for (const { lease, key, timeout, abort } of this.borrowers) {
      if (lease.value) this.took(lease.value, key);
      const { code } = (lease.error ?? {}) as { code?: string };
      const due =
        (code === 'POOL_TIMEOUT' && timeout !== undefined) ||
        (code === 'POOL_UNAVAILABLE' && this.failed > 0) ||
        (code === 'POOL_CLOSED' && this.closing) ||
        (abort.signal.aborted && lease.error === abort.signal.reason);
      if (lease.state === 'rejected' && !due) this.violations.push(`refused with ${String(lease.error)}`);
    }
    this.borrowers = this.borrowers.filter(({ lease }) => lease.state === 'pending');
  }

  /** The pool at rest must agree with what is seen from here, and leave nobody waiting who could be served. */
  check(): void {
    const findings = new Findings();
    const stats = this.pools.stats();
    const { totals } = stats;
    findings.add(...this.violations);
    findings.same('leased', stats.leased, this.held.length);
    findings.same('waiting', stats.waiting, this.borrowers.length);
    findings.same('what is outside', stats.total, this.outside());
    findings.same('creating', stats.creating, this.creating.filter(({ givenUp }) => !givenUp).length);
    const ending = this.links.filter(({ state, late }) => state === 'ending' && !late);
    findings.same('closing', stats.closing, ending.length);
    findings.same(
      'total',
      stats.creating + stats.idle + stats.validating + stats.leased + stats.resetting + stats.closing,
      stats.total,
    );
    findings.same('created', totals.created, this.links.length);
    findings.same('create failed', totals.createFailed, this.failed);
    findings.same('destroyed', totals.destroyed, this.destroyed);
    findings.same('acquired - released', totals.acquired - totals.released, this.held.length);
    const each = this.keys.map(key => [key, this.pools.stats(key)] as const);
    const there = each.filter(([, found]) => found) as [string, PoolStats][];
    findings.same('keys', stats.keys, there.length);
    for (const [key, found] of each) this.checkKey(key, found, findings);
    findings.same('one timer at most', this.clock.timersLeft <= 1, true);
    if (!this.suspended) this.checkNobodyIsForgotten(stats, there, findings);
    findings.report(stats);
  }

  private checkKey(key: string, stats: PoolStats | undefined, findings: Findings): void {
    const waiting = this.borrowers.filter(borrower => borrower.key === key).length;
    const leased = this.held.filter(({ link }) => link.key === key).length;
    findings.same(`outside of ${key}`, stats?.total ?? 0, this.outside(key));
    findings.same(`waiting for ${key}`, stats?.waiting ?? 0, waiting);
    findings.same(`leased of ${key}`, stats?.leased ?? 0, leased);
    const needless = stats && stats.total + stats.waiting === 0 && !this.mayBackOff(key);
    if (needless) findings.add(`${key} is kept for nothing`);
  }

  /** No idle resource of its key, no free place, no idle resource of another key that could go. */
  private checkNobodyIsForgotten(
    { total, idle, closing }: KeyedPoolStats,
    there: readonly [string, PoolStats][],
    findings: Findings,
  ): void {
    const { maxTotal, max, overflow, createConcurrency, growth } = this.limits;
    let wanted = 0;
    // Those whose creates have come to nothing yet, or may be late, have a quarter of the places under way.
    let wantedByUnproven = 0;
    let probation = Math.max(1, maxTotal >> 2);
    for (const [key, one] of there) {
      const isProven = this.succeeded.has(key) && one.creating === 0;
      if (!isProven) probation -= one.creating;
      const unserved = one.waiting - one.creating - one.validating - one.resetting;
      if (one.idle > 0 && one.waiting > one.validating) findings.add(`${key} waits while one of it is idle`);
      const probing = this.failedAt.has(key) && (this.mayBackOff(key) || one.creating > 0);
      const more = Math.min(unserved, max + overflow - one.total, createConcurrency - one.creating);
      // Adaptive growth may find that nothing need be made yet.
      const most = { eager: Infinity, single: one.creating === 0 ? 1 : 0, adaptive: 0 }[growth];
      if (probing) continue;
      if (isProven) wanted += Math.min(most, Math.max(0, more));
      else wantedByUnproven += Math.min(most, Math.max(0, more));
    }
    wanted += Math.min(wantedByUnproven, Math.max(0, probation));
    const free = maxTotal - total;
    if (wanted > 0 && free > 0) findings.add(`${free} places are free, ${wanted} are wanted`);
    if (wanted > free + closing && idle > 0) findings.add(`${wanted} places are wanted, and ${idle} idle`);
  }

  private mayBackOff(key: string): boolean {
    const failedAt = this.failedAt.get(key);
    return failedAt !== undefined && this.clock.now() - failedAt < BACKOFF_OVER;
  }

  private create(create: Creation, invalidate: Link['invalidate']): Link | Promise<Link> {
    const { key } = create;
    this.creating.push(create);
    const { maxTotal, max, overflow } = this.limits;
    if (this.outside() > maxTotal) this.violations.push(`${this.outside()} exist outside`);
    if (this.outside(key) > max + overflow) this.violations.push(`${this.outside(key)} of ${key} exist`);
    if (this.suspended) this.violations.push('something is created while suspended');
    return this.call(() => {
      this.creating.splice(this.creating.indexOf(create), 1);
      const { givenUp: late } = create;
      if (this.down.has(key)) {
        if (!late) {
          this.failed++;
          this.failedAt.set(key, this.clock.now());
          this.succeeded.delete(key);
        }
        throw new Error(`${key} is down`);
      }
      if (!late) {
        this.failedAt.delete(key);
        this.succeeded.add(key);
      }
      const link: Link = { key, id: this.links.length, state: 'live', invalidate, late };
      this.links.push(link);
      return link;
    });
  }

  private destroy(link: Link, reason: DestroyReason): void | Promise<void> {
    if (link.state === 'held' && reason !== 'closed') this.violations.push(`link ${link.id} is taken away`);
    if (link.state === 'ending' || link.state === 'gone') {
      this.violations.push(`link ${link.id} is destroyed twice`);
    }
    link.state = 'ending';
    return this.call(() => {
      link.state = 'gone';
      this.destroyed++;
      if (this.chance(0.1)) throw new Error('destroyed badly');
    });
  }

  /** Does it now, soon, or when it is told to. */
  private call<R>(work: () => R): R | Promise<R> {
    if (this.chance(0.2)) return work();
    if (!this.slow()) return Promise.resolve().then(work);
    return new Promise<void>(resolve => {
      this.running.push(resolve);
    }).then(work);
  }
}

/** `pool[key]` is what the pool of a key is called. */
function keyOf(pool: string): string {
  return pool.slice(pool.indexOf('[') + 1, -1);
}
