/**
 * Does `nestjs-pool/pg` refuse a second transaction on a connection that has one, and statements on a connection that has
 * gone back? Where it does not, the kinds of requests that try lose money by their own fault, and are left out; nor can it
 * tell which of two connections an error is of.
 */
export const REFUSES_OVERLAPS = true as boolean;

const REFUSALS: readonly unknown[] = ['PG_TRANSACTION_OVERLAP', 'POOL_LEASE_RELEASED'];

/** Was the statement not sent at all? */
export const isRefusal = (error: unknown): boolean =>
  REFUSALS.includes((error as { code?: unknown } | null)?.code);
