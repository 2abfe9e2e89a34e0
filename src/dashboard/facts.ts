import type { PoolState } from '../engine/index.js';
import type { Sample } from './sample.js';

/** Who holds something now. */
export interface Holding {
  /** What it calls itself, or where it has acquired; undefined where neither is known. */
  readonly who: string | undefined;
  /** Where it has acquired, if that was kept. */
  readonly stack?: string | undefined;
  /** Of a pool by key: for which. */
  readonly key?: string | undefined;
  readonly heldMs: number;
}

/** A route, or somebody else, that has been seen to hold or to wait in the last minutes. */
export interface Known {
  readonly who: string;
  /** So many of its holds were seen soon after they had begun, or wait to begin: how much of the pool's work it is, roughly. */
  readonly holds: number;
}

/** Creates that keep failing. */
export interface Failing {
  readonly attempts: number;
  readonly forMs: number;
  /** The class of the last error and its code: never what it says. */
  readonly error: string;
  /** Milliseconds until the next attempt; undefined where that is not known. */
  readonly retryInMs: number | undefined;
  /** Of a pool by key: for which. */
  readonly key?: string | undefined;
}

/** A pool as it is now. */
export interface Now {
  readonly state: PoolState;
  /** What its resources are connections to, in a word: `database`. */
  readonly backend: string;
  readonly total: number;
  readonly failing: Failing | undefined;
  readonly holders: readonly Holding[];
  readonly known: readonly Known[];
  /** Who holds what was reported as a leak, and has not come back. */
  readonly leaks: readonly Holding[];
  /** Of a pool by key: how many a key may have, and the keys that somebody waits for. */
  readonly keyed?: { readonly max: number; readonly waitedFor: readonly string[] } | undefined;
}

export type Verdict =
  'well' | 'busy' | 'held' | 'slow' | 'dead' | 'unsure' | 'starting' | 'suspended' | 'closing';

export interface Diagnosis {
  readonly verdict: Verdict;
  /** Is it worse than a remark: is anybody kept waiting, or refused? */
  readonly serious: boolean;
  readonly title: string;
  /** What was measured, in sentences. */
  readonly text: string;
  /** What to do next; empty where there is nothing to do. */
  readonly next: string;
}

export interface Facts {
  readonly history: readonly Sample[];
  readonly recent: readonly Sample[];
  readonly before: readonly Sample[];
  readonly last: Sample | undefined;
  /** The worst of the last seconds, if anybody has paid for it. */
  readonly pressed: Sample | undefined;
  readonly now: Now;
  /** What those who wait compete for. */
  readonly stage: Stage;
}

export interface Stage {
  readonly max: number;
  readonly leased: number;
  readonly holders: readonly Holding[];
  /** Of a pool by key that is not full, in words: for which keys. */
  readonly whose: string;
}

/** Milliseconds: a hold that is shorter is no long one, whatever is usual. */
export const LONG = 1_000;
/** So many samples with measured holds make a usual one. */
export const ENOUGH = 5;

/** The value that this share of the seconds in which it was measured does not exceed; undefined where those are too few. */
export function quantileOf(
  samples: readonly Sample[],
  field: 'holdMs' | 'createMs',
  { share = 0.5, enough = ENOUGH }: { share?: number; enough?: number } = {},
): number | undefined {
  const values = samples.map(sample => sample[field]).filter(value => value !== undefined);
  if (values.length < enough) return undefined;
  return values.sort((a, b) => a - b)[Math.floor(values.length * share)];
}

export function sum(
  samples: readonly Sample[],
  field: 'acquired' | 'released' | 'leased' | 'validating',
): number {
  return samples.reduce((total, sample) => total + sample[field], 0);
}
