import type { IncomingMessage } from 'node:http';
import type { BorrowScope } from './borrow-scope.js';
import type { WholeTransaction } from './whole-transaction.js';

/** The application a scope belongs to; two applications in one process do not meet. */
export interface ScopeHost {
  /** Aborted when the application shuts down and endless work (subscriptions) should end. */
  readonly stopping: AbortSignal;
  /** Aborted when the application has stopped to listen, so that nobody waits for answers any more. */
  readonly silenced?: AbortSignal | undefined;
  /** Milliseconds that doubts about the end of a scope have to be cleared. Default 1 000. */
  readonly abandonedTimeout?: number | undefined;
  /** Milliseconds that the client of a request still waits when it arrives; undefined where that is not known, or never is. */
  readonly timeLeft?: ((request: IncomingMessage) => number | undefined) | undefined;
  /** How to begin the transactions that a handler wants; undefined for one that wants none. */
  transactionsOf?(handler: object, instance: object): TransactionPlan | undefined;
}

/** Begins transactions, and tells of each from when on it has to be left again. */
export type TransactionPlan = (
  scope: BorrowScope,
  joined: (transaction: WholeTransaction) => void,
) => Promise<void>;
