import pg, { type Client } from 'pg';
import { TransactionOutcomeUnknownError } from '../../engine/index.js';
import { endsSession, type ServerError } from './errors.js';
import { restack } from './turns.js';

/** What becomes of a COMMIT. */
interface Fate {
  /** It has left for the server. */
  sent: boolean;
  /** What the server has done, by its own word: COMMIT or ROLLBACK. */
  done: string | undefined;
}

/** What pg's queries have, and their types do not tell. */
interface Sendable {
  submit: (connection: unknown) => unknown;
  handleCommandComplete: (message: { text: string }, connection: unknown) => void;
}

/**
 * Commits the transaction of a client. When it returns, that is committed, also if the connection broke behind the
 * server's word that it is.
 *
 * @throws TransactionOutcomeUnknownError when the COMMIT was sent and nobody has heard what became of it
 * @throws what the server says, when it has rolled back instead: a deferred constraint, a serialization failure
 * @throws Error when it has rolled back since a statement had failed before
 * @throws what a query throws that was not sent; nothing is committed then
 */
export async function commitTransaction(client: Client): Promise<void> {
  const fate: Fate = { sent: false, done: undefined };
  try {
    await send(client, fate);
  } catch (error) {
    if (fate.done === undefined) {
      throw fate.sent && !isRolledBack(error)
        ? new TransactionOutcomeUnknownError('PG_TRANSACTION_OUTCOME_UNKNOWN', error)
        : error;
    }
  }
  if (fate.done !== 'ROLLBACK') return;
  throw nothingToCommit();
}

export function nothingToCommit(cause?: unknown): Error {
  return new Error(
    'There was nothing to commit: a statement of the transaction has failed before, and its error was caught.',
    { cause },
  );
}

/** An object and not a text, since that sees when it is sent, and what is answered before the connection breaks. */
function send(client: Client, fate: Fate): Promise<unknown> {
  return new Promise<void>((resolve, reject) => {
    const query = new pg.Query('commit', error => {
      if (error) reject(error);
      else resolve();
    });
    const { submit, handleCommandComplete } = query as unknown as Sendable;
    Object.assign(query, {
      submit: (connection: unknown) => {
        fate.sent = true;
        return submit.call(query, connection);
      },
      handleCommandComplete: (message: { text: string }, connection: unknown) => {
        fate.done = message.text;
        handleCommandComplete.call(query, message, connection);
      },
    } satisfies Sendable);
    client.query(query);
  }).catch(restack);
}

/** Said by servers that have asked another one to commit. */
const UNKNOWN_BY_CODE: ReadonlySet<string | undefined> = new Set([
  '08007', // transaction_resolution_unknown
  '40003', // statement_completion_unknown
]);

/**
 * Has the server refused to commit? A session that ends says nothing about it, since the word may also be that of a
 * proxy between, whose server has gone in the middle of it.
 */
function isRolledBack(error: unknown): boolean {
  const { code, severity } = error as Partial<ServerError>;
  return severity !== undefined && !endsSession(error as ServerError) && !UNKNOWN_BY_CODE.has(code);
}
