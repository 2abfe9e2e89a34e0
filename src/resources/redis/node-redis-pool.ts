import type {
  RedisClientOptions,
  RedisClientType,
  RedisFunctions,
  RedisModules,
  RedisScripts,
  RespVersions,
  TypeMapping,
} from 'redis';
import type { PoolSettings, ResourceFactory, SessionHooks } from '../../engine/index.js';
import { PoolOptionsError } from '../../engine/index.js';
import { RedisFactory, type Open } from './factory.js';
import { NodeRedisHandles } from './node-redis-handle.js';
import { NodeRedisSession, type AnyClient } from './node-redis-session.js';
import { connectionNameOf, prepare } from './options.js';
import type { SessionReset } from './session.js';
import { targetOf, type Place } from './target.js';

/** What the pool decides, since it replaces a connection that has broken or moves: that loses WATCH, SELECT and subscriptions. */
const POOLS_OWN = [
  ...['disableOfflineQueue', 'maintNotifications', 'maintEndpointType'],
  ...['maintRelaxedCommandTimeout', 'maintRelaxedSocketTimeout', 'himportRegistry'],
] as const satisfies readonly (keyof RedisClientOptions)[];

type Socket = NonNullable<RedisClientOptions['socket']>;
type WithoutReconnecting<S> = S extends unknown ? Omit<S, 'reconnectStrategy'> : never;

/** The settings of a pool, and beside them what `createClient()` of node-redis takes: `url`, `password`, `socket`, … */
export interface NodeRedisPoolOptions<
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  T extends TypeMapping,
>
  extends
    PoolSettings,
    SessionHooks<RedisClientType<M, F, S, RESP, T>>,
    Omit<RedisClientOptions<M, F, S, RESP, T>, (typeof POOLS_OWN)[number] | 'name' | 'socket'> {
  /** As `createClient()` takes it, but for `reconnectStrategy`: a pooled connection that breaks is replaced by another. */
  socket?: WithoutReconnecting<Socket>;
  /** What node-redis calls `name`, which is the pool's own option here. Default: the name of the pool. */
  connectionName?: string;
  /** What happens to the session between two borrowers. Default `auto`, see {@link SessionReset}. */
  sessionReset?: SessionReset;
  /**
   * Does this error of a borrower mean that its connection must be destroyed? Asked after the connection itself: when
   * that is broken, or its server not the one it was, the answer is yes in any case.
   */
  isFatal?: ResourceFactory<RedisClientType<M, F, S, RESP, T>>['isFatal'];
}

/** What {@link nodeRedisPool} makes: options for `new Pool()`, or for a definition in `PoolModule`. */
export type NodeRedisPool<C> = PoolSettings & SessionHooks<C> & { factory: ResourceFactory<C> };

/** As node-redis has it for no modules, and so on. */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- it is the library's
type None = Record<never, never>;

/** All that node-redis takes, but for what the pool decides. The compiler sees to it that none is missing. */
const CLIENT_OPTIONS: Readonly<
  Record<Exclude<keyof RedisClientOptions, (typeof POOLS_OWN)[number] | 'name'>, true> &
    Record<'connectionName' | 'unstableResp3', true>
> = {
  RESP: true,
  clientInfoTag: true,
  clientSideCache: true,
  commandOptions: true,
  commandsQueueMaxLength: true,
  connectionName: true,
  credentialsProvider: true,
  database: true,
  disableClientInfo: true,
  emitInvalidate: true,
  functions: true,
  keyPrefix: true,
  modules: true,
  password: true,
  pingInterval: true,
  readonly: true,
  scripts: true,
  socket: true,
  // Of version 5.
  unstableResp3: true,
  url: true,
  username: true,
};

