import type { Lease, TransactionOptions } from '../engine/index.js';
import { TransactionRefusedError, TransactionRolledBackError } from './errors.js';
import { misfit } from './misfit.js';
import type { Shared } from './shared.js';
import type { Place, Running } from './transact.js';

/**
 * A transaction in which everybody takes part who has the resource of a scope. It is begun by the first call (a handler, a
 * resolver) that asks for one, joined by those that ask while it is open, and ended when the last of them has: committed
 * if all have succeeded, and otherwise rolled back.
 */
export class WholeTransaction {
  private members = 0;
  /** Rejects when it could not begin. */
  readonly running: Promise<Running<unknown>>;
  /** What has become of it, for all its members. */
  private readonly end: Promise<void>;
  private settle!: (end: Promise<void>) => void;
  /** Why it will be rolled back. Nobody is lent its resource any more. */
  private reason: unknown = undefined;
  /** It is being ended, or has been. */
  private over = false;

  constructor(
    private readonly shared: Shared,
    lease: Promise<Lease<unknown>>,
    private readonly options: TransactionOptions,
    readonly place: Omit<Place<unknown>, 'pool'> & { readonly pool: { readonly name: string } },
  ) {
    this.running = lease.then(async one => ({ lease: one, transaction: await one.begin(options, true) }));
    this.running.catch(() => {
      this.forget();
    });
    this.end = new Promise(resolve => {
      this.settle = resolve;
    });
    this.end.catch(() => undefined);
  }

  /** Is nobody to take part in it any more? */
  get doomed(): boolean {
    return this.reason !== undefined || this.over;
  }

  /**
   * One more takes part, who has to {@link leave} it.
   *
   * @throws TransactionRefusedError when it is of another kind than the one that is wanted
   */
  join(options: TransactionOptions): void {
    const why = misfit(options, this.options);
    if (why) throw new TransactionRefusedError(this.place.pool.name, why);
    this.members++;
  }

  /** It will be rolled back. */
  doom(reason: unknown): void {
    this.reason ??= reason ?? new Error('failed');
  }

  /**
   * One of its members has ended. Resolves when the transaction has.
   *
   * @throws what the commit says, or why it was rolled back
   */
  leave(): Promise<void> {
    if (--this.members === 0 && !this.over) {
      this.over = true;
      this.settle(this.finish());
    }
    return this.end;
  }

  /**
   * The scope has ended well: commits what nobody has ended.
   *
   * @throws what the commit says
   */
  async close(): Promise<void> {
    if (this.doomed) return;
    this.over = true;
    await (await this.running).transaction.commit();
  }

  private async finish(): Promise<void> {
    try {
      const { transaction } = await this.running;
      if (this.reason === undefined) await transaction.commit();
      else {
        // If that fails, the reset of the resource finds out.
        await transaction.rollback().catch(() => undefined);
        throw new TransactionRolledBackError(this.place.pool.name, this.reason);
      }
    } finally {
      this.forget();
    }
  }

  private forget(): void {
    if (this.shared.whole === this) this.shared.whole = undefined;
  }
}
