import type { TransactionOptions } from '../engine/index.js';

/**
 * Why whoever wants a transaction of one kind cannot do with one that is open already; undefined when it can. To read in
 * one that can be written to harms nobody.
 */
export function misfit(wanted: TransactionOptions, open: TransactionOptions): string | undefined {
  const { isolation, readOnly } = wanted;
  if (isolation !== undefined && isolation !== open.isolation) {
    return `isolation '${isolation}' is wanted, and the transaction that is open has ${open.isolation ?? 'that of the server'}`;
  }
  if (readOnly === false && open.readOnly) return 'the transaction that is open can only be read in';
  return undefined;
}
