import type { Client } from 'pg';
import { PoolOptionsError, type OpenTransaction, type TransactionOptions } from '../../engine/index.js';
import { checkTransactionOptions } from '../common/transaction-options.js';
import { runInBranch, type Branch, type Sender } from './branch.js';
import { commitTransaction, nothingToCommit } from './commit.js';
import { TransactionOverlapError, type ServerError } from './errors.js';
import { borrowOf, type Borrow } from './handle.js';
import type { Admission } from './transactions.js';

/** in_failed_sql_transaction */
const FAILED = '25P02';

/**
 * Begins a transaction on a client that was borrowed, in one round trip. From its end on the client sends nothing.
 *
 * @param whole do all take part who share the connection?
 * @throws PoolOptionsError when an option is not what it must be
 * @throws TransactionOverlapError when another is open
 * @throws LeaseReleasedError when the lease has ended
 */
export async function beginTransaction(
  pool: string,
  handle: Client,
  options: TransactionOptions,
  whole: boolean,
): Promise<PgTransaction> {
  const text = beginText(pool, options);
  const borrow = borrowOf(handle);
  if (!borrow) throw new TypeError('A transaction is begun on a client that was borrowed.');
  const { transactions } = borrow.session;
  const branch = transactions.branch(text, beginTransaction, borrow, { managed: true, whole });
  borrow.at = branch;
  const begun = new PgTransaction(borrow, branch, options);
  await begun.open(text);
  return begun;
}

function beginText(pool: string, options: TransactionOptions): string {
  const title = checkTransactionOptions(pool, options);
  const { isolation, readOnly, deferrable } = options;
  if (deferrable === true && (isolation !== 'serializable' || readOnly !== true)) {
    throw new PoolOptionsError(
      pool,
      `${title}: option "deferrable" needs isolation: 'serializable' and readOnly: true, without which it does nothing.`,
    );
  }
  const level = isolation === undefined ? '' : ` isolation level ${isolation}`;
  return `begin${level}${readOnly === true ? ' read only' : ''}${deferrable === true ? ' deferrable' : ''}`;
}

/** A transaction that the pool has begun, or a savepoint within one. Nobody else ends it. */
export class PgTransaction implements OpenTransaction {
  private readonly savepoint: string;

  constructor(
    /** @internal */
    readonly borrow: Borrow,
    /** @internal */
    readonly branch: Branch,
    /** @internal How the whole transaction was begun. */
    readonly options: TransactionOptions,
    private readonly depth = 0,
  ) {
    // Those that are open stand within each other, so that the depth is name enough.
    this.savepoint = `nestjs_pool_${depth}`;
  }

  /** @internal */
  async open(text: string): Promise<void> {
    try {
      await this.send(text, this.transactions.opens(this.branch));
    } catch (error) {
      this.transactions.forget(this.branch);
      throw error;
    }
  }

  /**
   * @throws as `commitTransaction()`
   * @throws TransactionOverlapError when one within it is still open; then it is rolled back
   */
  async commit(): Promise<void> {
    const admission = this.transactions.ends(this.branch, 'commit');
    try {
      await (this.branch.parent ? this.release(admission) : commitTransaction(this.client(admission)));
    } catch (error) {
      if (error instanceof TransactionOverlapError) await this.rollback().catch(() => undefined);
      throw error;
    } finally {
      this.forgetLost();
    }
  }

  async rollback(): Promise<void> {
    // It has ended with the one that it stands in, or with its connection, and there is nothing to undo.
    if (!this.transactions.isIn(this.branch)) return;
    try {
      await this.send(this.undo, this.transactions.ends(this.branch, 'rollback'));
    } finally {
      this.forgetLost();
    }
  }

  /** @param sender what the statements come through that belong to it; by default, those of the whole transaction */
  begin(sender: Sender | undefined = this.branch.sender): Promise<PgTransaction> {
    const inner = this.inner(sender);
    return inner.open(inner.opening).then(() => inner);
  }

  run<R>(work: () => R): R {
    return runInBranch(this.branch, work);
  }

  /** @internal One within it that is yet to be opened. */
  inner(sender: Sender | undefined, entry?: unknown): PgTransaction {
    const { borrow, branch, options, depth } = this;
    const kind = { parent: branch, managed: true };
    const within = this.transactions.branch('savepoint', entry, sender, kind);
    return new PgTransaction(borrow, within, options, depth + 1);
  }

  /** @internal */
  get opening(): string {
    return `savepoint ${this.savepoint}`;
  }

  private get undo(): string {
    const { savepoint } = this;
    return this.branch.parent
      ? `rollback to savepoint ${savepoint}; release savepoint ${savepoint}`
      : 'rollback';
  }

  /** What it has done becomes that of the transaction around it, unless it has failed: then it is undone, like any other. */
  private async release(admission: Admission): Promise<void> {
    const fate = { sent: false };
    try {
      await this.send(`release savepoint ${this.savepoint}`, () => {
        const refused = admission();
        fate.sent = !refused;
        return refused;
      });
      this.branch.released = true;
    } catch (error) {
      if (fate.sent) await this.send(this.undo, () => this.whileAround()).catch(() => undefined);
      throw (error as ServerError).code === FAILED ? nothingToCommit(error) : error;
    }
  }

  private whileAround(): Error | undefined {
    const { parent, place } = this.branch;
    return this.transactions.isIn(parent!) ? undefined : TransactionOverlapError.ended(place);
  }

  private send(text: string, admission: Admission): Promise<unknown> {
    const { why, session } = this.borrow;
    return why ? Promise.reject(why()) : session.run(text, admission);
  }

  /** As much of a client as is needed to commit. */
  private client(admission: Admission): Client {
    const { borrow } = this;
    const query = (query: unknown): unknown =>
      borrow.why ? borrow.session.refuse(borrow.why(), query) : borrow.session.send(query, admission);
    return { query } as unknown as Client;
  }

  /** Its end was asked for, so that nobody goes on as if it were there. */
  private forgetLost(): void {
    if (this.borrow.session.broken) this.transactions.forget(this.branch);
  }

  private get transactions() {
    return this.borrow.session.transactions;
  }
}
