import type { ConnectionOptions, Pool as CorePool } from 'mysql2';
import mysql from 'mysql2';
import type { Connection } from 'mysql2/promise';
import {
  PoolOptionsError,
  TransactionOutcomeUnknownError,
  messageOf,
  type Pool,
  type PoolSettings,
  type ResourceFactory,
  type ResourceTarget,
  type SessionHooks,
} from '../engine/index.js';
import { checkOwn, wrongOption } from '../engine/options/own.js';
import { checkPool } from './common/check-pool.js';
import { checkUrl } from './common/check-url.js';
import { HOOK_RULES } from './common/hooks.js';
import type { KeyedDefinition, KeyedOptions } from './common/keyed.js';
import { withoutInput } from './mysql/core.js';
import { makeFacade, type MysqlFacadeOptions } from './mysql/facade.js';
import { MysqlFactory } from './mysql/factory.js';
import type { SessionReset } from './mysql/session.js';
import { systemOf, targetOf } from './mysql/target.js';

export { TransactionOutcomeUnknownError };
export type { MysqlFacadeOptions, SessionReset };

/** What mysql2 takes for its own pool, and what is no option of a client. */
type NotForClients =
  | 'connectionLimit'
  | 'gracefulEnd'
  | 'idleTimeout'
  | 'isServer'
  | 'maxIdle'
  | 'pool'
  | 'Promise'
  | 'queueLimit'
  | 'waitForConnections';

/** What `mysql2.createConnection()` takes: `uri` or `host`, `user`, `password`, `database`, … */
export type MysqlConnectionOptions = Omit<ConnectionOptions, NotForClients>;

/** The settings of a pool, and beside them what `mysql2.createConnection()` takes: `uri` or `host`, `user`, … */
export interface MysqlPoolOptions extends PoolSettings, SessionHooks<Connection>, MysqlConnectionOptions {
  /**
   * What happens to the session between two borrowers. Default `auto`: a connection comes back without the settings, user
   * variables, temporary tables, locks, prepared statements and the other database of its last borrower, at no cost when
   * there was nothing of the kind. When there was, it costs `COM_RESET_CONNECTION` and what makes the session again what it
   * was at its beginning: two or three round trips.
   *
   * `auto` goes by what the server says (its session tracking), and by the texts of statements for what it does not say. A
   * function or a trigger that takes a lock (`GET_LOCK`) or assigns a variable by `INTO` is seen by neither: use `always` if
   * you have such. Where the server does not track, `auto` is as `always`. Use `never` when nobody changes sessions. That a
   * row was inserted (`LAST_INSERT_ID()`) counts as a trace only with `always`.
   *
   * In every mode a transaction that was left open is rolled back.
   */
  sessionReset?: SessionReset;
  /**
   * Does this error of a borrower mean that its connection must be destroyed? Asked after the connection itself: when
   * that is broken, by the word of the server or its socket, the answer is yes in any case.
   */
  isFatal?: ResourceFactory<Connection>['isFatal'];
}

/** What {@link mysqlPool} makes: options for `new Pool()`, or for a definition in `PoolModule`. */
export type MysqlPool = PoolSettings & SessionHooks<Connection> & { factory: ResourceFactory<Connection> };

/** Milliseconds. */
const TCP_KEEP_ALIVE_DELAY = 10_000;

/** All that a connection of mysql2 takes. The compiler sees to it that none is missing. */
const CLIENT_OPTIONS: Readonly<Record<keyof MysqlConnectionOptions, true>> = {
  authPlugins: true,
  authSwitchHandler: true,
  bigNumberStrings: true,
  charset: true,
  charsetNumber: true,
  compress: true,
  connectAttributes: true,
  connectTimeout: true,
  database: true,
  dateStrings: true,
  debug: true,
  decimalNumbers: true,
  disableEval: true,
  enableCleartextPlugin: true,
  enableKeepAlive: true,
  flags: true,
  host: true,
  infileStreamFactory: true,
  insecureAuth: true,
  jsonStrings: true,
  keepAliveInitialDelay: true,
  localAddress: true,
  maxPreparedStatements: true,
  multipleStatements: true,
  namedPlaceholders: true,
  nestTables: true,
  password: true,
  password1: true,
  password2: true,
  password3: true,
  passwordSha1: true,
  port: true,
  queryFormat: true,
  rowsAsArray: true,
  socketPath: true,
  ssl: true,
  stream: true,
  stringifyObjects: true,
  supportBigNumbers: true,
  timezone: true,
  trace: true,
  typeCast: true,
  uri: true,
  user: true,
};

