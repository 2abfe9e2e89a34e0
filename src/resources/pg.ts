import type { Client, ClientConfig } from 'pg';
import {
  PoolOptionsError,
  type KeyedResourceFactory,
  type PoolSettings,
  type ResourceFactory,
} from '../engine/index.js';
import { wrongOption } from '../engine/options/own.js';
import { PgFactory } from './pg/factory.js';
import { TransactionOverlapError } from './pg/errors.js';
import type { SessionReset } from './pg/session.js';

export { TransactionOverlapError, type SessionReset };

/** The settings of a pool, and beside them what `new pg.Client()` takes: `connectionString` or `host`, `user`, … */
export interface PgPoolOptions extends PoolSettings, Omit<ClientConfig, 'keepAlive'> {
  /**
   * What pg calls `keepAlive`, which is the pool's own option here: the TCP keep-alive of the socket. Default true, with a
   * first probe after 10 000 ms of silence (`keepAliveInitialDelayMillis`; without it systems wait for two hours). How many
   * more probes there are, and when, is the system's: on Linux nine, 75 s apart, so that a query on a server that has
   * vanished fails after some eleven minutes. Set `query_timeout` or `statement_timeout` to bound it.
   */
  tcpKeepAlive?: boolean;
  /**
   * What happens to the session between two borrowers. Default `auto`: a connection comes back without the settings,
   * prepared statements, LISTENs, advisory locks and temporary tables of its last borrower, at no cost when there was
   * nothing of the kind.
   *
   * `auto` goes by the texts of the statements that were sent. A function or trigger that changes the session from
   * inside cannot be seen: use `always` if you have such (one round trip per borrow). Use `never` when nobody changes
   * sessions. Sequences that were used (`currval`, `lastval`) count as a trace only with `always`.
   *
   * In every mode a transaction that was left open is rolled back, and listeners that were added to the client
   * are removed. Statements that pg prepared by name survive as long as there is nothing to reset, on purpose.
   * Set what all borrowers shall find with `options: '-c search_path=…'`: what is set by a statement is reset.
   */
  sessionReset?: SessionReset;
  /**
   * Does this error of a borrower mean that its connection must be destroyed? Asked after the connection itself: when
   * that is broken, by the word of the server or its socket, the answer is yes in any case.
   */
  isFatal?: ResourceFactory<Client>['isFatal'];
}

/** What {@link pgPool} makes: options for `new Pool()`, or for a definition in `PoolModule`. */
export type PgPool = PoolSettings & { factory: ResourceFactory<Client> };

/** Milliseconds. */
const TCP_KEEP_ALIVE_DELAY = 10_000;

/** All that pg's Client takes. The compiler sees to it that none is missing. */
const CLIENT_OPTIONS: Readonly<Record<Exclude<keyof ClientConfig, 'keepAlive'>, true>> = {
  application_name: true,
  client_encoding: true,
  connectionString: true,
  connectionTimeoutMillis: true,
  database: true,
  enableChannelBinding: true,
  fallback_application_name: true,
  host: true,
  idle_in_transaction_session_timeout: true,
  keepAliveInitialDelayMillis: true,
  lock_timeout: true,
  options: true,
  password: true,
  pipeline: true,
  port: true,
  query_timeout: true,
  ssl: true,
  sslnegotiation: true,
  statement_timeout: true,
  stream: true,
  types: true,
  user: true,
};

const SESSION_RESETS: readonly unknown[] = ['auto', 'always', 'never'];
const DEFAULT_DESTROY_TIMEOUT = 5_000;

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
 * by an error that a borrower has seen. One on which a statement could not write, because its server has become
 * read-only, is not lent again. A statement prepared by name that fails since the server does not know it as pg does
 * (0A000, 26000, 42P05) is prepared anew the next time: outside a transaction it may simply be repeated. Connections have
 * TCP keep-alive unless `tcpKeepAlive` is false. `connectionTimeoutMillis` and `query_timeout` mean what they mean to a
 * Client; how long a borrower waits is `acquireTimeout`.
 *
 * The first connection asks the server for the limits of connections (`max_connections` and what is reserved of it, those
 * of the role and of the database), one round trip before it is lent: `pool.advice()` says if `max`, times `processes`, does
 * not fit.
 *
 * Options that neither the pool nor pg knows are refused by the pool, with a `PoolOptionsError`.
 *
 * @throws PoolOptionsError when `sessionReset` is not one of its values
 */
