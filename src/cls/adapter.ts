import { AsyncLocalStorage } from 'node:async_hooks';
import type { TransactionalAdapter, TransactionalAdapterOptions } from '@nestjs-cls/transactional';
import type { Client } from 'pg';
import type { Pool, Transaction } from '../engine/index.js';
import { PoolRegistry } from '../module/registry.js';
import { getPoolToken } from '../module/tokens.js';
import { checkHow } from '../module/transaction-options.js';
import { pgFacade } from '../resources/pg.js';
import { atPlace, runInScope, transact, transactionHere, type TransactOptions } from '../scope/index.js';

/** What `TransactionHost.tx` is: the client of the transaction, and where there is none, the pool. Both are of `pg`. */
export type NestjsPoolTransaction = Pick<Client, 'query'>;

/** How `@Transactional()` of `@nestjs-cls/transactional` begins a transaction. */
export type NestjsPoolTransactionOptions = Omit<TransactOptions, 'propagation'>;

export interface NestjsPoolAdapterOptions {
  /** The name of a pool of `PoolModule`, made by `pgPool`; not one by key. */
  readonly pool: string;
  /** Of all transactions, unless a method says otherwise. */
  readonly defaultTxOptions?: NestjsPoolTransactionOptions | undefined;
}

type Work = (...parameters: unknown[]) => Promise<unknown>;
type SetTx = (tx?: NestjsPoolTransaction) => void;

/**
 * Transactions of a pool for `@nestjs-cls/transactional`. They are those of the borrow scope: in a method with its
 * `@Transactional()`, `Borrowed.get()` and what uses `@InjectPgPool` take part, and in a transaction that this package has begun,
 * its `REQUIRED` takes part.
 *
 * ```ts
 * ClsModule.forRoot({
 *   plugins: [new ClsPluginTransactional({ adapter: new TransactionalAdapterNestjsPool({ pool: 'orders-db' }) })],
 * })
 * ```
 */
export class TransactionalAdapterNestjsPool implements TransactionalAdapter<
  Pool<Client>,
  NestjsPoolTransaction,
  NestjsPoolTransactionOptions
> {
  readonly connectionToken: string;
  readonly extraProviderTokens = [PoolRegistry];
  readonly defaultTxOptions: Partial<NestjsPoolTransactionOptions>;

  /** @throws TypeError for an option that is wrong */
  constructor({ pool, defaultTxOptions = {} }: NestjsPoolAdapterOptions) {
    if (typeof (pool as unknown) !== 'string' || pool === '')
      throw new TypeError('TransactionalAdapterNestjsPool: pool must be the name of a pool.');
    checkHow(`TransactionalAdapterNestjsPool, pool "${pool}"`, defaultTxOptions);
    this.connectionToken = getPoolToken(pool);
    this.defaultTxOptions = defaultTxOptions;
  }

  /** @throws TypeError when the pool is not one of `pgPool` */
  readonly optionsFactory = (
    pool: Pool<Client>,
    [registry]: PoolRegistry[],
  ): TransactionalAdapterOptions<NestjsPoolTransaction, NestjsPoolTransactionOptions> => {
    const bridge = new Bridge(pool, registry!);
    return {
      wrapWithTransaction: (options, work, setTx) => bridge.begin(options, work, setTx),
      wrapWithNestedTransaction: (options, work, setTx) => bridge.run('NESTED', options, work, setTx),
      getFallbackInstance: () => bridge.fallback(),
    };
  };
}

/** Keeps what `TransactionHost` knows and what the scope knows one. */
class Bridge {
  /** The transaction that `TransactionHost` was last told of, where code runs. */
  private readonly told = new AsyncLocalStorage<Transaction<Client>>();
  private readonly joining: NestjsPoolTransaction;
  private readonly apart: NestjsPoolTransaction;

  constructor(
    private readonly pool: Pool<Client>,
    private readonly registry: PoolRegistry,
  ) {
    this.apart = pgFacade(pool);
    this.joining = pgFacade(pool, { current: () => transactionHere(registry, pool) });
  }

  /**
   * It is asked for one where `TransactionHost` knows of none, and for another. The scope may have one of which it does not know:
   * then that is the one that is meant.
   */
  begin(options: NestjsPoolTransactionOptions, work: Work, setTx: SetTx): Promise<unknown> {
    return this.run(this.isTold() ? 'REQUIRES_NEW' : 'REQUIRED', options, work, setTx);
  }

  run(
    propagation: 'REQUIRED' | 'REQUIRES_NEW' | 'NESTED',
    options: NestjsPoolTransactionOptions,
    work: Work,
    setTx: SetTx,
  ): Promise<unknown> {
    checkHow('@Transactional()', options);
    return runInScope(this.registry, {}, scope =>
      atPlace(scope, this.pool, undefined, undefined, place =>
        transact(place, { ...options, propagation }, transaction => {
          setTx(transaction!.resource);
          return this.told.run(transaction!, work);
        }),
      ),
    );
  }

  /**
   * What is outside of a transaction on purpose (`NOT_SUPPORTED`) takes part in none. What runs on behind the end of one is told
   * so by the pool that would take part.
   */
  fallback(): NestjsPoolTransaction {
    return this.isTold() ? this.apart : this.joining;
  }

  private isTold(): boolean {
    return this.told.getStore()?.state === 'open';
  }
}