/** Options of mysql2's own pool, and which of ours does the same. */
const INSTEAD: Readonly<Record<string, string>> = {
  connectionLimit: 'max',
  queueLimit: 'maxWaiting',
  waitForConnections: 'acquireTimeout',
  maxIdle: 'idleTimeout and minIdle',
  gracefulEnd: 'none: a connection always ends so',
  resetOnRelease: 'sessionReset',
};

const SESSION_RESETS: readonly unknown[] = ['auto', 'always', 'never'];
const DEFAULT_DESTROY_TIMEOUT = 5_000;

/**
 * A pool of connections to MySQL or MariaDB, made with the package `mysql2`.
 *
 * ```ts
 * const pool = new Pool(mysqlPool({ uri: process.env.DATABASE_URL, max: 10 }));
 * const [rows] = await pool.use(connection => connection.query('select now()'));
 * ```
 *
 * What a borrower gets is a `Connection` of `mysql2/promise`, of its own for as long as the lease lasts. Once that has ended,
 * a statement is refused with `LeaseReleasedError`, in the way in which it tells its errors, and is not sent; so is what was
 * still waiting for its turn, and a stream of rows fails. Listeners and properties that are put on it go with it. The
 * connection with callbacks is its `connection`.
 *
 * What is still running when it is given back gets 100 ms to end; then the connection is destroyed. A connection that is
 * destroyed while a statement runs is killed at the server, by a connection of its own that lasts for as long: otherwise the
 * server would not notice before the statement ends.
 *
 * A connection is broken by what it has been through itself (its socket, or the server's word that the session ends), not
 * by an error that a borrower has seen: a deadlock costs no connection. One on which a statement could not write, because its
 * server has become read-only, is not lent again. Connections have TCP keep-alive unless `enableKeepAlive` is false, with a
 * first probe after 10 000 ms of silence (`keepAliveInitialDelay`).
 *
 * The first connection asks the server for the limits of connections (`max_connections`, `max_user_connections`), one round
 * trip before it is lent: `pool.advice()` says if `max`, times `processes`, does not fit.
 *
 * Options that neither the pool nor mysql2 knows are refused by the pool, with a `PoolOptionsError`.
 *
 * @throws PoolOptionsError when an option is not what it must be, or is one of mysql2's own pool
 */
export function mysqlPool<const Name extends string>(
  options: MysqlPoolOptions & { name: Name },
): MysqlPool & { name: Name };
export function mysqlPool(options: MysqlPoolOptions): MysqlPool;
export function mysqlPool(options: MysqlPoolOptions): MysqlPool {
  const { settings, config, ...rest } = split(options);
  check(settings.name, config);
  const factory = makeFactory(
    settings.name,
    () => config,
    rest,
    true,
    () => targetOf(config),
  );
  return { ...settings, ...(factory.hooks(options) as SessionHooks<Connection>), factory };
}

/** The options of {@link mysqlPool}, for each key, and how the connections of a key differ. */
export type KeyedMysqlPoolOptions<K> = KeyedOptions<K, Connection, MysqlPoolOptions, MysqlConnectionOptions>;

/** What {@link keyedMysqlPool} makes: options for `new KeyedPool()`, or for a definition in `PoolModule`. */
export type KeyedMysqlPool<K> = KeyedDefinition<K, Connection>;

/**
 * A pool of connections by key: one for each tenant, or for each of many databases. What differs is said by `connection`,
 * which also wins over what stands in `uri`; everything else is as with {@link mysqlPool}.
 *
 * ```ts
 * const tenants = new KeyedPool(keyedMysqlPool({
 *   host: 'db', user: 'app', maxTotal: 50, max: 5, connection: (tenant: string) => ({ database: `tenant_${tenant}` }),
 * }));
 * ```
 *
 * @throws PoolOptionsError when an option is not what it must be, or is one of mysql2's own pool
 */
export function keyedMysqlPool<K>(given: KeyedMysqlPoolOptions<K>): KeyedMysqlPool<K> {
  const { connection, ...options } = given;
  const { settings, config, ...rest } = split(options);
  if (typeof connection !== 'function') {
    throw wrong(
      settings.name,
      'connection',
      connection,
      'a function from a key to what its connections differ in',
    );
  }
  check(settings.name, config);
  const factory = makeFactory(
    settings.name,
    (key: K) => {
      const own = connection(key);
      checkUrl(settings.name ?? 'pool', 'uri', own.uri);
      return { ...config, ...own };
    },
    rest,
    false,
    () => ({
      system: systemOf(config),
    }),
  );
  return { ...settings, ...factory.hooks(given), maxTotal: options.maxTotal, factory };
}

