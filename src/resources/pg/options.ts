import type pg from 'pg';
import type { Client, ClientConfig } from 'pg';
import {
  PoolOptionsError,
  type PoolSettings,
  type ResourceFactory,
  type SessionHooks,
} from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';
import { checkUrl } from '../common/check-url.js';
import { HOOK_RULES } from '../common/hooks.js';
import type { FactoryOptions } from './factory.js';
import type { PgConnection, PgHosts, UntypedConfig } from './hosts.js';
import { Notices, type OnNotice } from './notices.js';
import type { SessionReset } from './condition.js';

/**
 * The settings of a pool, and beside them what `new pg.Client()` takes: `connectionString` or `host`, `user`, … The name of
 * the pool is its `fallback_application_name`, unless it has one of its own.
 */
export interface PgPoolOptions
  extends PoolSettings, SessionHooks<Client>, PgHosts, Omit<ClientConfig, 'keepAlive'>, UntypedConfig {
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
   * `auto` goes by the texts of the statements that were sent, and by the parameters whose change the server reports. A
   * function that is not PostgreSQL's own may do anything: calling it counts as a trace, unless it is one of
   * `harmlessFunctions`. What a trigger, a view, a default or an operator does otherwise cannot be seen: use `always` if
   * such a thing changes the session (one round trip per borrow). Use `never` when nobody changes sessions. Sequences that
   * were used (`currval`, `lastval`) count as a trace only with `always`.
   *
   * In every mode a transaction that was left open is rolled back, and listeners that were added to the client
   * are removed. Statements that pg prepared by name survive as long as there is nothing to reset, on purpose.
   * Set what all borrowers shall find in `onCreate`, or with `options: '-c search_path=…'`: what a borrower sets, or
   * `onBorrow`, is reset.
   */
  sessionReset?: SessionReset;
  /**
   * Functions that leave nothing behind in the session that calls them: no setting, no temporary table, no advisory lock. Said
   * as they are called and as the server has their names: `my_func`, `app.other`; in lower case, unless they are created
   * with quotes. `st_*` stands for all that begin so, `app.*` for all of a schema. Default: none, so that each call of a function of yours, or of an
   * extension, costs a reset. For `sessionReset: 'auto'`.
   */
  harmlessFunctions?: readonly string[];
  /**
   * Told what the server remarks while it does something else: warnings, `raise notice`, and with `client_min_messages` set
   * lower in `options` much more. Default: nobody is. A borrower can listen to `notice` of its client as well, until it
   * gives that back. What this throws is dropped, with a warning of the process the first time.
   */
  onNotice?: OnNotice;
  /**
   * Does this error of a borrower mean that its connection must be destroyed? Asked after the connection itself: when
   * that is broken, by the word of the server or its socket, the answer is yes in any case.
   */
  isFatal?: ResourceFactory<Client>['isFatal'];
  /**
   * The class that connections are made with: pg's own, which is the default, or one that extends it. Not `pg.native.Client`,
   * whose connection is out of reach.
   */
  Client?: typeof pg.Client;
  /** May the process end while nothing is lent? What is lent, made or ended keeps it. Default false. */
  allowExitOnIdle?: boolean;
}

/** Milliseconds. */
const TCP_KEEP_ALIVE_DELAY = 10_000;

/** All that pg's Client takes, and where it may go. The compiler sees to it that none is missing. */
const CONNECTION_OPTIONS: Readonly<Record<Exclude<keyof PgConnection, 'keepAlive'>, true>> = {
  application_name: true,
  binary: true,
  client_encoding: true,
  connectionString: true,
  connectionTimeoutMillis: true,
  database: true,
  enableChannelBinding: true,
  fallback_application_name: true,
  host: true,
  hosts: true,
  idle_in_transaction_session_timeout: true,
  keepAliveInitialDelayMillis: true,
  loadBalanceHosts: true,
  lock_timeout: true,
  options: true,
  password: true,
  pipeline: true,
  port: true,
  Promise: true,
  query_timeout: true,
  replication: true,
  scramMaxIterations: true,
  ssl: true,
  sslnegotiation: true,
  statement_timeout: true,
  stream: true,
  targetSessionAttrs: true,
  types: true,
  user: true,
};

