import { afterEach } from '@jest/globals';
import {
  Pool,
  type Lease,
  type PoolListener,
  type PoolSettings,
  type PoolStats,
  type SessionHooks,
} from '../../src/engine/index.js';
import { Findings } from './findings.js';
import { follow } from './follow.js';
import { ManualClock, turn } from './manual-clock.js';
import { ScriptedFactory, type Scripts, type Thing } from './scripted-factory.js';

export type ScriptedOptions<T> = PoolSettings & SessionHooks<T> & Scripts<T> & { clock?: ManualClock };

/** One event of a pool, with the name of the listener's method. */
export type LoggedEvent = { readonly event: keyof PoolListener; readonly pool: string } & Readonly<
  Record<string, unknown>
>;

export interface ScriptedPool<T> {
  readonly pool: Pool<T>;
  readonly factory: ScriptedFactory<T>;
  readonly clock: ManualClock;
  /** Everything the pool's listeners were told. */
  readonly events: readonly LoggedEvent[];
  /** Checks, closes and checks the pool again now, and not after the test; for tests that make a pool in a loop. */
  finish(): Promise<void>;
}

const watches = new Set<InvariantWatch<unknown>>();

/** A pool on a manual clock and a scripted factory, watched until the end of the test. */
export function scriptedPool<T = Thing>(options: ScriptedOptions<T> = {}): ScriptedPool<T> {
  const { create, validate, reset, destroy, handle, isFatal, isRetryable, ...settings } = options;
  const clock = settings.clock ?? new ManualClock();
  const scripts = { create, validate, reset, destroy, handle, isFatal, isRetryable };
  const factory = new ScriptedFactory<T>(clock, scripts);
  const watch = new InvariantWatch<T>(factory, clock, settings);
  const pool = new Pool<T>({
    ...settings,
    clock,
    listeners: [watch.listener, ...(settings.listeners ?? [])],
    factory: factory.members,
  });
  watch.attach(pool);
  const finish = (): Promise<void> => {
    watches.delete(watch as InvariantWatch<unknown>);
    return watch.finish();
  };
  return { pool, factory, clock, events: watch.events, finish };
}

/** Has every scripted pool of every test of this file checked, closed, and checked again, when the test is over. */
export function checkPoolsAfterEach(): void {
  afterEach(async () => {
    const ended = [...watches];
    watches.clear();
    for (const watch of ended) await watch.finish();
  });
}

/**
 * Checks a pool at rest: its counts against the factory's, who holds what, and what holds the process.
 *
 * @returns the counts it saw
 */
export function checkInvariants<T>(
  pool: Pool<T>,
  factory: ScriptedFactory<T>,
  clock?: ManualClock,
): PoolStats {
  const stats = pool.stats();
  const { totals } = stats;
  const findings = new Findings();
  findings.add(...factory.violations);
  findings.same('what is outside', factory.outside, stats.total + stats.abandoned);
  findings.same('total is at most max + overflow', stats.total <= stats.max + stats.overflow, true);
  findings.same(
    'total',
    stats.total,
    stats.creating +
      stats.idle +
      stats.validating +
      stats.preparing +
      stats.leased +
      stats.resetting +
      stats.closing,
  );
  findings.same('what borrowers hold', factory.borrows, stats.leased);
  findings.same('acquired - released', totals.acquired - totals.released, stats.leased);
  findings.same('created', totals.created, factory.creations.length);
  findings.same('detached', totals.detached, factory.count('detached'));
  findings.same('destroyed', totals.destroyed, factory.count('destroyed'));
  findings.same(
    'destroyed by reason',
    Object.values(totals.destroyedBy).reduce((sum, count) => sum + count, 0),
    totals.destroyed,
  );
  // Unless something is being validated for those who wait, or the pool is suspended.
  findings.same(
    'nobody waits while something is idle',
    stats.waiting <= stats.validating || stats.idle === 0 || stats.state === 'suspended',
    true,
  );
  if (clock) {
    findings.same('one timer at most', clock.timersLeft <= 1, true);
    // Somebody may await start() or close() in the other states.
    if (stats.state === 'ready' || stats.state === 'unavailable') {
      findings.same('holds the process', clock.holdsProcess, stats.waiting > 0);
    }
  }
  findings.report(stats);
  return stats;
}

/** Watches one pool from its first moment to its last. */
class InvariantWatch<T> {
  readonly events: LoggedEvent[] = [];
  readonly listener: PoolListener;
  private pool!: Pool<T>;
  /** The slots that are lent, by what the listener is told. */
  private readonly out = new Set<number>();

