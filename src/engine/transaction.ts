import type { OpenTransaction, TransactionOptions } from './options/factory.js';

/** What a transaction has come to. */
export type TransactionState = 'open' | 'committed' | 'rolled back' | 'failed';

/**
 * A transaction on a resource that is lent, made by `lease.begin()`. At the end of the block with
 * `await using tx = await lease.begin()` it is rolled back, unless it was committed.
 */
export class Transaction<T> implements AsyncDisposable {
  private current: TransactionState = 'open';

  /** @internal */
  constructor(
    /** What is done with this, is done in the transaction. */
    readonly resource: T,
    /** How it was begun. */
    readonly options: TransactionOptions,
    /** @internal What the factory has begun. */
    readonly inner: OpenTransaction,
    /** Told once, when it has ended, whatever it has come to. */
    private readonly ended: () => void = () => undefined,
  ) {}

  /** `failed` when a commit or a rollback has failed, or has not ended yet. */
  get state(): TransactionState {
    return this.current;
  }

  /**
   * Makes it last.
   *
   * @throws Error when it has ended before
   * @throws what the resource says: it was not committed, or nobody knows, and the error says which
   */
  async commit(): Promise<void> {
    if (this.current !== 'open')
      throw new Error(`The transaction cannot be committed: it has ${said(this.current)}.`);
    await this.end('committed', () => this.inner.commit());
  }

  /**
   * Undoes it. Does nothing when it has ended before.
   *
   * @throws what the resource says; it is rolled back all the same before anybody else gets the resource
   */
  async rollback(): Promise<void> {
    if (this.current !== 'open') return;
    await this.end('rolled back', () => this.inner.rollback());
  }

  /**
   * Begins one within it (a savepoint), which can be rolled back by itself.
   *
   * @throws Error when the resource has none
   * @throws what the resource says
   */
  async begin(): Promise<Transaction<T>> {
    if (!this.inner.begin)
      throw new Error('The resources of this pool have no transactions within transactions.');
    return new Transaction(this.resource, this.options, await this.inner.begin());
  }

  /** Runs work as part of the transaction, whichever handle of the same borrow it uses. */
  run<R>(work: () => R): R {
    return this.inner.run ? this.inner.run(work) : work();
  }

  private async end(well: TransactionState, how: () => unknown): Promise<void> {
    this.current = 'failed';
    try {
      await how();
      this.current = well;
    } finally {
      this.ended();
    }
  }

  /** Rolls back what has not ended by the end of the block. What goes wrong with that is found out by the reset of the resource. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.rollback().catch(() => undefined);
  }
}

function said(state: TransactionState): string {
  return state === 'failed' ? 'failed, or is being ended' : `been ${state}`;
}
