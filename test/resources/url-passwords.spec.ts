import { describe, expect, it } from '@jest/globals';
import { PoolOptionsError } from '../../src/engine/index.js';
import { keyedMysqlPool, mysqlPool } from '../../src/resources/mysql.js';
import { keyedPgPool, pgPool } from '../../src/resources/pg.js';
import { ioredisPool, nodeRedisPool } from '../../src/resources/redis.js';

const FACTORIES = [
  ['pgPool', 'postgres', (url: string) => pgPool({ name: 'shop', connectionString: url })],
  ['mysqlPool', 'mysql', (url: string) => mysqlPool({ name: 'shop', uri: url })],
  ['ioredisPool', 'redis', (url: string) => ioredisPool({ name: 'shop', url })],
  ['nodeRedisPool', 'redis', (url: string) => nodeRedisPool({ name: 'shop', url })],
] as const;

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

const PASSWORDS = ['S3c@ret#Pw', 'S3c#ret', '12/ret', 'S3c@ret/Pw', '12?ret', 'S3c@ret?Pw', '12?r=et#Pw'];

describe.each(FACTORIES)('a URL that is given to %s', (_, scheme, make) => {
  it.each(PASSWORDS)(
    'is refused with a password that is not escaped, %s, and nothing of it is told',
    password => {
      const error = thrownBy(() => make(`${scheme}://user:${password}@host/0`));
      expect(error).toBeInstanceOf(PoolOptionsError);
      expect((error as Error).message).toContain('encodeURIComponent');
      expect(JSON.stringify([String(error), error, (error as Error).cause])).not.toMatch(
        /S3c|ret"|12[/?]|Pw/,
      );
    },
  );

  it.each([...PASSWORDS, 'a@b', 'a:b'])('is taken with one that is escaped: %s', password => {
    expect(() => make(`${scheme}://user:${encodeURIComponent(password)}@host/0`)).not.toThrow();
  });

  it.each(['user:a@b@host/0', 'host/0', 'host:4000', 'user:pw@[::1]:4000/0', ':pw@host'])(
    'is taken: %s',
    rest => {
      expect(() => make(`${scheme}://${rest}`)).not.toThrow();
    },
  );
});

describe('a URL that has an "@" elsewhere', () => {
  it('is taken where that is in a value of the query', () => {
    expect(() => pgPool({ connectionString: 'postgres://host/db?user=me@there&x=y' })).not.toThrow();
  });

  it('is taken where it names a socket', () => {
    expect(() => ioredisPool({ url: 'unix:///run/a@b.sock' })).not.toThrow();
  });
});

describe('a URL for a key', () => {
  const url = (scheme: string) => `${scheme}://user:S3c#ret@host/db`;
  it.each([
    [
      'keyedPgPool',
      keyedPgPool({ maxTotal: 1, connection: () => ({ connectionString: url('postgres') }) }).factory,
    ],
    ['keyedMysqlPool', keyedMysqlPool({ maxTotal: 1, connection: () => ({ uri: url('mysql') }) }).factory],
  ])('is refused by %s before it connects', async (_, factory) => {
    const context = { key: 'one', signal: new AbortController().signal, invalidate: () => undefined };
    await expect((async () => factory.create(context as never))()).rejects.toThrow(/encodeURIComponent/);
  });
});