  constructor(
    private readonly factory: ScriptedFactory<T>,
    private readonly clock: ManualClock,
    private readonly settings: PoolSettings,
  ) {
    const log =
      (event: keyof PoolListener) =>
      (data: object): void => {
        this.events.push({ event, ...data } as LoggedEvent);
        if (event === 'onAcquire') this.lent((data as { slot: number }).slot);
        if (event === 'onRelease') this.cameBack((data as { slot: number }).slot);
      };
    this.listener = {
      onAcquire: log('onAcquire'),
      onRelease: log('onRelease'),
      onCreate: log('onCreate'),
      onCreateFailed: log('onCreateFailed'),
      onDestroy: log('onDestroy'),
      onAbandon: log('onAbandon'),
      onTimeout: log('onTimeout'),
      onShed: log('onShed'),
      onLeak: log('onLeak'),
      onLateUse: log('onLateUse'),
      onStateChange: log('onStateChange'),
    };
    factory.onCreate = () => {
      this.checkCap();
    };
  }

  /** Sees every lease that the pool gives, before its borrower does. */
  attach(pool: Pool<T>): void {
    this.pool = pool;
    watches.add(this as InvariantWatch<unknown>);
    const acquire = pool.acquire.bind(pool);
    const tryAcquire = pool.tryAcquire.bind(pool);
    pool.acquire = async options => {
      const lease = await acquire(options);
      this.track(lease);
      return lease;
    };
    pool.tryAcquire = options => {
      const lease = tryAcquire(options);
      if (lease) this.track(lease);
      return lease;
    };
  }

  /** The test is over: the pool must be right as it is, and after its end. */
  async finish(): Promise<void> {
    await turn();
    checkInvariants(this.pool, this.factory, this.clock);

    this.factory.finish();
    const closed = follow(this.pool.close({ timeout: 0 }));
    await turn();
    for (let i = 0; i < 100 && closed.state === 'pending'; i++) {
      await this.clock.advance(this.clock.nextIn ?? 0);
    }
    await turn();

    // What is left behind never settles, or the test would have been told to wait.
    const { creates, destroys } = this.factory;
    const stats = checkInvariants(this.pool, this.factory, this.clock);
    const findings = new Findings();
    findings.same('close', closed.state, 'fulfilled');
    findings.same('state', stats.state, 'closed');
    findings.same('total', stats.total, 0);
    findings.same('waiting', stats.waiting, 0);
    findings.same('what is outside', this.factory.outside, creates.open.length + destroys.open.length);
    findings.same(
      'calls of destroy',
      destroys.calls.length,
      this.factory.creations.length - this.factory.count('detached'),
    );
    findings.same('timers', this.clock.timersLeft, 0);
    findings.same('slots still lent', [...this.out].join(), '');
    findings.report(stats);
  }

  /** Seen from outside, when a create begins: all there is, but what the pool has rightly given up. */
  private checkCap(): void {
    const { createTimeout = 30_000, destroyTimeout = 5_000 } = this.settings;
    const { max: most, overflow } = this.pool.stats();
    const max = most + overflow;
    // At the cap, one that hangs for a second has its place given away.
    const patience = Math.min(createTimeout, 1_000);
    const counted = this.factory.outside - this.factory.givenUp(patience, destroyTimeout);
    if (counted > max) this.factory.violations.push(`${counted} exist outside, max is ${max}`);
  }

  private track(lease: Lease<T>): void {
    if (lease.released) return;
    // Not by way of the lease, which would make a handle that nobody has asked for.
    const value = (lease as unknown as { record: { resource: T } }).record.resource;
    let held = true;
    const letGo = (): void => {
      if (held) this.factory.returned(value);
      held = false;
    };
    const { release, destroy } = lease;
    const fail = lease.fail.bind(lease);
    lease.fail = thrown => {
      letGo();
      fail(thrown);
    };
    Object.defineProperty(lease, 'release', {
      value: (error?: unknown) => {
        letGo();
        release(error);
      },
    });
    Object.defineProperty(lease, 'destroy', {
      value: (cause?: unknown) => {
        letGo();
        destroy(cause);
      },
    });
    const detach = lease.detach.bind(lease);
    lease.detach = () => {
      // Told before: the pool may make another at once.
      if (!lease.released) {
        letGo();
        this.factory.detached(value);
      }
      return detach();
    };
    const abort = lease.abort.bind(lease);
    lease.abort = reason => {
      // The pool has taken it away.
      if (lease.released) letGo();
      abort(reason);
    };
    this.factory.borrowed(value);
  }

  private lent(slot: number): void {
    if (this.out.has(slot)) this.factory.violations.push(`slot ${slot} is lent twice`);
    this.out.add(slot);
  }

  private cameBack(slot: number): void {
    if (!this.out.delete(slot))
      this.factory.violations.push(`slot ${slot} came back without having been lent`);
  }
}
