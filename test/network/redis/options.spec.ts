import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { Redis } from 'ioredis';
import { defineScript, type RedisClientType } from 'redis';
import { Pool, PoolOptionsError, type PoolOptions } from '../../../src/engine/index.js';
import { ioredisPool, nodeRedisPool } from '../../../src/resources/redis.js';

const MAKERS = [
  ['ioredisPool', ioredisPool],
  ['nodeRedisPool', nodeRedisPool],
] as unknown as [string, (options: object) => PoolOptions<object>][];

describe.each(MAKERS)('the options of %s', (_name, make) => {
  it.each([
    [{ idleTimeoutMillis: 1_000 }, 'did you mean "idleTimeout"'],
    [{ hots: '' }, 'unknown option "hots"'],
    [{ max: 0 }, 'option "max" is 0'],
    [{ create: () => 1 }, 'option "create"'],
  ])('are refused by the pool when neither knows them: %j', (options, message) => {
    const open = (): unknown => new Pool(make(options));
    expect(open).toThrow(PoolOptionsError);
    expect(open).toThrow(message);
  });

  it.each([
    [
      { sessionReset: 'sometimes' },
      `option "sessionReset" is a string; it must be 'auto', 'always' or 'never'`,
    ],
    [{ isFatal: true }, 'option "isFatal" is true; it must be a function of an error and a client'],
    [{ url: 'http://s3cret' }, 'option "url" is a string; it must be a text that begins with redis://'],
    [{ connectionName: 'a b' }, 'option "connectionName" is a string; it must be a text of printable ASCII'],
    [{ masterName: '' }, 'option "masterName" is a string; it must be a text'],
    [{ tcpKeepAlive: -1 }, 'option "tcpKeepAlive" is -1; it must be milliseconds ≥ 0, or false'],
  ])('are refused at once when they are wrong: %j', (wrong, message) => {
    const open = (): unknown => make({ name: 'cache', ...wrong });
    expect(open).toThrow(PoolOptionsError);
    expect(open).toThrow(`Pool "cache": ${message}`);
    expect(open).not.toThrow('s3cret');
  });

  it('do not show the password when they are logged', () => {
    const options = make({ password: 's3cret', url: 'redis://a:s3cret@b' });
    expect(inspect(options, { depth: 9, showHidden: true }) + JSON.stringify(options)).not.toContain(
      's3cret',
    );
  });
});

describe('what the pool decides is refused, with what to use instead', () => {
  it.each(['retryStrategy', 'reconnectOnError', 'enableOfflineQueue', 'lazyConnect', 'maxRetriesPerRequest'])(
    'by ioredisPool: %s',
    option => {
      expect(() => ioredisPool({ [option]: null } as object)).toThrow(
        `Pool "pool": option "${option}" is not for a pool: it replaces a connection that has broken`,
      );
    },
  );

  it.each([
    [{ disableOfflineQueue: false }, 'disableOfflineQueue'],
    [{ maintNotifications: 'auto' }, 'maintNotifications'],
    [{ socket: { reconnectStrategy: 10 } }, 'socket.reconnectStrategy'],
  ])('by nodeRedisPool: %j', (wrong, option) => {
    expect(() => nodeRedisPool(wrong as object)).toThrow(`option "${option}" is not for a pool`);
  });
});

describe('the types', () => {
  it('are those of the library', () => {
    expectTypeOf(ioredisPool({ host: 'cache' })).toExtend<PoolOptions<Redis>>();
    expectTypeOf(ioredisPool({ name: 'cache' }).name).toEqualTypeOf<'cache'>();
    // @ts-expect-error -- the pool decides it
    expect(() => ioredisPool({ retryStrategy: () => 1 })).toThrow(PoolOptionsError);
    // @ts-expect-error -- the pool decides it
    expect(() => nodeRedisPool({ socket: { reconnectStrategy: 1 } })).toThrow(PoolOptionsError);
    expectTypeOf(nodeRedisPool({ url: 'redis://cache' })).toExtend<PoolOptions<RedisClientType>>();
    expectTypeOf(nodeRedisPool({ name: 'cache' }).name).toEqualTypeOf<'cache'>();
    expect(nodeRedisPool({ url: 'redis://cache' })).not.toHaveProperty('name');
  });

  it('have the scripts, modules and protocol of a client of node-redis', () => {
    const add = defineScript({
      SCRIPT: 'return ARGV[1] + 1',
      NUMBER_OF_KEYS: 0,
      parseCommand: (parser, by: number) => void parser.push(String(by)),
      transformReply: (reply: unknown) => Number(reply),
    });
    const options = nodeRedisPool({ scripts: { add }, RESP: 2 });
    type Client = Awaited<ReturnType<typeof options.factory.create>>;
    expect(options.factory.create).toBeInstanceOf(Function);
    expectTypeOf<ReturnType<Client['add']>>().resolves.toEqualTypeOf<number>();
    expectTypeOf<Parameters<Client['add']>>().toEqualTypeOf<[by: number]>();
    // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- it is the library's
    expectTypeOf<Client>().toExtend<RedisClientType<{}, {}, { add: typeof add }, 2>>();
  });
});
