import { setTimeout as pause } from 'node:timers/promises';
import { TransactionOutcomeUnknownError } from '../engine/index.js';

/** When a transaction is tried again that could not be committed beside others. */
export interface TransactionRetry {
  /** How often it is tried again. */
  readonly attempts: number;
  /** Milliseconds before the first of these, at most: a random part of it, and of twice as much each time. Default 20. */
  readonly delay?: number | undefined;
  /** At most as many milliseconds. Default 1 000. */
  readonly maxDelay?: number | undefined;
  /**
   * Which errors are worth it. Default: serialization failures and deadlocks, SQLSTATE 40001 and 40P01, and MySQL's 1213.
   * One of which it is not known whether it was committed is never worth it.
   */
  readonly when?: ((error: unknown) => boolean) | undefined;
}

const CONFLICTS: readonly unknown[] = ['40001', '40P01', 'ER_LOCK_DEADLOCK'];

/** Has the server rolled it back because of others who were at work at the same time? */
export function isConflict(error: unknown): boolean {
  // Libraries put errors of their own around those of the server.
  for (let one = error, depth = 0; typeof one === 'object' && one !== null && depth < 5; depth++) {
    const { code, cause, driverError } = one as { code?: unknown; cause?: unknown; driverError?: unknown };
    if (CONFLICTS.includes(code)) return true;
    one = cause ?? driverError;
  }
  return false;
}

/**
 * Tries again what has failed by a conflict, with full jitter.
 *
 * @param mayRepeat is anybody still waiting for it, and has heard nothing of it yet?
 * @throws what the last attempt has thrown
 */
export async function retrying<R>(
  retry: TransactionRetry | undefined,
  attempt: () => Promise<R>,
  mayRepeat: () => boolean,
): Promise<R> {
  if (!retry) return attempt();
  const { attempts, delay = 20, maxDelay = 1_000, when = isConflict } = retry;
  for (let failed = 0; ; failed++) {
    try {
      return await attempt();
    } catch (error) {
      // It may have been done, whatever anybody says.
      const over = failed >= attempts || error instanceof TransactionOutcomeUnknownError;
      if (over || !mayRepeat() || !when(error)) throw error;
      await pause(Math.random() * Math.min(maxDelay, delay * 2 ** failed));
      if (!mayRepeat()) throw error;
    }
  }
}
