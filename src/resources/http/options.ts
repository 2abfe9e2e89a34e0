import {
  PoolOptionsError,
  type KeyedPoolOptions,
  type PoolSettings,
  type ResourceTarget,
} from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';
import { FACTORY, duration, isObject, type Rule } from '../../engine/options/rules.js';
import type { HttpTimeouts } from './call-context.js';
import type { HttpTlsOptions } from './connect.js';
import type { HttpConnection } from './connection.js';
import { HttpFactory } from './factory.js';
import { TlsSessions } from './tls-sessions.js';

/** The settings of a pool by key, and beside them what a connection is made of. All durations are milliseconds. */
export interface HttpPoolOptions extends Omit<PoolSettings, 'min' | 'minIdle'> {
  /** Connections to one origin at most; those that are closing count. Default 10. */
  max?: number;
  /** Connections to all origins together, at most. Default 100, or `max` if that is more. */
  maxTotal?: number;
  /** Origins that may have or want a connection at the same time. Default 1 000, or twice `maxTotal` if that is more. */
  maxKeys?: number;
  /**
   * How long an idle connection is kept when its server does not say (`Keep-Alive: timeout=…`); one that does is believed, up
   * to ten minutes, less two seconds for the way. Below the server's own limit, so that the server does not close a
   * connection just when a request is on its way. Default 4 000.
   */
  idleTimeout?: number;
  timeouts?: HttpTimeouts;
  /** Certificates and keys, and what else `node:tls` is told; `rejectUnauthorized: false` trusts anybody. */
  tls?: HttpTlsOptions;
  /**
   * The server, where nearly all connections go to one, for what is told of the pool as a whole: `{ host, port }`. Default: of a
   * session that of its `baseUrl`, otherwise none.
   */
  target?: ResourceTarget | undefined;
}

/** What {@link httpPool} makes: options for `new KeyedPool()`, or for a definition in `PoolModule`. */
export type HttpPool = Omit<KeyedPoolOptions<string, HttpConnection>, 'factory' | 'create'> & {
  factory: HttpFactory;
};

const DEFAULT_NAME = 'http';
const DEFAULT_MAX_TOTAL = 100;
const DEFAULT_IDLE_TIMEOUT = 4_000;
const DEFAULT_CONNECT_TIMEOUT = 5_000;
/** A server that says how long it keeps idle connections is believed up to here. */
const LONGEST_KEEP_ALIVE = 600_000;
/** The engine's own. */
const DEFAULT_CREATE_TIMEOUT = 30_000;

const RULES: Readonly<Record<string, Rule>> = {
  timeouts: { ok: isObject, allowed: '{ connect?, headers?, body?, total? }, in milliseconds' },
  tls: { ok: isObject, allowed: 'an object of what node:tls is told, such as { ca }' },
  idleTimeout: duration(1),
  target: FACTORY.target,
};

const TIMEOUT_RULES: Readonly<Record<keyof HttpTimeouts, Rule>> = {
  connect: duration(1),
  headers: duration(1),
  body: duration(1),
  total: duration(1),
};

/** @throws PoolOptionsError */
export function checkTimeouts(pool: string, title: string, timeouts: HttpTimeouts | undefined): void {
  checkOwn(pool, title, { timeouts }, { timeouts: RULES.timeouts! });
  if (!timeouts) return;
  checkOwn(pool, `${title}, timeouts`, timeouts, TIMEOUT_RULES);
  // One that is misspelt would be no limit, which shows only when it is needed.
  const unknown = Object.keys(timeouts).find(name => !Object.hasOwn(TIMEOUT_RULES, name));
  if (unknown === undefined) return;
  const known = Object.keys(TIMEOUT_RULES).join(', ');
  throw new PoolOptionsError(pool, `${title}, timeouts: unknown option "${unknown}"; known are ${known}.`);
}

/**
 * A pool of HTTP/1.1 connections by origin, for an agent or a session.
 *
 * @throws PoolOptionsError when an option of the connections is not what it must be; the pool itself checks the others
 */
export function httpPool(given: HttpPoolOptions = {}): HttpPool {
  const { timeouts, tls = {}, idleTimeout = DEFAULT_IDLE_TIMEOUT, target, ...others } = given;
  const { name = DEFAULT_NAME, max = 0, maxTotal, createTimeout } = others;
  const title = `Pool "${name}"`;
  checkOwn(name, title, { tls, idleTimeout, target }, RULES);
  checkTimeouts(name, title, timeouts);
  const { connect = DEFAULT_CONNECT_TIMEOUT } = timeouts ?? {};
  const keepAliveMaxTimeout = Math.max(LONGEST_KEEP_ALIVE, finite(idleTimeout));
  return {
    ...others,
    name,
    maxTotal: maxTotal ?? Math.max(DEFAULT_MAX_TOTAL, max),
    createTimeout: createTimeout ?? Math.max(DEFAULT_CREATE_TIMEOUT, 2 * connect),
    // Each connection knows for itself how long it may be idle, as it knows what its server says.
    idleTimeout: keepAliveMaxTimeout,
    factory: new HttpFactory(
      { timeout: connect, tls, sessions: new TlsSessions() },
      { keepAliveTimeout: finite(idleTimeout), keepAliveMaxTimeout },
      target,
    ),
  };
}

/** undici wants a number; that is a day. */
function finite(ms: number): number {
  return Math.min(ms, 86_400_000);
}
