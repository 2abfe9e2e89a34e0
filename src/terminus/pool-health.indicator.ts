import { Inject, Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { Pool } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';
import type { PoolName } from '../module/pools.js';
import { PoolRegistry, type RegisteredPool } from '../module/registry.js';
import { requireRegistry } from '../module/require-registry.js';
import { PoolWatch } from './pool-watch.js';
import { DEFAULTS, UP, faultOf, type AnyStats, type Readiness, type ReadinessOptions } from './readiness.js';

/**
 * The health of pools, for Terminus:
 *
 * ```ts
 * @Get('ready') @HealthCheck() ready() { return this.health.check([() => this.pools.readiness('orders-db')]); }
 * @Get('startup') @HealthCheck() startup() { return this.health.check([() => this.pools.startup()]); }
 * @Get('live') live() { return this.pools.liveness(); }
 * ```
 *
 * Put it among the `providers` of the module of your health controller, which imports `TerminusModule`. For routes that
 * need no controller of yours there is {@link PoolHealthModule}.
 */
@Injectable()
export class PoolHealthIndicator {
  private readonly watches = new WeakMap<AnyPool<unknown>, PoolWatch>();

  private readonly registry: PoolRegistry;

  constructor(
    private readonly health: HealthIndicatorService,
    @Optional() @Inject(PoolRegistry) registry: PoolRegistry | undefined,
  ) {
    this.registry = requireRegistry(registry, 'PoolHealthIndicator');
  }

  /**
   * Can requests that need these pools be served here? A pool is down while the application shuts down, and while it is
   * starting, suspended, closing, unavailable or starved; degraded (still 200) while it is saturated but serving. Never
   * throws: wrong options are down too, and say what is wrong. Its details have counts, a reason and since when, and no
   * error text, host or credential.
   *
   * @param names one pool or several
   */
  async readiness(
    names: PoolName | readonly PoolName[],
    options: ReadinessOptions = {},
  ): Promise<HealthIndicatorResult> {
    const results = await Promise.all(listed(names).map(name => this.readinessOf(name, options)));
    return Object.assign({}, ...results) as HealthIndicatorResult;
  }

  /**
   * Has every pool with `start: 'warm'` or `'required'` started? Once it has, it stays so: what becomes of it later is
   * for readiness to tell. Pools that start with their first borrow are always up.
   *
   * @param names one pool or several; without it all of the application
   */
  startup(names?: PoolName | readonly PoolName[]): HealthIndicatorResult {
    const all = names === undefined ? this.registry.names() : listed(names);
    return Object.assign({}, ...all.map(name => this.startupOf(name))) as HealthIndicatorResult;
  }

  /**
   * Does this process answer? Says nothing of any backend, as a database outage must never restart the pods. Return it
   * from the controller as it is: through HealthCheckService it would turn 503 during a shutdown.
   */
  liveness(): HealthIndicatorResult {
    return { process: { status: 'up' } };
  }

  /** @internal As {@link readiness}, of one pool whose name is only known at run time. */
  async readinessOf(name: string, options: ReadinessOptions): Promise<HealthIndicatorResult> {
    const pool = this.registry.find(name);
    if (!pool) return this.answer(name, NOT_REGISTERED);
    const fault = faultOf(options);
    if (fault) return this.answer(name, { status: 'down', reason: `wrong options: ${fault}` });
    if (this.registry.shuttingDown) {
      return this.answer(name, { status: 'down', reason: 'the application is shutting down' }, pool.stats());
    }
    const watch = this.watchOf(pool);
    const { readiness, stats } = await watch.readiness({ ...DEFAULTS, ...given(options) });
    const since = watch.troubled(readiness, stats);
    return this.answer(name, readiness, stats, since, options.advice ? adviceOf(pool) : undefined);
  }

  /** @internal */
  startupOf(name: string): HealthIndicatorResult {
    const pool = this.registry.find(name);
    if (!pool) return this.answer(name, NOT_REGISTERED);
    const entry = this.registry.entries().find(other => other.pool === pool);
    const stats = pool.stats();
    // One that a test has put in the place of another has no start mode.
    if (!entry || hasStarted(entry)) return this.answer(name, UP, stats);
    return this.answer(name, { status: 'down', reason: `not started yet (start: '${entry.start}')` }, stats);
  }

  private watchOf(pool: AnyPool<unknown>): PoolWatch {
    let watch = this.watches.get(pool);
    if (!watch) this.watches.set(pool, (watch = new PoolWatch(pool)));
    return watch;
  }

  private answer(
    name: string,
    readiness: Readiness,
    stats?: AnyStats,
    since?: string,
    advice?: object,
  ): HealthIndicatorResult {
    const counts = stats && { ...countsOf(stats), ...advice };
    const session: Session = this.health.check(name);
    if (readiness.status === 'up') return session.up({ ...counts });
    const data = { reason: readiness.reason, ...(since !== undefined && { since }), ...counts };
    if (readiness.status === 'down') return session.down(data);
    return session.degraded?.(data) ?? session.up({ degraded: true, ...data });
  }
}

const NOT_REGISTERED: Readiness = { status: 'down', reason: 'not registered' };

/** Terminus 11 knows no "degraded": there it is up, and the details say so. */
type Session = Pick<ReturnType<HealthIndicatorService['check']>, 'up' | 'down'> & {
  degraded?(data: object): HealthIndicatorResult;
};

function listed(names: string | readonly string[]): readonly string[] {
  return typeof names === 'string' ? [names] : names;
}

function given(options: ReadinessOptions): ReadinessOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** A pool whose start has failed goes on trying, and has started when it is there after all. */
function hasStarted(entry: RegisteredPool): boolean {
  if (entry.started) return true;
  const stats: AnyStats = entry.pool.stats();
  if (stats.state !== 'ready' || !('min' in stats)) return false;
  const live = stats.idle + stats.leased + stats.validating + stats.resetting;
  // One that keeps none is not made by itself.
  if (live === 0 && entry.pool instanceof Pool) entry.pool.tryAcquire()?.release();
  return (entry.started = live >= Math.max(1, stats.min));
}

/** For those who see the details of a health check, who may be anybody: nothing of who holds what. */
function adviceOf(pool: AnyPool<unknown>): object {
  if (!(pool instanceof Pool)) return {};
  return { advice: pool.advice().map(({ rule, text }) => ({ rule, text })) };
}

function countsOf(stats: AnyStats): object {
  const { state, leased, idle, waiting, oldestWaitMs } = stats;
  const failing = 'failing' in stats ? stats.failing : undefined;
  return {
    state,
    leased,
    idle,
    max: 'maxTotal' in stats ? stats.maxTotal : stats.max,
    waiting,
    oldestWaitMs: Math.round(oldestWaitMs),
    ...(failing && { failedCreates: failing.attempts, lastError: failing.error }),
  };
}
