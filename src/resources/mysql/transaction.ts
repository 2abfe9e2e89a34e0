import type { Connection } from 'mysql2/promise';
import { PoolOptionsError, type OpenTransaction, type TransactionOptions } from '../../engine/index.js';
import { checkTransactionOptions } from '../common/transaction-options.js';
import { commitTransaction } from './commit.js';
import { borrowOf, type Borrow } from './handle.js';

/**
 * Begins a transaction on a connection that was borrowed. All take part who share that.
 *
 * @throws PoolOptionsError when an option is not what it must be
 * @throws Error when another is open: MySQL would commit that
 * @throws LeaseReleasedError when the lease has ended
 */
export async function beginTransaction(
  pool: string,
  handle: Connection,
  options: TransactionOptions,
): Promise<MysqlTransaction> {
  const title = checkTransactionOptions(pool, options);
  const { isolation, readOnly, deferrable } = options;
  if (deferrable === true) {
    throw new PoolOptionsError(
      pool,
      `${title}: option "deferrable" is PostgreSQL's; MySQL has nothing of the kind.`,
    );
  }
  const borrow = borrowOf(handle);
  if (!borrow) throw new TypeError('A transaction is begun on a connection that was borrowed.');
  const { session } = borrow;
  if (session.begun || session.isInTransaction) {
    throw new Error(
      'A transaction is open on this connection, and to begin another would commit it. Borrow another connection, or ' +
        'begin one within it.',
    );
  }
  const begun = new MysqlTransaction(borrow);
  session.begun = true;
  try {
    // MySQL knows no level but that of the next transaction, and answers one statement before it reads another.
    if (isolation !== undefined) await begun.send(`SET TRANSACTION ISOLATION LEVEL ${isolation}`);
    await begun.send(`START TRANSACTION${readOnly === true ? ' READ ONLY' : ''}`);
  } catch (error) {
    session.begun = false;
    // It would be that of somebody else's transaction.
    if (isolation !== undefined) session.leavesTrace();
    throw error;
  }
  return begun;
}

/** A transaction that the pool has begun, or a savepoint within one. */
export class MysqlTransaction implements OpenTransaction {
  private ended = false;
  /** The one within it that is open. */
  private within: MysqlTransaction | undefined;
  private readonly savepoint: string;

  constructor(
    private readonly borrow: Borrow,
    private readonly parent?: MysqlTransaction,
    private readonly depth = 0,
  ) {
    this.savepoint = `nestjs_pool_${depth}`;
  }

  /**
   * @throws as `commitTransaction()`
   * @throws Error when the server has ended it before, as it does after a deadlock, or when one within it is still open;
   *   then it is rolled back
   */
  async commit(): Promise<void> {
    if (this.isOver || this.within) {
      await this.rollback().catch(() => undefined);
      throw new Error(
        'The transaction was not committed: it is over, or one within it has not ended. It was rolled back.',
      );
    }
    const { borrow, parent } = this;
    if (parent) {
      await this.send(`RELEASE SAVEPOINT ${this.savepoint}`);
      this.end();
      return;
    }
    try {
      // After an error the server does not say whether it is still there; it does with the next answer.
      if (!borrow.session.broken && borrow.session.mayHaveEnded) await this.send('DO 0');
      if (borrow.why) throw borrow.why();
      if (borrow.session.broken) throw new Error(LOST);
      if (!borrow.session.isInTransaction) throw new Error(ENDED);
      await commitTransaction(borrow.session);
    } finally {
      this.end();
    }
  }

  async rollback(): Promise<void> {
    // It has ended with the one that it stands in, and there is nothing to undo.
    if (this.isOver) return;
    try {
      await this.send(this.parent ? `ROLLBACK TO SAVEPOINT ${this.savepoint}` : 'ROLLBACK');
    } finally {
      this.end();
    }
  }

  async begin(): Promise<MysqlTransaction> {
    if (this.isOver || this.within)
      throw new Error('The transaction is over, or one within it is open already.');
    const inner = new MysqlTransaction(this.borrow, this, this.depth + 1);
    this.within = inner;
    try {
      await inner.send(`SAVEPOINT ${inner.savepoint}`);
    } catch (error) {
      this.within = undefined;
      throw error;
    }
    return inner;
  }

  /** @internal */
  async send(text: string): Promise<void> {
    const { why, session } = this.borrow;
    if (why) throw why();
    await session.run(text);
  }

  private get isOver(): boolean {
    return this.ended || (this.parent?.isOver ?? false);
  }

  private end(): void {
    const { parent, borrow } = this;
    this.ended = true;
    if (parent) parent.within = undefined;
    else {
      borrow.session.begun = false;
      // Who asked for its end knows by now if the connection is lost.
      borrow.session.acknowledge('rollback');
    }
  }
}

const ENDED =
  'There was nothing to commit: the transaction has ended before, by a deadlock or another error that was caught, or by a ' +
  'statement that ends it, such as COMMIT or CREATE TABLE.';

const LOST = 'The COMMIT was not sent: the connection had broken before, and the transaction is rolled back.';