/**
 * A pool for libraries that want one of mysql2 (`mysql2.createPool()`): Kysely, Drizzle, knex, TypeORM. It has the methods
 * and events of that, and its connections come from the pool, with its limits, its queue and its checks.
 *
 * ```ts
 * const db = new Kysely({ dialect: new MysqlDialect({ pool: mysqlFacade(pool) }) });
 * ```
 *
 * - A connection is the same object at each loan, as libraries expect. After `COM_RESET_CONNECTION` it is another: what is
 *   done with each new connection, on the event `connection` or by a library of its own accord, is done again. What a
 *   listener of `connection` sends at once belongs to the connection, and is no reason for a reset.
 * - `end()` ends the facade, and not the pool, unless `end: 'close'` is said.
 * - A connection whose socket has closed goes back by itself, also when a library has lost it.
 * - `pool.promise()` is that of mysql2.
 *
 * @throws TypeError when it is given no pool
 * @throws PoolOptionsError when `end` is not one of its values
 */
export function mysqlFacade(pool: Pool<Connection>, options: MysqlFacadeOptions = {}): CorePool {
  checkPool(pool, 'mysqlFacade()');
  return makeFacade(pool, options);
}

interface Split {
  readonly settings: PoolSettings;
  readonly config: ConnectionOptions;
  readonly sessionReset: SessionReset;
  readonly destroyTimeout: number;
  readonly isFatal: ResourceFactory<Connection>['isFatal'];
}

/** Tells what is the pool's from what is mysql2's. */
function split({ sessionReset = 'auto', isFatal, ...options }: MysqlPoolOptions): Split {
  const { name } = options;
  checkOwn(name ?? 'pool', `Pool "${name ?? 'pool'}"`, options, HOOK_RULES);
  checkUrl(name ?? 'pool', 'uri', options.uri);
  if (!SESSION_RESETS.includes(sessionReset)) {
    throw wrong(name, 'sessionReset', sessionReset, `'auto', 'always' or 'never'`);
  }
  if (isFatal !== undefined && typeof isFatal !== 'function') {
    throw wrong(name, 'isFatal', isFatal, 'a function of an error and a connection');
  }
  const config: Record<string, unknown> = { keepAliveInitialDelay: TCP_KEEP_ALIVE_DELAY };
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (Object.hasOwn(INSTEAD, key)) {
      throw new PoolOptionsError(
        name ?? 'pool',
        `Pool "${name ?? 'pool'}": option "${key}" is one of mysql2's own pool. What does the same here: ${INSTEAD[key]}.`,
      );
    }
    (Object.hasOwn(CLIENT_OPTIONS, key) ? config : settings)[key] = value;
  }
  const { destroyTimeout = DEFAULT_DESTROY_TIMEOUT } = options;
  return { settings, config, sessionReset, destroyTimeout, isFatal };
}

/** What mysql2 says about its options when it connects, it says now. */
function check(name: string | undefined, config: ConnectionOptions): void {
  if (config.stream !== undefined && typeof config.stream !== 'function') {
    throw wrong(name, 'stream', config.stream, 'a function that makes one for each connection');
  }
  const { ConnectionConfig } = mysql as unknown as { ConnectionConfig: new (options: object) => unknown };
  try {
    new ConnectionConfig({ ...config });
  } catch (error) {
    const pool = name ?? 'pool';
    withoutInput(error);
    throw new PoolOptionsError(
      pool,
      `Pool "${pool}": mysql2 does not take these options: ${messageOf(error)}`,
    );
  }
}

function makeFactory<K>(
  pool = 'pool',
  configOf: (key: K) => ConnectionOptions,
  { sessionReset, destroyTimeout, isFatal }: Omit<Split, 'settings' | 'config'>,
  asks: boolean,
  target: () => ResourceTarget,
): MysqlFactory<K> {
  const patience = Math.min(destroyTimeout, DEFAULT_DESTROY_TIMEOUT) / 2;
  return new MysqlFactory(pool, configOf, sessionReset, patience, isFatal, asks, target);
}

function wrong(pool = 'pool', option: string, value: unknown, allowed: string): PoolOptionsError {
  return wrongOption(pool, `Pool "${pool}"`, option, value, allowed);
}
