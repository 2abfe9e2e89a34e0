import { KeyedPool, kindOf, type Pool } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';
import { UP, capacityOf, judge, type AnyStats, type Readiness, type ReadinessOptions } from './readiness.js';

/** What is remembered of one pool between checks. */
export class PoolWatch {
  /** For how long nobody had been served, although somebody had waited for too long, when it was last looked at. */
  private stuckMs = 0;
  private probe: Promise<Readiness> | undefined = undefined;
  private probedAt = 0;
  /** The last probe has failed, and a pool with nothing live has still to show that it can serve. */
  private failed = false;
  /** While a probe has borrowed a resource, which is no reason to call the pool busy. */
  private probing = false;
  /** Since when it has not been up, as far as is known. */
  private troubledSince: number | undefined = undefined;

  constructor(private readonly pool: AnyPool<unknown>) {}

  async readiness(options: Required<ReadinessOptions>): Promise<{ readiness: Readiness; stats: AnyStats }> {
    if (this.probing) await this.probe;
    const stats = this.pool.stats();
    let readiness = judge(stats, this.isStarved(stats, options), options);
    const inDoubt = isIdle(stats) || (this.failed && isEmpty(stats));
    // A backend behind one key says nothing of those behind others.
    if (readiness.status === 'up' && inDoubt && !(this.pool instanceof KeyedPool)) {
      readiness = await this.probed(this.pool, options);
    }
    return { readiness, stats };
  }

  /** Since when the pool has not been up, as an ISO time: since a check found out, or longer where the pool knows. */
  troubled(readiness: Readiness, stats: AnyStats): string | undefined {
    if (readiness.status === 'up') {
      this.troubledSince = undefined;
      return undefined;
    }
    const now = performance.now();
    const failing = 'failing' in stats ? stats.failing : undefined;
    const known = [this.troubledSince ?? now, now - this.stuckMs, now - (failing?.forMs ?? 0)];
    this.troubledSince = Math.min(...known);
    return new Date(Date.now() - (now - this.troubledSince)).toISOString();
  }

  private isStarved(stats: AnyStats, { maxWait, starvedFor }: Required<ReadinessOptions>): boolean {
    const { waiting, leased, oldestWaitMs } = stats;
    // That its waiters have given up is no sign of life: an unready process gets no new ones.
    const isOpen = waiting === 0 && leased < capacityOf(stats);
    this.stuckMs = isOpen ? 0 : this.pool.standstillMs(maxWait, oldestWaitMs);
    return this.stuckMs > starvedFor;
  }

  /** The answer of one idle resource, so that an idle pool notices a dead backend; the same for all who ask meanwhile. */
  private probed(pool: Pool<unknown>, options: Required<ReadinessOptions>): Promise<Readiness> {
    const now = performance.now();
    if (!this.probe || now - this.probedAt > options.cacheFor) {
      this.probedAt = now;
      this.probing = true;
      this.probe = probe(pool, options).then(answer => {
        this.probing = false;
        this.failed = answer !== UP;
        return answer;
      });
    }
    return this.probe;
  }
}

/** Borrows one resource, which validates it, and gives it back. */
async function probe(
  pool: Pool<unknown>,
  { probeTimeout, whenUnavailable }: Required<ReadinessOptions>,
): Promise<Readiness> {
  try {
    await pool.use(() => undefined, { timeout: probeTimeout });
    return UP;
  } catch (error) {
    return { status: whenUnavailable, reason: `the probe of an idle resource failed: ${kindOf(error)}` };
  }
}

function isIdle(stats: AnyStats): boolean {
  return stats.leased === 0 && stats.waiting === 0 && stats.idle > 0;
}

function isEmpty(stats: AnyStats): boolean {
  return stats.leased === 0 && stats.idle === 0;
}
