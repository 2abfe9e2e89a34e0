import type { Client } from 'pg';
import type {
  KeyedResourceFactory,
  KeyedSessionHooks,
  PoolSettings,
  ResourceFactory,
  SessionHooks,
} from '../engine/index.js';
import { checkOwn } from '../engine/options/own.js';
import { cancelOnAbort, type CancelOnAbort } from './pg/abort.js';
import {
  pgDatabase,
  type PgDatabase,
  type PgLender,
  type PgQueryOptions,
  type PgTransactionOptions,
} from './pg/database.js';
import { HostsError, PgQueryTimeoutError, TransactionOverlapError } from './pg/errors.js';
import { PgFactory } from './pg/factory.js';
import { targetsOf, type PgConnection, type PgHosts, type Targets } from './pg/hosts.js';
import { listen, type PgListenOptions, type PgNotification, type PgSubscription } from './pg/listen.js';
import type { NoticeSource, PgNotice } from './pg/notices.js';
import { merge, split, type PgPoolOptions } from './pg/options.js';
import type { TargetSessionAttrs } from './pg/role.js';
import type { SessionReset } from './pg/session.js';

export { HostsError, PgQueryTimeoutError, TransactionOverlapError, cancelOnAbort, listen, pgDatabase };
export type {
  PgListenOptions,
  PgNotification,
  PgSubscription,
  CancelOnAbort,
  PgDatabase,
  PgLender,
  PgQueryOptions,
  PgTransactionOptions,
  NoticeSource,
  PgConnection,
  PgHosts,
  PgNotice,
  PgPoolOptions,
  SessionReset,
  TargetSessionAttrs,
};

/** What {@link pgPool} makes: options for `new Pool()`, or for a definition in `PoolModule`. */
export type PgPool = PoolSettings & SessionHooks<Client> & { factory: ResourceFactory<Client> };

/**
 * A pool of PostgreSQL connections, made with the package `pg`.
 *
 * ```ts
 * const pool = new Pool(pgPool({ connectionString: process.env.DATABASE_URL, max: 10 }));
 * await pool.use(client => client.query('select now()'));
 * ```
 *
 * What a borrower gets is a `Client` of its own for as long as the lease lasts. Once that has ended, a statement, a cursor
 * or a stream is refused with `LeaseReleasedError`, in the way in which it tells its errors, and is not sent; so is what
 * was still waiting for its turn. What is put on it, such as a patched `query`, goes with it, and does not reach pg's
 * own client. What is done to `client.connection` stays, and is not seen.
 *
 * Queries that are sent side by side take turns. While a transaction is open, another BEGIN is refused with
 * {@link TransactionOverlapError}, and so is the COMMIT or ROLLBACK of whoever sent that. Other statements of somebody who
 * shares the connection are part of the transaction that is open, since nobody can know what they belong to.
 *
 * A connection is broken by what it has been through itself (its socket, or the server's word that the session ends), not
 * by an error that a borrower has seen. One whose server is not any more what the pool wants ({@link PgHosts}) is not lent
 * again: it is retired when the server reports the change, or when a statement could not write. A statement prepared by name that fails since the server does not know it as pg does
 * (0A000, 26000, 42P05) is prepared anew the next time: outside a transaction it may simply be repeated. Connections have
 * TCP keep-alive unless `tcpKeepAlive` is false. `connectionTimeoutMillis` and `query_timeout` mean what they mean to a
 * Client; how long a borrower waits is `acquireTimeout`.
 *
 * The first connection asks the server for the limits of connections (`max_connections` and what is reserved of it, those
 * of the role and of the database), one round trip before it is lent: `pool.advice()` says if `max`, times `processes`, does
 * not fit.
 *
 * What `onCreate` sets, listens to and parses with belongs to the connection: it survives a reset, and is done again after
 * `DISCARD ALL`, before the next loan. `onBorrow` gets pg's own client, in the session that the borrower goes on with, so
 * that `SET ROLE` or a setting for row-level security holds for all that the borrower sends; what it sends counts as the
 * borrower's own and is undone with that, as is what `onReturn` sends.
 *
 * Options that neither the pool nor pg knows are refused by the pool, with a `PoolOptionsError`.
 *
 * @throws PoolOptionsError when a hook is no function, or `sessionReset` or an option of {@link PgHosts} is not one of its values
 */
export function pgPool<const Name extends string>(
  options: PgPoolOptions & { name: Name },
): PgPool & { name: Name };
export function pgPool(options: PgPoolOptions): PgPool;
export function pgPool(options: PgPoolOptions): PgPool {
  const parts = split(options);
  const { pool, connection, createTimeout, settings, hooks } = parts;
  const targets = targetsOf(pool, connection, createTimeout);
  const factory = new PgFactory(() => targets, parts, true);
  return { ...settings, ...(factory.hooks(hooks) as SessionHooks<Client>), factory };
}

/** The options of {@link pgPool}, for each key, and how the connections of a key differ. */
export type KeyedPgPoolOptions<K> = Omit<PgPoolOptions, 'min' | keyof SessionHooks<Client>> &
  KeyedSessionHooks<K, Client> & {
    /** At most, of all keys together; `max` is that of one key. */
    maxTotal: number;
    /**
     * What the connections of a key have that others have not: another `database` or `user`, or
     * `options: '-c search_path=…'`. A key that comes from outside must have been checked by then.
     */
    connection: (key: K) => PgConnection;
  };

/** What {@link keyedPgPool} makes: options for `new KeyedPool()`, or for a definition in `PoolModule`. */
export type KeyedPgPool<K> = Omit<PoolSettings, 'min'> &
  KeyedSessionHooks<K, Client> & {
    maxTotal: number;
    factory: KeyedResourceFactory<K, Client>;
  };

/**
 * A pool of PostgreSQL connections by key: one for each tenant, or for each of many databases. What differs is said by
 * `connection`; everything else is as with {@link pgPool}.
 *
 * ```ts
 * const tenants = new KeyedPool(keyedPgPool({
 *   host: 'db', user: 'app', maxTotal: 50, max: 5, connection: (tenant: string) => ({ database: `tenant_${tenant}` }),
 * }));
 * ```
 *
 * @throws PoolOptionsError when `sessionReset` or `connection` is not what it must be
 */
export function keyedPgPool<K>({ connection, ...options }: KeyedPgPoolOptions<K>): KeyedPgPool<K> {
  const parts = split(options);
  const { pool, connection: common, createTimeout, settings } = parts;
  checkOwn(pool, `Pool "${pool}"`, { connection }, RULES);
  const targets = (key: K): Targets => targetsOf(pool, merge(pool, common, connection(key)), createTimeout);
  const factory = new PgFactory(targets, parts);
  return { ...settings, ...factory.hooks(parts.hooks), maxTotal: options.maxTotal, factory };
}

const RULES = {
  connection: {
    ok: (value: unknown) => typeof value === 'function',
    allowed: 'a function from a key to what its connections differ in',
    required: true,
  },
} as const;
