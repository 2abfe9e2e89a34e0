import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { inspect } from 'node:util';
import { KeyedPool, Pool } from '../../../src/engine/index.js';
import { HttpSessionModule, getHttpToken } from '../../../src/http/index.js';
import { HttpSession, PooledAgent, type HttpSessionOptions } from '../../../src/resources/http.js';
import { keyedMysqlPool, mysqlPool } from '../../../src/resources/mysql.js';
import { keyedPgPool, pgPool } from '../../../src/resources/pg.js';
import { ioredisPool, nodeRedisPool } from '../../../src/resources/redis.js';

const USER = 'quentin';
const PASSWORD = 'hunter2';
const login = `${USER}:${PASSWORD}`;

const POSTGRES = { system: 'postgresql', namespace: 'shop', host: 'db.example', port: 5433 };
const MYSQL = { system: 'mysql', namespace: 'shop', host: 'db.example', port: 3307 };
const SERVER = { host: 'api.example', port: 443 };
const REDIS = { system: 'redis', namespace: '3', host: 'cache.example', port: 6380 };

describe('the target of a pool is where its connections go to, and nothing of the login', () => {
  const pg = (options: Parameters<typeof pgPool>[0]) => new Pool(pgPool(options)).target;
  const mysql = (options: Parameters<typeof mysqlPool>[0]) => new Pool(mysqlPool(options)).target;
  const ioredis = (options: Parameters<typeof ioredisPool>[0]) => new Pool(ioredisPool(options)).target;
  const nodeRedis = (options: Parameters<typeof nodeRedisPool>[0]) => new Pool(nodeRedisPool(options)).target;

  const http = (options: HttpSessionOptions) => new HttpSession(options).pool.target;

  it.each([
    ['pg, a URL', pg({ connectionString: `postgres://${login}@db.example:5433/shop` }), POSTGRES],
    [
      'pg, its parts',
      pg({ host: 'db.example', port: 5433, database: 'shop', user: USER, password: PASSWORD }),
      POSTGRES,
    ],
    [
      'pg, a socket',
      pg({ host: '/run/pg', database: 'shop', password: PASSWORD }),
      { system: 'postgresql', namespace: 'shop', host: '/run/pg' },
    ],
    [
      'pg, several hosts',
      pg({ connectionString: `postgres://${login}@a:1,b:2/shop` }),
      { system: 'postgresql', namespace: 'shop' },
    ],
    [
      'pg, one host of a list',
      pg({ hosts: ['db.example:5433'], database: 'shop', user: USER, password: PASSWORD }),
      POSTGRES,
    ],
    ['mysql, a URL', mysql({ uri: `mysql://${login}@db.example:3307/shop` }), MYSQL],
    [
      'mysql, a URL of MariaDB',
      mysql({ uri: `mariadb://${login}@db.example:3307/shop` }),
      { ...MYSQL, system: 'mariadb' },
    ],
    [
      'mysql, its parts',
      mysql({ host: 'db.example', port: 3307, database: 'shop', user: USER, password: PASSWORD }),
      MYSQL,
    ],
    [
      'mysql, a socket',
      mysql({ socketPath: '/run/mysql.sock', user: USER, password: PASSWORD }),
      { system: 'mysql', namespace: undefined, host: '/run/mysql.sock' },
    ],
    [
      'mysql, sockets of somebody else',
      mysql({ stream: () => undefined, user: USER, password: PASSWORD }),
      { system: 'mysql', namespace: undefined },
    ],
    [
      'mysql, nothing where there is no database',
      mysql({ host: 'db.example', database: null as never }),
      { system: 'mysql', host: 'db.example', port: 3306 },
    ],
    [
      'pg, parts that are not what they should be',
      pg({ host: 'db.example', port: 'x' as never, database: 5 as never }),
      { system: 'postgresql', namespace: '5', host: 'db.example' },
    ],
    [
      'pg, an address of IPv6',
      pg({ connectionString: 'postgres://[::1]:5433/shop' }),
      { ...POSTGRES, host: '::1' },
    ],
    ['ioredis, a URL', ioredis({ url: `redis://${login}@cache.example:6380/3` }), REDIS],
    [
      'ioredis, its parts',
      ioredis({ host: 'cache.example', port: 6380, db: 3, username: USER, password: PASSWORD }),
      REDIS,
    ],
    [
      'ioredis, nothing said',
      ioredis({}),
      { system: 'redis', namespace: '0', host: 'localhost', port: 6379 },
    ],
    [
      'ioredis, a socket',
      ioredis({ url: '/run/redis.sock?db=3', password: PASSWORD }),
      { system: 'redis', namespace: '3', host: '/run/redis.sock' },
    ],
    [
      'ioredis, a database in the options, which the URL leaves out',
      ioredis({ url: `redis://${login}@cache.example:6380`, db: 3 }),
      REDIS,
    ],
    [
      'ioredis, Sentinels',
      ioredis({
        sentinels: [{ host: 's1', port: 1 }],
        masterName: 'm',
        password: PASSWORD,
        sentinelPassword: 'x',
      }),
      { system: 'redis', namespace: '0' },
    ],
    ['node-redis, a URL', nodeRedis({ url: `rediss://${login}@cache.example:6380/3` }), REDIS],
    [
      'node-redis, its parts',
      nodeRedis({
        socket: { host: 'cache.example', port: 6380 },
        database: 3,
        username: USER,
        password: PASSWORD,
      }),
      REDIS,
    ],
    [
      'node-redis, a socket',
      nodeRedis({ url: `unix://${login}@/run/redis.sock?db=3` }),
      { system: 'redis', namespace: '3', host: '/run/redis.sock' },
    ],
    [
      'keyed pg',
      new KeyedPool(keyedPgPool(keyed({ connectionString: 'postgres://db' }))).target,
      {
        system: 'postgresql',
      },
    ],
    ['keyed mysql', new KeyedPool(keyedMysqlPool(keyed({ uri: 'mysql://db' }))).target, { system: 'mysql' }],
    // Connections to any origin.
    ['an agent', new PooledAgent().pool.target, undefined],
    ['an agent that is told', new PooledAgent({ target: SERVER }).pool.target, SERVER],
    [
      'a session',
      http({ baseUrl: 'https://api.example:8443/orders/7' }),
      { host: 'api.example', port: 8_443 },
    ],
    ['a session, the port of https', http({ baseUrl: new URL('https://api.example/@scope') }), SERVER],
    ['a session, the port of http', http({ baseUrl: 'http://[::1]' }), { host: '::1', port: 80 }],
    ['a session that is told', http({ baseUrl: 'https://proxy.example', target: SERVER }), SERVER],
    ['a session without a base URL', http({}), undefined],
  ])('%s', (_, target, expected) => {
    expect(target).toEqual(expected);
    expect(inspect(target)).not.toMatch(new RegExp(`${USER}|${PASSWORD}`));
  });

  it('stays with a factory that somebody takes apart', () => {
    const { factory } = pgPool({ connectionString: `postgres://${login}@db.example:5433/shop` });
    const pool = new Pool({ factory: { ...factory, create: factory.create } });
    expect(pool.target).toEqual(POSTGRES);
    expect(inspect(factory, { depth: 9, getters: true })).not.toContain(PASSWORD);
  });

  it.each([
    [{ baseUrl: 'https://api.example/orders' }, SERVER],
    [{}, undefined],
  ])('of a session of HttpSessionModule is that of its base URL: %j', async (options, expected) => {
    const app = await Test.createTestingModule({
      imports: [HttpSessionModule.forRoot({ sessions: [{ name: 'api', ...options }] })],
    }).compile();
    expect(app.get<HttpSession>(getHttpToken('api')).pool.target).toEqual(expected);
    await app.close();
  });

  it('must be one, where an agent is told', () => {
    expect(() => new PooledAgent({ target: { port: '443' } as never })).toThrow(
      /option "target" is an object; it must be \{ system\?, namespace\?, host\?, port\? \}/,
    );
  });

  it('is no reason for a pool not to be made: who connects is told that a URL is none', () => {
    expect(pg({ connectionString: 'postgres://[' })).toBeUndefined();
  });
});

function keyed<C extends object>(common: C) {
  return {
    ...common,
    maxTotal: 5,
    connection: (key: string) => ({ database: key, user: USER, password: PASSWORD }),
  };
}
