import type { Interior } from '../interior.js';
import type { Advice } from '../reports/advice.js';

/** What a rule has found. */
export type Finding = Pick<Advice, 'text' | 'numbers' | 'holders'>;

/** One thing that can be told of a pool by what it has measured. */
export interface Rule extends Pick<Advice, 'rule' | 'threshold' | 'source'> {
  /** @returns undefined when there is nothing to say, or not enough was measured */
  look<T>(pool: Interior<T>): Finding | undefined;
}

/** A count, as people read it: 12,345. */
export const count = (value: number): string => value.toLocaleString('en');

/** A duration given in milliseconds, as people read it: 4 µs, 2.5 ms, 1,200 ms. */
export function time(ms: number): string {
  if (ms < 0.1) return `${Math.round(ms * 1_000)} µs`;
  return `${ms < 10 ? Math.round(ms * 10) / 10 : count(Math.round(ms))} ms`;
}

/** `1 of them was`, `2 of them were` */
export const wasOrWere = (value: number): string => (value === 1 ? 'was' : 'were');
