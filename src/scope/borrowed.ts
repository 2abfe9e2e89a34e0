import {
  KeyedPool,
  type Lease,
  type Pool,
  type Transaction,
  type TransactionOptions,
} from '../engine/index.js';
import { refused, type AnyPool, type BorrowOptions, type BorrowScope } from './borrow-scope.js';
import { currentScope } from './current-scope.js';
import { NoBorrowScopeError, TransactionOverError } from './errors.js';
import { frameOf, ownerHere, keyHere, type Frame } from './frames.js';
import type { ScopeHost } from './host.js';
import { keyFor, type KeyRule } from './key.js';
import { transact, type Place, type Running, type TransactOptions } from './transact.js';
import { selfOf } from './shared-resources.js';

/** How to borrow from a pool that may be a keyed one. */
export interface KeyedBorrowOptions<K = unknown> extends BorrowOptions {
  /**
   * The key, in place of that of the transaction that this is called in, or else of the one that the pool's own rule would find in
   * the request. Only for keyed pools.
   */
  readonly key?: K | undefined;
}

/** How to begin a transaction. */
export interface BeginOptions<K = unknown>
  extends TransactionOptions, Pick<KeyedBorrowOptions<K>, 'timeout' | 'priority' | 'key'> {}

/**
 * What a singleton holds to reach the resource of the unit of work it is called in: the same one all through a request,
 * borrowed on first use, given back when the request is done with it. Of a keyed pool: the same one for each key.
 */
export class Borrowed<T, K = unknown> {
  constructor(
    private readonly pool: AnyPool<T>,
    private readonly host: ScopeHost,
    /** How a keyed pool finds its key in a request. */
    private readonly rule?: KeyRule,
  ) {}

  /**
   * The resource of the current scope. Do not keep it: ask again in the next request.
   *
   * @throws NoBorrowScopeError outside any scope
   * @throws BorrowScopeEndedError in code that runs on after its scope has ended
   * @throws BorrowKeyError when the pool is a keyed one and its key is not known
   * @throws what `pool.acquire` throws
   */
  get(options: KeyedBorrowOptions<K> = {}): Promise<T> {
    const resource: Promise<T> = this.there(options, place => resourceIn(place, options));
    // As with the lease: who forgets to await it does not end the process.
    resource.catch(() => undefined);
    return resource;
  }

  /**
   * The lease itself, for its `signal`, or to give a broken resource up with `destroy()`. Throws as {@link get}. Leave
   * it to the scope to release it: where a scope waits for more, its pools take it that it keeps what it has.
   */
  lease(options: KeyedBorrowOptions<K> = {}): Promise<Lease<T>> {
    return this.there(options, place => leaseIn(place, options));
  }

  /**
   * Begins a transaction: `await using tx = await this.db.begin()`, and `tx.resource` is what its queries go through. It is
   * rolled back at the end of the block unless it was committed. It has its resource for itself: `get()` gives another one
   * meanwhile.
   *
   * @throws as {@link get}, and PoolOptionsError when the pool's resources have no transactions
   */
  begin({ timeout, priority, key, ...how }: BeginOptions<K> = {}): Promise<Transaction<T>> {
    return this.there({ key }, async ({ scope, pool, key: known }) => {
      const { transaction } = await scope.begin(pool, { timeout, priority }, known, how, ownerHere(scope));
      return transaction;
    });
  }

  /**
   * Runs work in a transaction, in which {@link get} gives its resource: commits when the work resolves, and rolls back when
   * it rejects. As `@Transactional` does with a method, with the same options.
   *
   * @throws as {@link begin}, TransactionRefusedError by `propagation`, and what the work throws
   */
  transaction<R>(
    work: (resource: T) => R | PromiseLike<R>,
    { key, ...options }: TransactOptions & { readonly key?: K | undefined } = {},
  ): Promise<R> {
    return this.there({ key }, place =>
      transact(place, options, async transaction => work(transaction?.resource ?? (await this.get({ key })))),
    );
  }

  /** @internal The scope that it is called in. */
  protected current(): BorrowScope | undefined {
    return currentScope(this.host);
  }

  private there<R>(options: KeyedBorrowOptions, use: (place: Place<T>) => Promise<R>): Promise<R> {
    const scope = this.current();
    if (!scope) return refused(new NoBorrowScopeError(this.pool.name));
    return atPlace(scope, this.pool, options.key, this.rule, use);
  }
}

/**
 * Does something with a pool in a scope; finds the key first where the pool is a keyed one.
 *
 * @throws BorrowKeyError when that is not known, and what the rule throws
 */
export function atPlace<T, R>(
  scope: BorrowScope,
  pool: AnyPool<T>,
  key: unknown,
  rule: KeyRule | undefined,
  use: (place: Place<T>) => Promise<R>,
): Promise<R> {
  // In a scope that has ended there is no request any more, and what is wrong is not the key.
  if (!(pool instanceof KeyedPool) || scope.ended) return use({ scope, pool });
  let known: unknown;
  try {
    const named = key === undefined ? keyHere(scope, selfOf(pool)) : key;
    known = keyFor(pool.name, named, rule, scope.request);
  } catch (error) {
    return refused(error);
  }
  return use({ scope, pool, key: known });
}

/** What one caller is to use: a handle of its own, or that of the transaction it runs in. */
export function resourceIn<T>(place: Place<T>, options: BorrowOptions): Promise<T> {
  const frame = frameAt(place, options);
  if (frame?.running && !frame.over)
    return Promise.resolve((frame.running as Running<T>).transaction.resource);
  return leaseIn(place, options).then(lease => lease.share());
}

function leaseIn<T>(place: Place<T>, options: BorrowOptions): Promise<Lease<T>> {
  const { scope, pool, key } = place;
  const frame = frameAt(place, options);
  if (frame?.over) return refused(new TransactionOverError(pool.name));
  if (frame?.running) return Promise.resolve(frame.running.lease as Lease<T>);
  return frame && !frame.whole ? scope.borrowApart(pool, options, key) : scope.borrow(pool, options, key);
}

function frameAt<T>({ scope, pool, key }: Place<T>, { fresh }: BorrowOptions): Frame | undefined {
  return fresh ? undefined : frameOf(scope, selfOf(pool), key);
}

/**
 * The transaction that code is to take part in which asks a pool for a resource of its own where it could have that of its
 * scope. Undefined, at once, where there is none.
 *
 * @throws TransactionOverError in code that runs on after the transaction in which it was started
 */
export function transactionHere<T>(
  host: ScopeHost,
  pool: Pool<T>,
): Transaction<T> | Promise<Transaction<T>> | undefined {
  const scope = currentScope(host);
  const frame = scope && frameOf(scope, selfOf(pool), undefined);
  if (frame?.over) throw new TransactionOverError(pool.name);
  if (frame && !frame.whole) return (frame.running as Running<T> | undefined)?.transaction;
  const whole = scope?.wholeOf(pool);
  return whole && (whole.running as Promise<Running<T>>).then(({ transaction }) => transaction);
}