export function pgPool<const Name extends string>(
  options: PgPoolOptions & { name: Name },
): PgPool & { name: Name };
export function pgPool(options: PgPoolOptions): PgPool;
export function pgPool(options: PgPoolOptions): PgPool {
  const { settings, config, ...rest } = split(options);
  return { ...settings, factory: makeFactory(() => config, config, rest, true) };
}

/** The options of {@link pgPool}, for each key, and how the connections of a key differ. */
export type KeyedPgPoolOptions<K> = Omit<PgPoolOptions, 'min'> & {
  /** At most, of all keys together; `max` is that of one key. */
  maxTotal: number;
  /**
   * What the connections of a key have that others have not: another `database` or `user`, or
   * `options: '-c search_path=…'`. A key that comes from outside must have been checked by then.
   */
  connection: (key: K) => ClientConfig;
};

/** What {@link keyedPgPool} makes: options for `new KeyedPool()`, or for a definition in `PoolModule`. */
export type KeyedPgPool<K> = Omit<PoolSettings, 'min'> & {
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
  const { settings, config, ...rest } = split(options);
  const { name: pool = 'pool' } = settings;
  if (typeof connection !== 'function') {
    throw wrong(pool, 'connection', connection, 'a function from a key to what its connections differ in');
  }
  const factory = makeFactory((key: K) => merge(pool, config, connection(key)), config, rest);
  return { ...settings, maxTotal: options.maxTotal, factory };
}

/** @throws PoolOptionsError when pg would take no notice of what is said for the key */
function merge(pool: string, common: ClientConfig, own: ClientConfig): ClientConfig {
  if (common.connectionString !== undefined && own.connectionString === undefined) {
    const taken = namesIn(common.connectionString);
    const lost = Object.keys(own).find(name => taken.has(name));
    if (lost) {
      throw new PoolOptionsError(
        pool,
        `Pool "${pool}": option "connection" has returned "${lost}", but pg goes by the pool's connectionString. Return a ` +
          'connectionString for the key, or give the pool host, port, user and so on one by one.',
      );
    }
  }
  return { ...common, ...own };
}

/** What a connection string says; pg lets that win over what stands beside it. */
function namesIn(connectionString: string): ReadonlySet<string> {
  const [, query = ''] = connectionString.split('?', 2);
  const names = [...new URLSearchParams(query).keys()];
  return new Set([
    ...['host', 'port', 'user', 'password', 'database'],
    ...names.map(name => (name.startsWith('ssl') ? 'ssl' : name)),
  ]);
}

interface Split {
  readonly settings: PoolSettings;
  readonly config: ClientConfig;
  readonly sessionReset: SessionReset;
  readonly destroyTimeout: number;
  readonly isFatal: ResourceFactory<Client>['isFatal'];
}

/** Tells what is the pool's from what is pg's. */
function split({ sessionReset = 'auto', tcpKeepAlive, isFatal, ...options }: PgPoolOptions): Split {
  if (!SESSION_RESETS.includes(sessionReset)) {
    throw wrong(options.name, 'sessionReset', sessionReset, `'auto', 'always' or 'never'`);
  }
  if (isFatal !== undefined && typeof isFatal !== 'function') {
    throw wrong(options.name, 'isFatal', isFatal, 'a function of an error and a client');
  }
  const config: Record<string, unknown> = {
    keepAlive: tcpKeepAlive ?? options.stream === undefined,
    keepAliveInitialDelayMillis: TCP_KEEP_ALIVE_DELAY,
  };
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    (Object.hasOwn(CLIENT_OPTIONS, key) ? config : settings)[key] = value;
  }
  const { destroyTimeout = DEFAULT_DESTROY_TIMEOUT } = options;
  return { settings, config, sessionReset, destroyTimeout, isFatal };
}

function makeFactory<K>(
  configOf: (key: K) => ClientConfig,
  { stream }: ClientConfig,
  { sessionReset, destroyTimeout, isFatal }: Omit<Split, 'settings' | 'config'>,
  asks = false,
): PgFactory<K> {
  const patience = Math.min(destroyTimeout, DEFAULT_DESTROY_TIMEOUT) / 2;
  return new PgFactory(configOf, sessionReset, patience, stream === undefined, isFatal, asks);
}

function wrong(pool = 'pool', option: string, value: unknown, allowed: string): PoolOptionsError {
  return wrongOption(pool, `Pool "${pool}"`, option, value, allowed);
}
