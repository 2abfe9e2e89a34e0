import type { PoolListener } from '../reports/listener.js';
import { systemClock, type Clock } from '../time/clock.js';
import type { ResourceFactory } from './factory.js';
import type { SessionHooks } from './hooks.js';

/** How long to wait after failed creates: `random() × min(max, initial × factor^(failures − 1))`, full jitter. */
export interface CreateBackoff {
  /** Milliseconds, default 100. */
  initial: number;
  /** Milliseconds, default 10 000. */
  max: number;
  /** Default 2. */
  factor: number;
}

/** When to shed load: CoDel on the time that borrowers queue, see queue/shedding.ts. */
export interface Shed {
  /** Milliseconds a borrower may well have to queue. Default 50. */
  target: number;
  /** The queue is too long when nobody queued for less than `target` in as many milliseconds. Default 2 000. */
  interval: number;
}

/** The settings of a pool. All durations are milliseconds; `Infinity` turns a limit off. */
export interface PoolSettings {
  /** Names the pool in errors, logs and metrics. Default `pool`. */
  name?: string;
  /** Kept alive in total, once the pool has been started or first used. Default 0. */
  min?: number;
  /**
   * So many are kept idle beside those that are leased, as far as `max` allows, so that a burst finds them ready. Made in
   * the background when something is borrowed; `idleTimeout` leaves as many. Default 0.
   */
  minIdle?: number;
  /** At most; counts everything the outside may still see, closing ones included. Default 10. */
  max?: number;
  /** As many beyond `max` are made when borrowers wait, and destroyed when nobody does any more. Default 0. */
  overflow?: number;
  /**
   * So many processes have a pool like this one, for `advice()` about the limit of the server; a rolling update starts
   * more of them for a while. Changes nothing else. Default 1.
   */
  processes?: number;
  /** Which idle resource goes first: the most recently used (`lifo`, default), or the least (`fifo`, spreads use). */
  order?: 'lifo' | 'fifo';
  /** One deadline over queueing, creating and validating. Default 10 000; 0 = only what is idle now. */
  acquireTimeout?: number;
  /**
   * As many may wait for what others have borrowed; more are refused at once. Those for whom something can be made, or is
   * on its way, do not count. Default `Infinity`.
   */
  maxWaiting?: number;
  /** A create that takes longer is given up; what it still makes is destroyed. Default 30 000. */
  createTimeout?: number;
  /** How many creates may run at once. Default `Infinity`. */
  createConcurrency?: number;
  /** Default `{ initial: 100, max: 10_000, factor: 2 }`; partial objects merge with it. */
  createBackoff?: Partial<CreateBackoff>;
  /**
   * When to create for those who wait: `adaptive` (default) when that is likely to serve them sooner than what will come
   * back meanwhile, see supply/demand.ts; `eager` for everyone at once; `single` one after the other.
   */
  growth?: 'adaptive' | 'eager' | 'single';
  /**
   * An error of `create` goes to who has waited longest, as it is, and the next acquire has an attempt of its own, without
   * back-off and without the pool ever being unavailable. For code that was written for pools that do so. Default false:
   * a failed create fails nobody, and the pool tries again.
   */
  propagateCreateError?: boolean;
  /** Failed attempts in a row, with nothing live, after which the pool is unavailable. Default 3. */
  unavailableAfter?: number;
  /** Validate before lending only what was idle for as long. Default 500; 0 = always, `Infinity` = never. */
  validateAfterIdle?: number;
  /** Validate idle resources this often, in the background; at most half of them at once. Default off. */
  keepAlive?: number;
  /** Default 5 000; then destroyed, reason `invalid`. */
  validateTimeout?: number;
  /** Default 5 000; then destroyed, reason `reset-failed`. */
  resetTimeout?: number;
  /** Idle for longer, and more than `min` alive: destroyed. Default 600 000. */
  idleTimeout?: number;
  /**
   * Retired at a random age in [1 − `lifetimeJitter`, 1] × this, when idle or on return. Default 1 800 000. In the last
   * tenth of it, but not much more than `createTimeout` before the end, its replacement is made first if there is room.
   */
  maxLifetime?: number;
  /** 0 to 1, default 0.25: so that what was created together does not end together. */
  lifetimeJitter?: number;
  /** Retired after being lent this often. Default `Infinity`. */
  maxUses?: number;
  /** A lease held longer is reported to `onLeak`, and its signal aborted. Default off. */
  maxHold?: number;
  /** What becomes of the resource then: `destroy` takes it from its holder. Default `report`. */
  maxHoldAction?: 'report' | 'destroy';
  /** Whether one fatal error retires everything that is older, as `recycle()` does. Default false. */
  recycleOnFatal?: boolean;
  /** Refuse borrowers while the queue is standing, rather than serve all of them late. Default off. */
  shed?: Partial<Shed> | undefined;
  /** A lease held longer is reported with the stack of its acquire, and again when it comes back. Default off. */
  leakThreshold?: number;
  /**
   * For development and tests: each borrower gets a proxy, and using that after its lease has ended throws
   * `LeaseReleasedError` and is reported to `onLateUse`. Default false.
   */
  detectUseAfterRelease?: boolean;
  /** A destroy that takes longer is given up and no longer counted. Default 5 000. */
  destroyTimeout?: number;
  /** Told what happens in the pool. */
  listeners?: readonly PoolListener[];
  /** For tests. Default: the process's monotonic clock. */
  clock?: Clock;
}

/**
 * Everything a pool needs: its settings and the members of a {@link ResourceFactory}, or a `factory` object; and hooks, if
 * there are any.
 */
export type PoolOptions<T> = PoolSettings &
  SessionHooks<T> &
  ((ResourceFactory<T> & { factory?: never }) | { factory: ResourceFactory<T>; create?: never });

/** Settings with every default filled in. */
export type ResolvedSettings = Readonly<Required<Omit<PoolSettings, 'createBackoff' | 'shed'>>> & {
  readonly createBackoff: Readonly<CreateBackoff>;
  readonly shed: Readonly<Shed> | undefined;
};

/** How many there may be: the settings that `resize()` changes. */
export type Limits = Pick<ResolvedSettings, 'min' | 'max' | 'overflow'>;

export const DEFAULTS: ResolvedSettings = {
  name: 'pool',
  min: 0,
  minIdle: 0,
  max: 10,
  overflow: 0,
  processes: 1,
  order: 'lifo',
  acquireTimeout: 10_000,
  maxWaiting: Infinity,
  createTimeout: 30_000,
  createConcurrency: Infinity,
  createBackoff: { initial: 100, max: 10_000, factor: 2 },
  growth: 'adaptive',
  propagateCreateError: false,
  unavailableAfter: 3,
  validateAfterIdle: 500,
  keepAlive: Infinity,
  validateTimeout: 5_000,
  resetTimeout: 5_000,
  idleTimeout: 600_000,
  maxLifetime: 1_800_000,
  lifetimeJitter: 0.25,
  maxUses: Infinity,
  maxHold: Infinity,
  maxHoldAction: 'report',
  recycleOnFatal: false,
  shed: undefined,
  leakThreshold: Infinity,
  detectUseAfterRelease: false,
  destroyTimeout: 5_000,
  listeners: [],
  clock: systemClock,
};

export const SHED_DEFAULTS: Shed = { target: 50, interval: 2_000 };
