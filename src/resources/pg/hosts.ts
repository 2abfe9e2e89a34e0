import { isIPv6 } from 'node:net';
import type { ClientConfig } from 'pg';
import { PoolOptionsError } from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';
import { TARGETS, type TargetSessionAttrs } from './role.js';

/** Where a connection may go. */
export interface PgHosts {
  /**
   * Several servers of one cluster, as `host`, `host:port`, `[address]:port`, or the directory of a Unix socket; a
   * `connectionString` can name several, too: `postgres://app@a:5432,b:5433/shop`. Each create tries them in this order, and
   * takes the first that is what `targetSessionAttrs` asks for. In place of `host`.
   *
   * Each is given `connectionTimeoutMillis`: by default an equal part of `createTimeout`, but 3 000 ms at most, so that a
   * server that has vanished does not keep the next from being tried.
   */
  hosts?: readonly string[];
  /**
   * Which server to take. Connections to one that stops being that are retired. Default: whichever answers; a connection
   * that could write is retired when its server has become read-only. `any`: and nothing is retired.
   */
  targetSessionAttrs?: TargetSessionAttrs;
  /** Try the hosts in a random order each time. Default false. */
  loadBalanceHosts?: boolean;
}

/** What pg's Client takes beside what its types say. */
export interface UntypedConfig {
  /** Asks for results in binary form. */
  binary?: boolean | undefined;
  /** `database`, or `true` for a connection that can do nothing else. */
  replication?: string | boolean | undefined;
  /** How many rounds a server may ask for when it checks a password. */
  scramMaxIterations?: number | undefined;
  /** @deprecated by pg */
  Promise?: PromiseConstructorLike | undefined;
}

/** What pg's Client takes, and where it may go. */
export type PgConnection = ClientConfig & UntypedConfig & PgHosts;

/** One host. */
export interface Target {
  /** As somebody has written it; undefined where there is only one. */
  readonly name: string | undefined;
  readonly config: ClientConfig;
}

/** Where one create may connect to. */
export interface Targets {
  /** One for each host. */
  readonly hosts: readonly Target[];
  readonly target: TargetSessionAttrs | undefined;
  readonly shuffled: boolean;
}

/** Milliseconds that each of several hosts is given at most, unless somebody says so. */
const HOST_TIMEOUT = 3_000;

const RULES = {
  hosts: {
    ok: (value: unknown) =>
      Array.isArray(value) && value.length > 0 && value.every(host => hostOf(host) !== undefined),
    allowed: `an array of 'host' or 'host:port'`,
  },
  targetSessionAttrs: {
    ok: (value: unknown) => TARGETS.includes(value),
    allowed: TARGETS.map(target => `'${String(target)}'`).join(', '),
  },
  loadBalanceHosts: { ok: (value: unknown) => typeof value === 'boolean', allowed: 'true or false' },
};

/** @throws PoolOptionsError when they contradict each other or are not what they must be */
export function targetsOf(pool: string, connection: PgConnection, createTimeout: number): Targets {
  const { hosts, targetSessionAttrs, loadBalanceHosts, ...config } = connection;
  checkOwn(pool, `Pool "${pool}"`, { hosts, targetSessionAttrs, loadBalanceHosts }, RULES);
  const url = partsOf(config.connectionString);
  const own = {
    targetSessionAttrs: url?.query.get('target_session_attrs') ?? targetSessionAttrs,
    loadBalanceHosts: balances(url?.query.get('load_balance_hosts')) ?? loadBalanceHosts,
  };
  checkOwn(pool, `Pool "${pool}"`, own, RULES);
  const addresses = addressesOf(pool, hosts, config, url);
  return {
    hosts: addresses ? withEach(addresses, config, url, createTimeout) : [{ name: undefined, config }],
    target: own.targetSessionAttrs as TargetSessionAttrs | undefined,
    shuffled: own.loadBalanceHosts === true,
  };
}

/** What libpq has of it in a connection string: `random` or `disable`. */
function balances(text: string | null | undefined): unknown {
  return text === 'random' ? true : text === 'disable' ? false : (text ?? undefined);
}

/** A connection string with the hosts taken out. */
interface Url {
  readonly before: string;
  readonly hosts: string;
  readonly after: string;
  readonly query: URLSearchParams;
}

const URL_PARTS = /^([a-z]+:\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/is;

function partsOf(connectionString: string | undefined): Url | undefined {
  const [, before, hosts, after] = URL_PARTS.exec(connectionString ?? '') ?? [];
  if (before === undefined || hosts === undefined || after === undefined) return undefined;
  return { before, hosts, after, query: new URLSearchParams(after.split('?', 2)[1]) };
}

/** @returns undefined where pg goes by what it is given anyway */
function addressesOf(
  pool: string,
  hosts: readonly string[] | undefined,
  { host, connectionString }: ClientConfig,
  url: Url | undefined,
): readonly string[] | undefined {
  if (hosts === undefined) {
    if (!url?.hosts.includes(',')) return undefined;
    const listed = url.hosts.split(',');
    if (listed.every(each => hostOf(each))) return listed;
    throw refused(pool, 'one of the hosts in "connectionString" is not a host or host:port');
  }
  if (host !== undefined) throw refused(pool, 'both "hosts" and "host" are given. Leave "host" out');
  if (connectionString === undefined) return hosts;
  if (!url) throw refused(pool, '"hosts" does not go with a "connectionString" that is no URL');
  if (url.hosts === '') return hosts;
  throw refused(
    pool,
    'both "hosts" and the "connectionString" name hosts. Leave them out there: postgres://user@/database',
  );
}

function withEach(
  addresses: readonly string[],
  config: ClientConfig,
  url: Url | undefined,
  createTimeout: number,
): Target[] {
  const share = Math.min(HOST_TIMEOUT, Math.max(1, Math.floor(createTimeout / addresses.length)));
  const common = addresses.length > 1 ? { connectionTimeoutMillis: share, ...config } : config;
  return addresses.map(name => {
    const { host, port } = hostOf(name)!;
    if (!url) return { name, config: { ...common, host, ...(port === undefined ? {} : { port }) } };
    const inUrl = host.startsWith('/') ? encodeURIComponent(host) : isIPv6(host) ? `[${host}]` : host;
    const authority = port === undefined ? inUrl : `${inUrl}:${port}`;
    return { name, config: { ...common, connectionString: url.before + authority + url.after } };
  });
}

/** @returns undefined for what is no address */
function hostOf(address: unknown): { host: string; port: number | undefined } | undefined {
  if (typeof address !== 'string') return undefined;
  if (address.startsWith('/') || isIPv6(address)) return { host: address, port: undefined };
  const [, inBrackets, plain, port] = ADDRESS.exec(address) ?? [];
  const host = inBrackets ?? plain;
  if (host === undefined || (inBrackets !== undefined && !isIPv6(host))) return undefined;
  if (port === undefined) return { host, port };
  return Number(port) >= 1 && Number(port) <= 65_535 ? { host, port: Number(port) } : undefined;
}

const ADDRESS = /^(?:\[([^\]]+)\]|([^:[\]\s,@/?#]+))(?::(\d{1,5}))?$/;

function refused(pool: string, what: string): PoolOptionsError {
  return new PoolOptionsError(pool, `Pool "${pool}": ${what}.`);
}
