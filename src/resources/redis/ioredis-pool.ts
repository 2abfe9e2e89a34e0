import type { Redis, RedisOptions } from 'ioredis';
import type { PoolSettings, ResourceFactory, SessionHooks } from '../../engine/index.js';
import { RedisFactory, type Open } from './factory.js';
import { IoredisHandles } from './ioredis-handle.js';
import { CLIENT_OPTIONS, POOLS_OWN, type Passed } from './ioredis-options.js';
import { IoredisSession } from './ioredis-session.js';
import { connectionNameOf, prepare } from './options.js';
import type { SessionReset } from './session.js';
import { targetOf } from './target.js';

/** The settings of a pool, and beside them what `new Redis()` of ioredis takes: `host`, `password`, `db`, … */
export interface IoredisPoolOptions extends PoolSettings, SessionHooks<Redis>, Passed {
  /** What ioredis takes as its first argument: `redis://user:password@host:6379/0`, or `rediss://` with TLS. */
  url?: string;
  /** What ioredis calls `name`, which is the pool's own option here: the master's name, as its Sentinels know it. */
  masterName?: string;
  /**
   * What ioredis calls `keepAlive`, which is the pool's own option here: TCP keep-alive, with a first probe after so many
   * milliseconds of silence. Default 10 000; `false` turns it off.
   */
  tcpKeepAlive?: number | false;
  /** What `CLIENT LIST` calls the connections. Default: the name of the pool. */
  connectionName?: string;
  /** What happens to the session between two borrowers. Default `auto`, see {@link SessionReset}. */
  sessionReset?: SessionReset;
  /**
   * Does this error of a borrower mean that its connection must be destroyed? Asked after the connection itself: when
   * that is broken, or its server not the one it was, the answer is yes in any case.
   */
  isFatal?: ResourceFactory<Redis>['isFatal'];
}

/** What {@link ioredisPool} makes: options for `new Pool()`, or for a definition in `PoolModule`. */
export type IoredisPool = PoolSettings & SessionHooks<Redis> & { factory: ResourceFactory<Redis> };

const TCP_KEEP_ALIVE_DELAY = 10_000;

/**
 * A pool of connections to Redis, made with the package `ioredis` (5 or 6).
 *
 * ```ts
 * const pool = new Pool(ioredisPool({ host: 'cache', password: process.env.REDIS_PASSWORD, max: 10 }));
 * await pool.use(async redis => {
 *   await redis.watch('stock');
 *   const left = Number(await redis.get('stock'));
 *   return redis.multi().set('stock', left - 1).exec(); // null when somebody else was quicker
 * });
 * ```
 *
 * For what needs a connection to itself: WATCH, blocking commands, subscriptions. All other commands are faster on one
 * client that all share.
 *
 * What a borrower gets is a `Redis` of its own for as long as the lease lasts. Once that has ended, whatever is sent by
 * it (commands, pipelines and transactions begun before, scans) fails with `LeaseReleasedError`, in the way in which it
 * tells its errors, and is not sent. What is defined on it goes with it, and so do its listeners.
 *
 * A connection that comes back subscribed, or with a blocking command under way, is closed at once; in a transaction, or
 * with keys that are watched, these are given up. Connections never reconnect: one that breaks is replaced by another.
 * One that has answered READONLY, MASTERDOWN or LOADING is not lent again.
 *
 * `monitor()` opens another connection, as ever with ioredis, which is closed when the lease ends. `duplicate()` does too,
 * and that one is yours to close. `enableReadyCheck` and the options about reconnecting and offline queues are not there:
 * the pool asks each new connection by a PING, and knows from that whether the server is loading its data.
 *
 * What `onCreate` sets is done again after a RESET, before the next loan; it must not subscribe. `onBorrow` and `onReturn` get
 * the client itself, and what they send is undone as if a borrower had.
 *
 * The first connection asks the server for `maxclients`, if that is allowed: `pool.advice()` says if `max`, times
 * `processes`, does not fit.
 *
 * @throws PoolOptionsError when an option of this function is not what it must be; the pool checks its own, and refuses
 * those that neither it nor ioredis knows
 */
export function ioredisPool<const Name extends string>(
  options: IoredisPoolOptions & { name: Name },
): IoredisPool & { name: Name };
export function ioredisPool(options: IoredisPoolOptions): IoredisPool;
export function ioredisPool(given: IoredisPoolOptions): IoredisPool {
  const { url, masterName, tcpKeepAlive = TCP_KEEP_ALIVE_DELAY, ...options } = given;
  const own = { url, tcpKeepAlive, masterName };
  const { settings, config, sessionReset, patience, isFatal } = prepare(
    { ...options, ...own },
    CLIENT_OPTIONS,
    POOLS_OWN,
  );
  const fixed = {
    ...config,
    ...(masterName === undefined ? {} : { name: masterName }),
    connectionName: config.connectionName ?? connectionNameOf(settings.name) ?? null,
    keepAlive: tcpKeepAlive === false ? null : tcpKeepAlive,
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: null,
    sentinelRetryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
  } as unknown as RedisOptions;

  const handles = new IoredisHandles();
  const open: Open<Redis> = async ({ invalidate }) => {
    const ioredis = (await import('ioredis')) as unknown as { Redis: new (...args: unknown[]) => Redis };
    const all: RedisOptions = {
      ...fixed,
      // Called for every error that the server answers.
      reconnectOnError: error => {
        session.failed(error);
        return false;
      },
    };
    const client = url === undefined ? new ioredis.Redis(all) : new ioredis.Redis(url, all);
    const session = new IoredisSession(client, sessionReset, handles, invalidate);
    return {
      session,
      connect: () => client.connect(),
      ...(fixed.sentinels ? { check: () => checkRole(client, fixed.role ?? 'master') } : {}),
    };
  };
  const secrets = [url, fixed.password, fixed.sentinelPassword];
  const factory = new RedisFactory(open, secrets, patience, isFatal, () => {
    const { host, port, path, db: database, sentinels } = fixed;
    // Sentinels say where the master is.
    if (sentinels) return { system: 'redis', namespace: String(database ?? 0) };
    return targetOf({ url, host, port, path, database });
  });
  return { ...settings, ...factory.hooks(given), factory };
}

/** During a failover, a Sentinel may still send us to the old master. */
async function checkRole(client: Redis, wanted: string): Promise<void> {
  const [role] = (await client.call('ROLE')) as [string];
  if (role !== wanted) throw new Error(`The Sentinels have led to a ${role}, and not to a ${wanted}`);
}
