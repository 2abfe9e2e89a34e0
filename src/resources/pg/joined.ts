import type { Client, PoolClient } from 'pg';
import type { Transaction } from '../../engine/index.js';
import { method } from '../common/properties.js';
import { enterBranch, type Branch, type Sender } from './branch.js';
import { PgTransaction } from './managed.js';
import { differenceTo, transactionStatement } from './transaction-modes.js';
import { boundariesOf, type Boundary } from './transaction-statements.js';

type Callback = (error: unknown, result?: unknown) => void;

/**
 * A client for a library that begins and ends transactions by itself, and is to do so within one that is open. Its BEGIN
 * is a savepoint, its COMMIT releases that, its ROLLBACK goes back to it, also when it is released without either.
 * All else is as with the client of the transaction, of which it takes part; `release()` gives nothing back.
 *
 * Two such clients of one transaction are two who share it: while one of them has begun, the other is refused with a
 * {@link TransactionOverlapError}, and nothing of either is sent once the transaction has ended.
 *
 * @throws TypeError when it is no transaction of a pool of `pgPool`
 * @throws LeaseReleasedError when its lease has ended
 * @internal
 */
export function joinTransaction(tx: Transaction<Client>): PoolClient {
  const { inner } = tx;
  if (!(inner instanceof PgTransaction)) throw new TypeError('This transaction is not one of pgPool().');
  const { why } = inner.borrow;
  if (why) throw why();
  const joined = new Joined(inner);
  const query = (config: unknown, values?: unknown, callback?: unknown): unknown =>
    joined.query(query, config, values, callback);
  return Object.create(tx.resource, {
    query: method(query),
    release: method(() => joined.release()),
    [Symbol.dispose]: method(() => joined.release()),
  }) as PoolClient;
}

class Joined implements Sender {
  /** What its last BEGIN has opened, until the end of that is asked for. */
  private own: PgTransaction | undefined = undefined;
  private released = false;

  constructor(private readonly outer: PgTransaction) {}

  get at(): Branch {
    return (this.own ?? this.outer).branch;
  }

  /** @param entry the function that was called */
  query(entry: unknown, config: unknown, values: unknown, callback: unknown): unknown {
    const { session, why } = this.outer.borrow;
    const refused = why?.() ?? (this.released ? new Error('This client has been released.') : undefined);
    if (refused) return session.refuse(refused, config, values, callback);
    const text = session.textOf(config);
    if (typeof text !== 'string') return session.query(entry, config, values, callback, this);
    const unfit = this.unfit(text, config);
    if (unfit) return session.refuse(unfit, config, values, callback);
    const [boundary] = boundariesOf(text);
    if (!boundary) return session.query(entry, config, values, callback, this);
    return answer(this.turn(boundary, entry), boundary, config, values, callback);
  }

  /** What it has begun and not ended is undone. */
  release(): void {
    this.released = true;
    this.take()
      ?.rollback()
      .catch(() => undefined);
  }

  /** Why the text cannot be sent within the transaction, if it cannot. */
  private unfit(text: string, config: unknown): Error | undefined {
    const statement = transactionStatement(text);
    const { options, branch } = this.outer;
    const difference = statement && differenceTo(options, statement.modes);
    if (difference !== undefined)
      return notSent(text, `the transaction that it is to be part of (${branch.place}) is not ${difference}`);
    if (boundariesOf(text).length === 0) return undefined;
    const why = 'within a transaction, BEGIN, COMMIT and ROLLBACK are savepoints, and have to be sent';
    if (!statement) return notSent(text, `${why} by themselves, without AND CHAIN and the like`);
    return isSubmittable(config) ? notSent(text, `${why} as texts`) : undefined;
  }

  private turn(boundary: Boundary, entry: unknown): Promise<unknown> {
    if (boundary === 'begin') return this.begin(entry);
    const own = this.take();
    if (own) return boundary === 'commit' ? own.commit() : own.rollback();
    // What libraries do when their BEGIN has failed; the server would only remark on it.
    if (boundary === 'rollback') return Promise.resolve();
    return Promise.reject(notSent('commit', 'this client has no transaction of its own that is open'));
  }

  private async begin(entry: unknown): Promise<void> {
    const begun = this.outer.inner(this, entry);
    const opened = begun.open(begun.opening);
    // Otherwise it is to be refused, and changes nothing.
    if (!this.own) {
      this.own = begun;
      enterBranch(begun.branch);
    }
    try {
      await opened;
    } catch (error) {
      if (this.own === begun) this.own = undefined;
      throw error;
    }
  }

  private take(): PgTransaction | undefined {
    const { own } = this;
    this.own = undefined;
    return own;
  }
}

/** In the way of the query that was asked for. */
function answer(
  turn: Promise<unknown>,
  boundary: Boundary,
  config: unknown,
  values: unknown,
  callback: unknown,
): Promise<unknown> | undefined {
  const command = boundary.toUpperCase();
  const done = turn.then(() => ({ command, rowCount: null, oid: null, rows: [], fields: [] }));
  const given = [values, callback, (config as { callback?: unknown }).callback].find(isFunction);
  if (!given) return done;
  // What it throws is nobody's here.
  done.then(
    result => process.nextTick(given as Callback, null, result),
    (error: unknown) => process.nextTick(given as Callback, error),
  );
  return undefined;
}

function notSent(text: string, why: string): Error {
  return new Error(`"${text.trim().slice(0, 60)}" was not sent: ${why}.`);
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

function isSubmittable(config: unknown): boolean {
  return typeof (config as { submit?: unknown }).submit === 'function';
}
