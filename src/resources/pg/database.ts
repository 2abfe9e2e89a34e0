import type { Client, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import {
  PoolOptionsError,
  TransactionOutcomeUnknownError,
  type AcquireOptions,
  type Lease,
} from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';
import { startTimer } from '../../engine/time/timer.js';
import { checkPool } from '../common/check-pool.js';
import { cancelOnAbort } from './abort.js';
import { PgQueryTimeoutError } from './errors.js';
import { onAbort } from './on-abort.js';
import { boundariesOf } from './transaction-statements.js';

/** As much of a pool as is needed: of `pgPool`, or one key of a keyed pool. */
export interface PgLender {
  readonly name?: string;
  acquire(options?: AcquireOptions): Promise<Lease<Client>>;
}

export interface PgQueryOptions extends Pick<AcquireOptions, 'priority' | 'owner'> {
  /** Gives up: the query is cancelled at the server, and the call rejects at once with the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that the call may take, with the wait for a connection. Default: `acquireTimeout` for the wait, and no limit for the query. */
  readonly timeout?: number | undefined;
}

export interface PgTransactionOptions extends Omit<AcquireOptions, 'signal'> {
  /** Default: that of the server, which is `read committed` unless somebody has changed it. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable' | undefined;
  /** Default false. */
  readonly readOnly?: boolean | undefined;
  /** Cancels at the server what runs when it is aborted; nothing is committed then. */
  readonly signal?: AbortSignal | undefined;
}

/** One-shot use of a pool, see {@link pgDatabase}. */
export interface PgDatabase {
  /**
   * Borrows a connection for one query. The connection stays of use whatever becomes of the query: a request to cancel it
   * never hits the query of the next borrower.
   *
   * @throws PgQueryTimeoutError when it has not ended within `timeout`
   * @throws PoolOptionsError for a text that leaves a transaction open, or ends one that it has not begun
   * @throws what `pool.acquire()` throws, and what the server says
   * @throws the reason of the signal
   */
  query<R extends QueryResultRow = Record<string, unknown>>(
    query: string | QueryConfig,
    values?: readonly unknown[],
    options?: PgQueryOptions,
  ): Promise<QueryResult<R>>;
  /**
   * Borrows a connection for one transaction: BEGIN, the work, COMMIT; or ROLLBACK when the work throws, and when the signal
   * was aborted by then.
   *
   * @throws TransactionOutcomeUnknownError when the COMMIT was sent and its answer was lost with the connection
   * @throws Error when there is nothing to commit, since a statement has failed whose error the work has kept to itself
   * @throws what `pool.acquire()` throws, what the work throws, and what the server says
   */
  transaction<R>(work: (client: Client) => R | PromiseLike<R>, options?: PgTransactionOptions): Promise<R>;
}

const LEVELS: readonly unknown[] = ['read committed', 'repeatable read', 'serializable'];

const RULES = {
  timeout: {
    ok: (value: unknown) => typeof value === 'number' && value > 0,
    allowed: 'milliseconds > 0, or Infinity',
  },
  isolation: {
    ok: (value: unknown) => LEVELS.includes(value),
    allowed: `'read committed', 'repeatable read' or 'serializable'`,
  },
  readOnly: { ok: (value: unknown) => typeof value === 'boolean', allowed: 'true or false' },
};

/**
 * A pool for those who need a connection for one query, or for one transaction.
 *
 * ```ts
 * const db = pgDatabase(pool);
 * const { rows } = await db.query<{ id: number }>('select id from orders where customer = $1', [customer], { timeout: 500 });
 * ```
 *
 * Of a keyed pool: `pgDatabase({ acquire: options => tenants.acquire(tenant, options) })`.
 *
 * @throws TypeError when it is given no pool
 */
export function pgDatabase(pool: PgLender): PgDatabase {
  checkPool(pool, 'pgDatabase()');
  const title = `Pool "${pool.name ?? 'pool'}"`;
  const check = (options: object): void => {
    checkOwn(pool.name ?? 'pool', title, options, RULES);
  };
  return {
    async query<R extends QueryResultRow>(
      query: string | QueryConfig,
      values?: readonly unknown[],
      options: PgQueryOptions = {},
    ) {
      const { timeout } = options;
      check({ timeout });
      refuseOpenTransaction(pool.name ?? 'pool', typeof query === 'string' ? query : query.text);
      const began = performance.now();
      const lease = await pool.acquire(options);
      const { resource: client } = lease;
      const send = (): Promise<QueryResult<R>> => client.query<R>(query as string, values as unknown[]);
      return ending(lease, () =>
        options.signal === undefined && timeout === undefined
          ? send()
          : limited(client, send, options, performance.now() - began),
      );
    },

    async transaction(work, options = {}) {
      const { isolation, readOnly, signal, ...wish } = options;
      check({ isolation, readOnly });
      const lease = await pool.acquire({ ...wish, signal });
      return ending(lease, async () => {
        if (signal) cancelOnAbort(lease.resource, signal);
        const tx = await lease.begin({ isolation, readOnly });
        try {
          const result = await work(tx.resource);
          signal?.throwIfAborted();
          await tx.commit();
          return result;
        } catch (error) {
          // Whatever the signal says by now, and there is nothing left to roll back.
          if (error instanceof TransactionOutcomeUnknownError) throw error;
          // If that fails, too, the connection is not fit for anybody else, which its reset finds out.
          await tx.rollback().catch(() => undefined);
          signal?.throwIfAborted();
          throw error;
        }
      });
    },
  };
}

/** Gives the lease back, however the work ends. */
async function ending<R>(lease: Lease<Client>, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    lease.release(error);
    throw error;
  } finally {
    lease.release();
  }
}

/** Rejects at once when the signal is aborted or the time is over: a server that has vanished answers to no request. */
function limited<R>(
  client: Client,
  send: () => Promise<R>,
  { signal, timeout = Infinity }: PgQueryOptions,
  waitedMs: number,
): Promise<R> {
  signal?.throwIfAborted();
  const limit = new AbortController();
  const left = timeout - waitedMs;
  const timer =
    timeout === Infinity
      ? undefined
      : startTimer(() => limit.abort(new PgQueryTimeoutError(timeout, waitedMs)), left);
  const forget = signal && onAbort(signal, () => limit.abort(signal.reason));
  const cancelling = cancelOnAbort(client, limit.signal);
  return new Promise<R>((resolve, reject) => {
    limit.signal.addEventListener('abort', () => reject(limit.signal.reason as Error), { once: true });
    send().then(resolve, reject);
  }).finally(() => {
    timer?.cancel();
    forget?.();
    cancelling.stop();
  });
}

/** @throws when the text does to the transaction of its session what would be undone at once, or be of no use */
function refuseOpenTransaction(pool: string, text: string): void {
  let open = false;
  for (const boundary of boundariesOf(text)) {
    const begins = boundary === 'begin';
    if (begins === open) throw refused(pool, text);
    open = begins;
  }
  if (open) throw refused(pool, text);
}

function refused(pool: string, text: string): PoolOptionsError {
  return new PoolOptionsError(
    pool,
    `Pool "${pool}": "${text.trim().slice(0, 60)}" was not sent. query() borrows a connection for this text alone, which ` +
      'goes back, rolled back, before the next one. Use transaction(), or pool.use().',
  );
}
