import type { Waiting } from '../queue/waiting.js';
import { Latencies } from '../reports/latency.js';
import { newTotals, summaries, type PoolStats, type PoolTotals } from '../reports/stats.js';
import type { Census } from '../slots/slot.js';
import type { Stock } from '../slots/stock.js';

/** A snapshot of all keys of a keyed pool together; plain data, fit for JSON. */
export interface KeyedPoolStats extends Omit<PoolStats, 'state' | 'min' | 'max' | 'overflow' | 'failing'> {
  readonly state: 'ready' | 'suspended' | 'draining' | 'closed';
  /** How many keys hold or want something now. */
  readonly keys: number;
  /** Of one key. */
  readonly max: number;
  readonly maxTotal: number;
}

/** What a pool has counted since it was made. */
type Counted = Readonly<Pick<Stock<unknown>, 'totals' | 'latencies'>>;

/** What happened in pools of keys, those that have gone included. */
export class KeyedHistory {
  readonly totals = newTotals();
  readonly latencies = new Latencies();

  /** The pool of a key goes. What it has counted stays, and what it gave up may still settle, and counts here then. */
  keep<T>(pool: Stock<T>): void {
    this.add(pool);
    pool.totals = this.totals;
  }

  /** Everything up to now, with what the pools that are there have counted. */
  snapshot(pools: Iterable<Counted>): Pick<PoolStats, 'totals' | 'latency'> {
    const { totals, latencies } = this.with(pools);
    return { totals, latency: summaries(latencies, totals.acquired) };
  }

  /** The sum of it and of others. */
  with(pools: Iterable<Counted>): Counted {
    const sum = new KeyedHistory();
    sum.add(this);
    for (const pool of pools) sum.add(pool);
    return sum;
  }

  private add({ totals, latencies }: Counted): void {
    addTotals(this.totals, totals);
    this.latencies.add(latencies);
  }
}

/** How many resources are in each state, and how many borrowers wait. */
export function keyedCounts<T>(
  census: Census,
  pools: Iterable<Waiting<T>>,
): Omit<PoolStats, 'name' | 'state' | 'min' | 'max' | 'overflow' | 'failing' | 'totals' | 'latency'> {
  const { idle, leased, creating, validating, preparing, resetting, closing, abandoned } = census;
  let waiting = 0;
  let oldestWaitMs = 0;
  for (const { waiters, waits } of pools) {
    waiting += waiters.length;
    if (waiters.oldestSince === undefined) continue;
    oldestWaitMs = Math.max(oldestWaitMs, waits.now() - waiters.oldestSince);
  }
  return {
    total: census.places,
    idle,
    leased,
    creating,
    validating,
    preparing,
    resetting,
    closing,
    abandoned,
    waiting,
    oldestWaitMs,
  };
}

type Counter = Exclude<keyof PoolTotals, 'destroyedBy'>;

/** Looked up once: with thousands of keys that was most of what a snapshot cost. */
const COUNTERS = Object.keys(newTotals()).filter((name): name is Counter => name !== 'destroyedBy');

function addTotals(sum: PoolTotals, others: PoolTotals): void {
  for (const name of COUNTERS) sum[name] += others[name];
  const { destroyedBy } = others;
  for (const reason of Object.keys(destroyedBy) as (keyof typeof destroyedBy)[]) {
    sum.destroyedBy[reason] = (sum.destroyedBy[reason] ?? 0) + (destroyedBy[reason] ?? 0);
  }
}