const SESSION_RESETS: readonly unknown[] = ['auto', 'always', 'never'];
const DEFAULT_DESTROY_TIMEOUT = 5_000;
const DEFAULT_CREATE_TIMEOUT = 30_000;
/** Bytes; the server cuts off what is longer. */
const LONGEST_NAME = 63;

const RULES = {
  sessionReset: {
    ok: (value: unknown) => SESSION_RESETS.includes(value),
    allowed: `'auto', 'always' or 'never'`,
  },
  harmlessFunctions: {
    ok: (value: unknown) => Array.isArray(value) && value.every(isFunctionName),
    allowed: `names of functions, as in ['my_func', 'app.other', 'st_*']`,
  },
  Client: {
    ok: isClientClass,
    allowed: `pg's Client or a class that extends it (pg.native.Client is none)`,
  },
  allowExitOnIdle: { ok: (value: unknown) => typeof value === 'boolean', allowed: 'true or false' },
  isFatal: { ok: isFunction, allowed: 'a function of an error and a client' },
  onNotice: { ok: isFunction, allowed: 'a function of a notice and where it is from' },
  ...HOOK_RULES,
};

/** The options of a pool, told apart. */
export interface Split extends FactoryOptions {
  readonly pool: string;
  /** What the engine knows. */
  readonly settings: PoolSettings;
  readonly hooks: SessionHooks<Client>;
  readonly connection: PgConnection;
  readonly createTimeout: number;
}

/** Tells what is the pool's from what is pg's. */
export function split(given: PgPoolOptions): Split {
  const {
    sessionReset,
    harmlessFunctions,
    tcpKeepAlive,
    isFatal,
    onNotice,
    Client: ClientClass,
    allowExitOnIdle,
    ...options
  } = given;
  const { name: pool = 'pool' } = options;
  checkOwn(pool, `Pool "${pool}"`, given, RULES);
  checkUrl(pool, 'connectionString', options.connectionString);
  const connection: Record<string, unknown> = {
    keepAlive: tcpKeepAlive ?? options.stream === undefined,
    keepAliveInitialDelayMillis: TCP_KEEP_ALIVE_DELAY,
    ...(options.name === undefined ? {} : { fallback_application_name: applicationName(options.name) }),
  };
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    (Object.hasOwn(CONNECTION_OPTIONS, key) ? connection : settings)[key] = value;
  }
  const { destroyTimeout = DEFAULT_DESTROY_TIMEOUT, createTimeout = DEFAULT_CREATE_TIMEOUT } = options;
  return {
    // Those in the settings are the user's: what calls them takes their place.
    hooks: given,
    ...{
      pool,
      settings,
      connection,
      sessionReset: sessionReset ?? 'auto',
      harmlessFunctions,
      isFatal,
      createTimeout,
    },
    notices: onNotice && new Notices(pool, onNotice),
    patience: Math.min(destroyTimeout, DEFAULT_DESTROY_TIMEOUT) / 2,
    reachable: options.stream === undefined,
    Client: ClientClass,
    mayExit: allowExitOnIdle ?? false,
  };
}

/** The server takes printable ASCII only; a zero byte would end the name, and begin another parameter. */
function applicationName(pool: unknown): string {
  return String(pool)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, LONGEST_NAME);
}

/** @throws PoolOptionsError when pg would take no notice of what is said for the key */
export function merge(pool: string, common: PgConnection, own: PgConnection): PgConnection {
  checkUrl(pool, 'connectionString', own.connectionString);
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
    ...['host', 'hosts', 'port', 'user', 'password', 'database'],
    ...names.map(name => (name.startsWith('ssl') ? 'ssl' : name)),
  ]);
}

/** Not all that could stand in quotes, but no mistaken `f()`, nor `*` alone. */
function isFunctionName(value: unknown): boolean {
  return typeof value === 'string' && FUNCTION_NAME.test(value);
}

const FUNCTION_NAME = /^(?:[^\s.*()"]+\.)?[^\s.*()"]+\*?$|^[^\s.*()"]+\.\*$/;

/** The client of pg itself, of whichever copy of the package; that of libpq knows nothing of its own protocol. */
function isClientClass(value: unknown): boolean {
  return isFunction(value) && '_handleReadyForQuery' in ((value as typeof Client).prototype as object);
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}
