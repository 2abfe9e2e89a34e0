import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { KeyedPool, type Pool } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';
import type { PoolName } from '../module/pools.js';
import { PoolRegistry } from '../module/registry.js';
import { UP, judge, type AnyStats, type Readiness, type ReadinessOptions } from './readiness.js';

const DEFAULTS: Required<ReadinessOptions> = {
  maxWait: 1_000,
  starvedFor: 5_000,
  whenUnavailable: 'down',
  cacheFor: 1_000,
  probeTimeout: 1_000,
};

/** What is remembered of a pool between checks. */
interface Memory {
  /** Since when its oldest waiter has been too old. */
  stuckSince: number | undefined;
  probe: Promise<Readiness> | undefined;
  probedAt: number;
  /** The last probe has failed, and a pool with nothing live has still to show that it can serve. */
  failed: boolean;
  /** While a probe has borrowed a resource, which is no reason to call the pool busy. */
  probing: boolean;
}

/**
 * The health of pools, for Terminus:
 *
 * ```ts
 * @Get('ready') @HealthCheck() ready() { return this.health.check([() => this.pools.readiness('orders-db')]); }
 * @Get('live') live() { return this.pools.liveness(); }
 * ```
 *
 * Put it among the `providers` of the module of your health controller, which imports `TerminusModule`.
 */
@Injectable()
export class PoolHealthIndicator {
  private readonly memories = new WeakMap<AnyPool<unknown>, Memory>();

  constructor(
    private readonly health: HealthIndicatorService,
    private readonly registry: PoolRegistry,
  ) {}

  /**
   * Can requests that need this pool be served here? Down while the application shuts down, and while the pool is
   * starting, closing, unavailable or starved; degraded (still 200) while it is saturated but serving. Never throws, and
   * its details have counts and a reason, but no error text, host or credential.
   */
  async readiness(name: PoolName, options: ReadinessOptions = {}): Promise<HealthIndicatorResult> {
    const pool = this.registry.find(name);
    if (!pool) return this.answer(name, { status: 'down', reason: 'not registered' }, undefined);
    const memory = this.memoryOf(pool);
    if (memory.probing) await memory.probe;
    const stats = pool.stats();
    const chosen = { ...DEFAULTS, ...options };
    let readiness: Readiness = this.registry.shuttingDown
      ? { status: 'down', reason: 'the application is shutting down' }
      : judge(stats, this.isStarved(pool, stats, chosen), chosen);
    const inDoubt = isIdle(stats) || (memory.failed && isEmpty(stats));
    // A backend behind one key says nothing of those behind others.
    if (readiness.status === 'up' && inDoubt && !(pool instanceof KeyedPool))
      readiness = await this.probed(pool, chosen);
    return this.answer(name, readiness, stats);
  }

  /**
   * Does this process answer? Says nothing of any backend, as a database outage must never restart the pods. Return it
   * from the controller as it is: through HealthCheckService it would turn 503 during a shutdown.
   */
  liveness(): HealthIndicatorResult {
    return { process: { status: 'up' } };
  }

  private isStarved(
    pool: AnyPool<unknown>,
    stats: AnyStats,
    { maxWait, starvedFor }: Required<ReadinessOptions>,
  ): boolean {
    const memory = this.memoryOf(pool);
    if (stats.oldestWaitMs <= maxWait) {
      memory.stuckSince = undefined;
      return false;
    }
    // The oldest waiter has been too old since before this check looked.
    const since = performance.now() - (stats.oldestWaitMs - maxWait);
    memory.stuckSince ??= since;
    return performance.now() - memory.stuckSince > starvedFor;
  }

  /** The answer of one idle resource, so that an idle pool notices a dead backend; the same for all who ask meanwhile. */
  private probed(pool: Pool<unknown>, options: Required<ReadinessOptions>): Promise<Readiness> {
    const memory = this.memoryOf(pool);
    const now = performance.now();
    if (!memory.probe || now - memory.probedAt > options.cacheFor) {
      memory.probedAt = now;
      memory.probing = true;
      memory.probe = probe(pool, options).then(answer => {
        memory.probing = false;
        memory.failed = answer !== UP;
        return answer;
      });
    }
    return memory.probe;
  }

  private memoryOf(pool: AnyPool<unknown>): Memory {
    let memory = this.memories.get(pool);
    if (!memory) {
      memory = { stuckSince: undefined, probe: undefined, probedAt: 0, failed: false, probing: false };
      this.memories.set(pool, memory);
    }
    return memory;
  }

  private answer(name: string, readiness: Readiness, stats: AnyStats | undefined): HealthIndicatorResult {
    const counts = stats && {
      state: stats.state,
      leased: stats.leased,
      idle: stats.idle,
      max: 'maxTotal' in stats ? stats.maxTotal : stats.max,
      waiting: stats.waiting,
      oldestWaitMs: Math.round(stats.oldestWaitMs),
    };
    const session: Session = this.health.check(name);
    if (readiness.status === 'up') return session.up({ ...counts });
    const data = { reason: readiness.reason, ...counts };
    if (readiness.status === 'down') return session.down(data);
    return session.degraded?.(data) ?? session.up({ degraded: true, ...data });
  }
}

/** Terminus 11 knows no "degraded": there it is up, and the details say so. */
type Session = Pick<ReturnType<HealthIndicatorService['check']>, 'up' | 'down'> & {
  degraded?(data: object): HealthIndicatorResult;
};

/** Borrows one resource, which validates it, and gives it back. */
async function probe(
  pool: Pool<unknown>,
  { probeTimeout, whenUnavailable }: Required<ReadinessOptions>,
): Promise<Readiness> {
  try {
    await pool.use(() => undefined, { timeout: probeTimeout });
    return UP;
  } catch (error) {
    const kind = error instanceof Error ? error.name : 'unknown error';
    return { status: whenUnavailable, reason: `the probe of an idle resource failed: ${kind}` };
  }
}

function isIdle(stats: AnyStats): boolean {
  return stats.leased === 0 && stats.waiting === 0 && stats.idle > 0;
}

function isEmpty(stats: AnyStats): boolean {
  return stats.leased === 0 && stats.idle === 0;
}
