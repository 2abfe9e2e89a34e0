import type { Client, Pool as PgPoolType } from 'pg';
import {
  TransactionOutcomeUnknownError,
  type Pool,
  type PoolSettings,
  type ResourceFactory,
  type SessionHooks,
} from '../engine/index.js';
import { checkOwn } from '../engine/options/own.js';
import type { KeyedDefinition, KeyedOptions } from './common/keyed.js';
import { cancelOnAbort, type CancelOnAbort } from './pg/abort.js';
import {
  pgDatabase,
  type PgDatabase,
  type PgLender,
  type PgQueryOptions,
  type PgTransactionOptions,
} from './pg/database.js';
import { HostsError, PgQueryTimeoutError, TransactionOverlapError } from './pg/errors.js';
import { makeFacade, type PgFacadeOptions } from './pg/facade.js';
import { PgFactory } from './pg/factory.js';
import { targetOf } from './pg/shown.js';
import { targetsOf, type PgConnection, type PgHosts, type Targets } from './pg/hosts.js';
import {
  makePgBossDatabase,
  makeTypeormDriver,
  type PgBossDatabase,
  type PgBossTransaction,
  type TypeormDriver,
} from './pg/libraries.js';
import { listen, type PgListenOptions, type PgNotification, type PgSubscription } from './pg/listen.js';
import type { NoticeSource, PgNotice } from './pg/notices.js';
import { merge, split, type PgPoolOptions } from './pg/options.js';
import type { TargetSessionAttrs } from './pg/role.js';
import type { SessionReset } from './pg/condition.js';

export {
  HostsError,
  PgQueryTimeoutError,
  TransactionOutcomeUnknownError,
  TransactionOverlapError,
  cancelOnAbort,
  listen,
  pgDatabase,
};
export type {
  PgListenOptions,
  PgNotification,
  PgSubscription,
  CancelOnAbort,
  PgDatabase,
  PgFacadeOptions,
  PgLender,
  PgQueryOptions,
  PgTransactionOptions,
  NoticeSource,
  PgBossDatabase,
  PgBossTransaction,
  TypeormDriver,
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
 * Queries that are sent side by side take turns. While a transaction is open, only who takes part in it can send anything: by
 * the client that its BEGIN was sent by, from the async context of that, or from within `tx.run()`. All else is refused with
 * {@link TransactionOverlapError}, another BEGIN too, and so is the COMMIT or ROLLBACK of whoever sent that. `lease.begin()`
 * begins transactions that nobody else can end.
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
  const factory = new PgFactory(
    () => targets,
    parts,
    true,
    () => targetOf(targets),
  );
  return { ...settings, ...(factory.hooks(hooks) as SessionHooks<Client>), factory };
}

/**
 * A `pg.Pool` over a pool, for libraries that take one: Drizzle, Kysely, Prisma, TypeORM, knex and others, see
 * docs/databases.md. Its `connect`, `query`, `end` and its events are those of pg's own, also where somebody has patched them;
 * the connections are the pool's.
 *
 * ```ts
 * const db = drizzle({ client: pgFacade(pool) });
 * ```
 *
 * A connection is lent as the same client each time, for as long as its session is the same. After a reset of the session
 * (`sessionReset`) it is another, which is told to `connect` anew: so what an application does with each new connection is
 * done again. What is sent there makes the session what it is for everybody, and costs no reset.
 *
 * A statement that fails costs no connection; one that is released with `true`, or with an error that is not the server's
 * word about a statement, is destroyed. A connection whose socket has closed while it was lent gives its place back.
 *
 * @throws PoolOptionsError when an option is not what it must be
 * @throws TypeError when it is given no pool of {@link pgPool}
 */
export function pgFacade(pool: Pool<Client>, options: PgFacadeOptions = {}): PgPoolType {
  return makeFacade(pool, options);
}

/**
 * For the option `driver` of a TypeORM data source: the package `pg`, but for its `Pool`, which is a {@link pgFacade} of this
 * pool. What the data source says of hosts, passwords and `extra` is without effect then. Instead of the pool it takes a
 * facade of it as well, and makes such as that is: with what `@InjectPgPool` injects, the data source takes part in transactions.
 *
 * ```ts
 * new DataSource({ type: 'postgres', driver: typeormDriver(pool), entities });
 * ```
 *
 * @throws TypeError when it is given no pool
 */
export function typeormDriver(pool: Pool<Client> | PgPoolType, options: PgFacadeOptions = {}): TypeormDriver {
  return makeTypeormDriver(pool, options);
}

/**
 * For the option `db` of pg-boss. Each statement borrows a connection; a transaction holds one. The connection with which it
 * listens is beside the `max` of the pool, see {@link listen}.
 *
 * ```ts
 * const boss = new PgBoss({ db: pgBossDatabase(pool) });
 * ```
 *
 * @throws TypeError when it is given no pool
 */
export function pgBossDatabase(pool: Pool<Client>): PgBossDatabase {
  return makePgBossDatabase(pool);
}

/**
 * The options of {@link pgPool}, for each key, and how the connections of a key differ: in their `database` or `user`, or in
 * `options: '-c search_path=…'`.
 */
export type KeyedPgPoolOptions<K> = KeyedOptions<K, Client, PgPoolOptions, PgConnection>;

/** What {@link keyedPgPool} makes: options for `new KeyedPool()`, or for a definition in `PoolModule`. */
export type KeyedPgPool<K> = KeyedDefinition<K, Client>;

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
export function keyedPgPool<K>(given: KeyedPgPoolOptions<K>): KeyedPgPool<K> {
  const { connection, ...options } = given;
  const parts = split(options);
  const { pool, connection: common, createTimeout, settings } = parts;
  checkOwn(pool, `Pool "${pool}"`, { connection }, RULES);
  const targets = (key: K): Targets => targetsOf(pool, merge(pool, common, connection(key)), createTimeout);
  const factory = new PgFactory(targets, parts);
  return { ...settings, ...factory.hooks(given), maxTotal: options.maxTotal, factory };
}

const RULES = {
  connection: {
    ok: (value: unknown) => typeof value === 'function',
    allowed: 'a function from a key to what its connections differ in',
    required: true,
  },
} as const;
