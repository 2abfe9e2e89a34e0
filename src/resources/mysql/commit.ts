import { TransactionOutcomeUnknownError } from '../../engine/index.js';
import type { Command } from './core.js';
import { endsSession } from './errors.js';
import type { Session } from './session.js';

/** Said in answer to a COMMIT, these leave it open what has become of it. */
const UNKNOWN: ReadonlySet<number | undefined> = new Set([
  1180, // ER_ERROR_DURING_COMMIT
  1317, // ER_QUERY_INTERRUPTED
]);

/**
 * Commits the transaction of a session.
 *
 * @throws TransactionOutcomeUnknownError when the COMMIT was sent and nobody has heard what became of it
 * @throws what the server says when it has refused, or what a query throws that was not sent; nothing is committed then
 */
export async function commitTransaction(session: Session): Promise<void> {
  let command: Command | undefined;
  try {
    await session.run('COMMIT', 'pool', queued => (command = queued));
  } catch (error) {
    const wasSent = Boolean(command?.next);
    if (!wasSent || isRefusal(error)) throw error;
    throw new TransactionOutcomeUnknownError('MYSQL_TRANSACTION_OUTCOME_UNKNOWN', error);
  }
}

/** An answer of the server has a state. One that ends the session may be that of a proxy whose server has gone. */
function isRefusal(error: unknown): boolean {
  const { sqlState, errno } = error as { sqlState?: string; errno?: number };
  return sqlState !== undefined && errno !== undefined && !endsSession(errno) && !UNKNOWN.has(errno);
}