/**
 * A pool of connections to Redis, made with the package `redis`, which is node-redis (5 or 6).
 *
 * ```ts
 * const pool = new Pool(nodeRedisPool({ url: process.env.REDIS_URL, max: 10 }));
 * const job = await pool.use(redis => redis.blPop('jobs', 5));
 * ```
 *
 * For what needs a connection to itself: WATCH, blocking commands, subscriptions. All other commands are faster on one
 * client that all share.
 *
 * What a borrower gets is a client of its own for as long as the lease lasts, with its modules, functions and scripts.
 * Once that has ended, whatever is sent by it (commands, what was made by `multi()` before, iterators, clients made by
 * `withTypeMapping()` and the like) fails with `LeaseReleasedError`, in the way in which it tells its errors, and is not
 * sent. Its listeners go with it.
 *
 * A connection that comes back subscribed, or with a blocking command or MONITOR under way, is closed at once; with keys
 * that are watched, these are given up. Connections never reconnect: one that breaks is replaced by another. One that has
 * answered READONLY, MASTERDOWN or LOADING is not lent again. `duplicate()` and `createPool()` make connections that are
 * yours to close.
 *
 * What `onCreate` sets is done again after a RESET, before the next loan; it must not subscribe. `onBorrow` and `onReturn` get
 * the client itself, and what they send is undone as if a borrower had.
 *
 * The first connection asks the server for `maxclients`, if that is allowed: `pool.advice()` says if `max`, times
 * `processes`, does not fit.
 *
 * @throws PoolOptionsError when an option of this function is not what it must be; the pool checks its own, and refuses
 * those that neither it nor node-redis knows
 */
export function nodeRedisPool<
  const Name extends string,
  M extends RedisModules = None,
  F extends RedisFunctions = None,
  S extends RedisScripts = None,
  RESP extends RespVersions = DefaultResp,
  T extends TypeMapping = None,
>(
  options: NodeRedisPoolOptions<M, F, S, RESP, T> & { name: Name },
): NodeRedisPool<RedisClientType<M, F, S, RESP, T>> & { name: Name };
export function nodeRedisPool<
  M extends RedisModules = None,
  F extends RedisFunctions = None,
  S extends RedisScripts = None,
  RESP extends RespVersions = DefaultResp,
  T extends TypeMapping = None,
>(options: NodeRedisPoolOptions<M, F, S, RESP, T>): NodeRedisPool<RedisClientType<M, F, S, RESP, T>>;
export function nodeRedisPool<
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  T extends TypeMapping,
>(options: NodeRedisPoolOptions<M, F, S, RESP, T>): NodeRedisPool<RedisClientType<M, F, S, RESP, T>> {
  const { settings, config, sessionReset, patience, isFatal } = prepare<RedisClientType<M, F, S, RESP, T>>(
    options,
    CLIENT_OPTIONS,
    POOLS_OWN,
  );
  refuseReconnecting(settings.name, options.socket);
  const { connectionName = connectionNameOf(settings.name), ...passed } = config;

  const handles = new NodeRedisHandles();
  const open: Open<AnyClient> = async ({ invalidate }) => {
    const redis = await import('redis');
    const abort = new AbortController();
    // Objects of its own, since node-redis writes into them.
    const socket = { ...options.socket, reconnectStrategy: false, signal: abort.signal };
    const all = {
      ...passed,
      ...(connectionName === undefined ? {} : { name: connectionName }),
      socket,
      disableOfflineQueue: true,
      // Or else each command leaves a timer for 5 s, for the case that it waits so long to be sent.
      commandOptions: { timeout: undefined, ...options.commandOptions },
      maintNotifications: 'disabled',
    };
    const client = redis.createClient(
      all as unknown as Parameters<typeof redis.createClient>[0],
    ) as unknown as AnyClient;
    // It has taken a copy; connections that are made after this one's model must not end with it.
    Reflect.deleteProperty(socket, 'signal');
    const session = new NodeRedisSession(client, sessionReset, abort, handles, invalidate);
    return { session, connect: () => client.connect() };
  };
  const secrets = [options.url, options.password];
  const factory = new RedisFactory<AnyClient>(open, secrets, patience, isFatal, () => {
    const { host, port, path } = (options.socket ?? {}) as Place;
    return targetOf({ url: options.url, host, port, path, database: options.database });
  });
  type Client = RedisClientType<M, F, S, RESP, T>;
  const hooks = factory.hooks(options);
  return {
    ...settings,
    ...(hooks as unknown as SessionHooks<Client>),
    factory: factory as unknown as ResourceFactory<Client>,
  };
}

/** That of the version that is installed: 3 from 6 on. Version 5 declares that it may be either. */
type DefaultResp = 2 extends NonNullable<RedisClientOptions['RESP']> ? 2 : 3;

function refuseReconnecting(pool = 'pool', socket: object | undefined): void {
  if (socket && 'reconnectStrategy' in socket && socket.reconnectStrategy !== undefined) {
    throw new PoolOptionsError(
      pool,
      `Pool "${pool}": option "socket.reconnectStrategy" is not for a pool: it replaces a connection that has broken by ` +
        'another, which has nothing of the old one. See createBackoff, acquireTimeout and unavailableAfter.',
    );
  }
}
