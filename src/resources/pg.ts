import type { Client, ClientConfig } from 'pg';
import { PoolOptionsError, type PoolSettings, type ResourceFactory } from '../engine/index.js';
import { PgFactory } from './pg/factory.js';
import type { SessionReset } from './pg/session.js';

export type { SessionReset };

/** The settings of a pool, and beside them what `new pg.Client()` takes: `connectionString` or `host`, `user`, … */
export interface PgPoolOptions extends PoolSettings, Omit<ClientConfig, 'keepAlive'> {
  /** What pg calls `keepAlive`, which is the pool's own option here: the TCP keep-alive of the socket. Default true. */
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
}

/** What {@link pgPool} makes: options for `new Pool()`, or for a definition in `PoolModule`. */
export type PgPool = PoolSettings & { factory: ResourceFactory<Client> };

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
 * The resources are pg's own `Client`s. Queries that are sent side by side on one of them take turns. Connections have
 * TCP keep-alive unless `tcpKeepAlive` is false. `connectionTimeoutMillis` and `query_timeout` mean what they mean to a
 * Client; how long a borrower waits is `acquireTimeout`.
 *
 * Options that neither the pool nor pg knows are refused by the pool, with a `PoolOptionsError`.
 *
 * @throws PoolOptionsError when `sessionReset` is not one of its values
 */
export function pgPool<const Name extends string>(
  options: PgPoolOptions & { name: Name },
): PgPool & { name: Name };
export function pgPool(options: PgPoolOptions): PgPool;
export function pgPool({ sessionReset = 'auto', tcpKeepAlive, ...options }: PgPoolOptions): PgPool {
  const pool = options.name ?? 'pool';
  if (!SESSION_RESETS.includes(sessionReset)) {
    throw new PoolOptionsError(
      pool,
      `Pool "${pool}": option "sessionReset" is "${sessionReset as string}"; it must be 'auto', 'always' or 'never'.`,
    );
  }
  const config: Record<string, unknown> = { keepAlive: tcpKeepAlive ?? options.stream === undefined };
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    (Object.hasOwn(CLIENT_OPTIONS, key) ? config : settings)[key] = value;
  }
  const { destroyTimeout = DEFAULT_DESTROY_TIMEOUT } = options;
  const patience = Math.min(destroyTimeout, DEFAULT_DESTROY_TIMEOUT) / 2;
  return { ...settings, factory: new PgFactory(config, sessionReset, patience) };
}
