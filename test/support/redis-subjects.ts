import type { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import type { RedisClientType } from 'redis';
import { Pool, type PoolSettings, type ResourceFactory, type SessionHooks } from '../../src/engine/index.js';
import { ioredisPool, nodeRedisPool, type SessionReset } from '../../src/resources/redis.js';

/** Where to connect, and how. */
export interface RedisConfig extends PoolSettings, SessionHooks<EventEmitter> {
  host: string;
  port: number;
  username?: string;
  password?: string;
  database?: number;
  connectionName?: string;
  protocol?: 2 | 3;
  sessionReset?: SessionReset;
  isFatal?: (error: unknown) => boolean;
}

/** What both libraries can do, said in one way, so that what must be true of both is tested once. */
export interface RedisSubject<C extends EventEmitter = EventEmitter> {
  readonly library: string;
  factory(config: RedisConfig): PoolSettings & { factory: ResourceFactory<C> };
  pool(config: RedisConfig): Pool<C>;
  /** Any command, as the library sends those that it has no method for. */
  call(client: C, ...args: string[]): Promise<unknown>;
  /** By a method of the library. */
  get(client: C, key: string): Promise<unknown>;
  select(client: C, database: number): Promise<unknown>;
  watch(client: C, key: string): Promise<unknown>;
  blPop(client: C, key: string, seconds: number): Promise<unknown>;
  /** Hears of a message on this channel. */
  subscribe(client: C, channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(client: C, channel: string): Promise<unknown>;
  /** MULTI, a SET and EXEC: what to send, and how. */
  transaction(client: C, key: string, value: string): () => Promise<unknown>;
  pipeline(client: C, key: string): () => Promise<unknown>;
  quit(client: C): Promise<unknown>;
  /** Closes without a word to the server. */
  disconnect(client: C): unknown;
}

const ioredis: RedisSubject<Redis> = {
  library: 'ioredis',
  factory: ({ database, ...config }) =>
    ioredisPool({ ...(config as PoolSettings), ...(database === undefined ? {} : { db: database }) }),
  pool: config => new Pool(ioredis.factory(config)),
  call: (client, name, ...args) => client.call(name, ...args),
  get: (client, key) => client.get(key),
  select: (client, database) => client.select(database),
  watch: (client, key) => client.watch(key),
  blPop: (client, key, seconds) => client.blpop(key, seconds),
  subscribe: (client, channel, listener) => {
    client.on('message', (_channel, message) => listener(message));
    return client.subscribe(channel);
  },
  unsubscribe: (client, channel) => client.unsubscribe(channel),
  transaction: (client, key, value) => {
    const multi = client.multi().set(key, value);
    return () => multi.exec();
  },
  pipeline: (client, key) => {
    const pipeline = client.pipeline().get(key).get(key);
    // It tells the error of each command beside the others.
    return () =>
      pipeline.exec().then(results => {
        for (const [error] of results ?? []) if (error) throw error;
      });
  },
  quit: client => client.quit(),
  disconnect: client => client.disconnect(),
};

type NodeRedis = RedisClientType;

const nodeRedis: RedisSubject<NodeRedis> = {
  library: 'node-redis',
  factory: ({ host, port, protocol, ...config }) =>
    nodeRedisPool({
      ...config,
      socket: { host, port },
      ...(protocol === undefined ? {} : { RESP: protocol as 3 }),
    }),
  pool: config => new Pool(nodeRedis.factory(config)),
  call: (client, ...args) => client.sendCommand(args),
  get: (client, key) => client.get(key),
  select: (client, database) => client.select(database),
  watch: (client, key) => client.watch(key),
  blPop: (client, key, seconds) => client.blPop(key, seconds),
  subscribe: (client, channel, listener) => client.subscribe(channel, listener),
  unsubscribe: (client, channel) => client.unsubscribe(channel),
  transaction: (client, key, value) => {
    const multi = client.multi().set(key, value);
    return () => multi.exec();
  },
  pipeline: (client, key) => {
    const multi = client.multi().get(key).get(key);
    return () => multi.execAsPipeline();
  },
  quit: client => client.quit(),
  disconnect: client => client.destroy(),
};

export const REDIS_SUBJECTS = [ioredis, nodeRedis] as unknown as readonly RedisSubject[];
