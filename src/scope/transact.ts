import type { Lease, Transaction, TransactionOptions } from '../engine/index.js';
import type { AnyPool, BorrowOptions, BorrowScope } from './borrow-scope.js';
import { TransactionRefusedError } from './errors.js';
import { frameOf, inFrame, ownerHere } from './frames.js';
import { misfit } from './misfit.js';
import { retrying, type TransactionRetry } from './retry.js';
import { selfOf } from './shared-resources.js';

/** What becomes of the transaction that a method is called in, by the names that Spring has given them. */
export type Propagation =
  'REQUIRED' | 'REQUIRES_NEW' | 'NESTED' | 'MANDATORY' | 'SUPPORTS' | 'NOT_SUPPORTED' | 'NEVER';

export const PROPAGATIONS: readonly Propagation[] = [
  'REQUIRED',
  'REQUIRES_NEW',
  'NESTED',
  'MANDATORY',
  'SUPPORTS',
  'NOT_SUPPORTED',
  'NEVER',
];

export interface TransactOptions extends TransactionOptions, Pick<BorrowOptions, 'timeout' | 'priority'> {
  /**
   * - `REQUIRED` (default): in the transaction that there is, or in one of its own
   * - `REQUIRES_NEW`: in one of its own, on another connection if there is one
   * - `NESTED`: in a part of the transaction that there is (a savepoint), which can be rolled back by itself
   * - `MANDATORY`: in the transaction that there is; refused when there is none
   * - `SUPPORTS`: in the transaction that there is, or in none
   * - `NOT_SUPPORTED`: in none, on another connection if there is one
   * - `NEVER`: in none; refused when there is one
   */
  readonly propagation?: Propagation | undefined;
  /**
   * Tries again what has failed by a conflict with others, if the transaction began here. Not when the request has been
   * answered, its client has left, or its deadline has passed. Default: never.
   */
  readonly retry?: TransactionRetry | undefined;
}

/** Where a transaction is looked for, and begun. */
export interface Place<T> {
  readonly scope: BorrowScope;
  readonly pool: AnyPool<T>;
  /** Of a keyed pool. */
  readonly key?: unknown;
}

/** A transaction that is open, and what it is on. */
export interface Running<T> {
  readonly lease: Lease<T>;
  readonly transaction: Transaction<T>;
  /** Whom it is leased to where that is not the scope: it goes back with the transaction, whatever else the scope waits for. */
  readonly owner?: object | undefined;
}

/** The transaction that this code runs in: that of the method it was called by, or that of everybody in the scope. */
export async function runningAt<T>({ scope, pool, key }: Place<T>): Promise<Running<T> | undefined> {
  const frame = frameOf(scope, selfOf(pool), key);
  // Of one that is over nothing is left to take part in: code runs on that nobody has waited for.
  if (frame && !frame.over && !frame.whole) return frame.running as Running<T> | undefined;
  return scope.wholeOf(pool, key)?.running as Promise<Running<T>> | undefined;
}

/**
 * Runs work in a transaction: commits when it resolves, and rolls back when it rejects.
 *
 * @throws TransactionRefusedError when the propagation does not go with the transaction that there is, or is not
 * @throws what the borrow, the work and the commit throw
 */
export async function transact<T, R>(
  place: Place<T>,
  { propagation = 'REQUIRED', timeout, priority, retry, ...how }: TransactOptions,
  work: Work<T, R>,
): Promise<R> {
  const { scope, pool, key } = place;
  const current = await runningAt(place);
  const refuse = (why: string): never => {
    throw new TransactionRefusedError(pool.name, why);
  };
  const once = async (): Promise<R> =>
    complete(place, await scope.begin(pool, { timeout, priority }, key, how, ownerHere(scope)), work);
  const isWaitedFor = (): boolean => !scope.hasLeft && !scope.hasReplied() && scope.deadline?.left !== 0;
  const alone = (): Promise<R> => retrying(retry, once, isWaitedFor);
  if (propagation === 'REQUIRES_NEW') return alone();
  if (!current) {
    if (propagation === 'MANDATORY') refuse('a transaction is MANDATORY here, and none is open');
    return LEFT_ALONE.includes(propagation) ? work(undefined) : alone();
  }
  if (propagation === 'NEVER') refuse('a transaction is open, and there must NEVER be one here');
  if (propagation === 'NOT_SUPPORTED') return inFrame(place, undefined, () => work(undefined));
  const why = misfit(how, current.transaction.options);
  if (why) refuse(why);
  if (propagation !== 'NESTED') return work(current.transaction);
  return complete(place, { lease: current.lease, transaction: await current.transaction.begin() }, work);
}

type Work<T, R> = (transaction: Transaction<T> | undefined) => R | PromiseLike<R>;

/** Where there is no transaction, these need none. */
const LEFT_ALONE: readonly Propagation[] = ['SUPPORTS', 'NOT_SUPPORTED', 'NEVER'];

/** Runs work in a transaction that was begun for it. */
async function complete<T, R>(place: Place<T>, running: Running<T>, work: Work<T, R>): Promise<R> {
  const { transaction } = running;
  // The resource is not needed by anybody else before that: nobody is to go on with it while it is rolled back.
  const drop = place.scope.hold();
  try {
    const result = await inFrame(place, running, () => work(transaction));
    await transaction.commit();
    return result;
  } catch (error) {
    // If that fails, the reset of the resource finds out.
    await transaction.rollback().catch(() => undefined);
    throw error;
  } finally {
    drop();
  }
}
