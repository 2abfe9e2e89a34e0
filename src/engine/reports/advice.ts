import type { PoolHolder } from './stats.js';

/** The rules that advice comes from; docs/engine.md has a table of them. */
export type AdviceRule =
  | 'cheap-create'
  | 'oversized'
  | 'waits-at-max'
  | 'long-holds'
  | 'invalid'
  | 'no-reset'
  | 'validate-timeout'
  | 'server-limit';

/** What a pool concludes from what it has measured; plain data, fit for JSON. */
export interface Advice {
  readonly rule: AdviceRule;
  /** What was measured, and what to do. It names nobody: no owner, host, role or database. */
  readonly text: string;
  /** What the text is about: counts, and durations in milliseconds where the name ends in `Ms`. */
  readonly numbers: Readonly<Record<string, number>>;
  /** From when on the rule speaks. */
  readonly threshold: string;
  /** Where the rule comes from. */
  readonly source: string;
  /** Whom it is about, those who have held a resource longest first; only of `long-holds`. */
  readonly holders?: readonly PoolHolder[];
}

/** How many resources the other side admits, of all who come to it; see `capacity` of a factory. */
export interface Capacity {
  /** At most so many at once. */
  readonly limit: number;
  /** So many of them are kept for others, such as administrators. Default 0. */
  readonly reserved?: number | undefined;
  /** What the limit is called, for the text: `max_connections`. */
  readonly name?: string | undefined;
}
