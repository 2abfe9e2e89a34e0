import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { KeyedPool, Pool } from '../../src/engine/index.js';
import { keyedPgPool, pgPool, type PgPoolOptions } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;
let watch: PostgresWatch;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
});
afterEach(async () => {
  delete process.env.PGAPPNAME;
  await watch[Symbol.asyncDispose]();
});

const one = (options: PgPoolOptions): Pool<Client> =>
  new Pool(pgPool({ connectionString: server.url, max: 1, ...options }));
const only = async (client: Client, text: string): Promise<unknown> =>
  Object.values((await client.query<Record<string, unknown>>(text)).rows[0]!)[0];

describe('what pg takes', () => {
  it.each<[string, PgPoolOptions, string, unknown]>([
    ['statement_timeout', { statement_timeout: 7_000 }, 'show statement_timeout', '7s'],
    ['lock_timeout', { lock_timeout: 6_000 }, 'show lock_timeout', '6s'],
    [
      'idle_in_transaction_session_timeout',
      { idle_in_transaction_session_timeout: 5_000 },
      'show idle_in_transaction_session_timeout',
      '5s',
    ],
    ['options', { options: '-c work_mem=5MB -c TimeZone=Asia/Tokyo' }, 'show TimeZone', 'Asia/Tokyo'],
    ['application_name', { name: 'pool', application_name: 'mine' }, 'show application_name', 'mine'],
  ])('reaches the server, and outlives the resets: %s', async (_option, options, text, expected) => {
    await using pool = one(options);
    expect(await pool.use(client => only(client, text))).toBe(expected);
    await pool.use(async client => {
      await client.query(text.replace('show', 'reset'));
      await client.query(
        "set statement_timeout = 9876; set lock_timeout = 9876; set application_name = 'x'; discard plans",
      );
      await client
        .query("set idle_in_transaction_session_timeout = 1; set TimeZone = 'UTC'")
        .catch(() => undefined);
    });
    expect(await pool.use(client => only(client, text))).toBe(expected);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('types has its own parsers', async () => {
    const types = {
      getTypeParser: (oid: number) => (text: string) => `${oid}:${text}`,
    };
    await using pool = one({ types: types });
    expect(await pool.use(client => only(client, 'select 42'))).toBe('23:42');
  });

  it.each<[string, PgPoolOptions['password']]>([
    ['a text', 'hunter2'],
    ['a function', () => 'hunter2'],
    ['an asynchronous function', () => Promise.resolve('hunter2')],
  ])('password can be %s, and is asked for each connection', async (_what, password) => {
    let asked = 0;
    await using guarded = await passwordServer();
    await using pool = one({
      connectionString: `postgres://guest@127.0.0.1:${guarded.port}/postgres`,
      unavailableAfter: 2,
      password: typeof password === 'function' ? () => (asked++, password()) : password,
    });
    await failureOf(pool.acquire());
    expect(guarded.passwords).toEqual(['hunter2', 'hunter2']);
    expect(asked).toBe(typeof password === 'function' ? 2 : 0);
  });

  it('a password in the connection string wins over one beside it', async () => {
    await using guarded = await passwordServer();
    await using pool = one({
      connectionString: `postgres://guest:hunter3@127.0.0.1:${guarded.port}/postgres`,
      unavailableAfter: 1,
      password: 'hunter2',
    });
    await failureOf(pool.acquire());
    expect(guarded.passwords).toEqual(['hunter3']);
  });

  it('a password that cannot be had fails the create, and says so', async () => {
    await using guarded = await passwordServer();
    await using pool = one({
      connectionString: `postgres://guest@127.0.0.1:${guarded.port}/postgres`,
      unavailableAfter: 1,
      password: () => Promise.reject(new Error('the vault is sealed')),
    });
    expect(await failureOf(pool.acquire())).toMatchObject({
      message: expect.stringContaining('the vault is sealed'),
    });
    expect(guarded.passwords).toEqual([]);
  });

  it('query_timeout fails the query, and costs no connection', async () => {
    await using pool = one({ query_timeout: 500 });
    await expect(pool.use(client => client.query('select pg_sleep(60)'))).rejects.toThrow(
      'Query read timeout',
    );
    expect(await pool.use(client => only(client, 'select 1'))).toBe(1);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('client_encoding is what pg reads texts in', async () => {
    await using pool = one({ client_encoding: 'utf8' });
    expect(await pool.use(client => only(client, `select 'größer' as text`))).toBe('größer');
    expect(
      await pool.use(
        async client => (client as unknown as { connectionParameters: unknown }).connectionParameters,
      ),
    ).toMatchObject({ client_encoding: 'utf8' });
  });
});

describe('a statement that takes too long', () => {
  it.each<[string, PgPoolOptions, string, string]>([
    ['statement_timeout', { statement_timeout: 200 }, 'select pg_sleep(60)', '57014'],
    ['lock_timeout', { lock_timeout: 200 }, 'lock table locked', '55P03'],
  ])('by %s fails, and costs no connection', async (_option, options, text, code) => {
    await watch.sql('create table if not exists locked (n int)');
    await watch.sql('begin');
    await watch.sql('lock table locked');
    try {
      await using pool = one({ ...options, recycleOnFatal: true });
      for (let i = 0; i < 2; i++) {
        const work = async (client: Client): Promise<void> => {
          await client.query('begin');
          await client.query(text);
        };
        expect(await failureOf(pool.use(work))).toMatchObject({ code });
      }
      expect(await pool.use(client => only(client, 'select 1'))).toBe(1);
      expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
    } finally {
      await watch.sql('rollback');
    }
  });
});

describe('the name of a pool', () => {
  const nameSeen = async (pool: Pool<Client>): Promise<unknown> => {
    const pid = await pool.use(client => only(client, 'select pg_backend_pid()'));
    const [row] = await watch.sql<{ application_name: string }>(
      'select application_name from pg_stat_activity where pid = $1',
      [pid],
    );
    return row!.application_name;
  };

  it.each<[string, PgPoolOptions, string]>([
    ['that of the pool', {}, 'orders'],
    ['its own', { application_name: 'mine' }, 'mine'],
    ['its own, if there is no better', { fallback_application_name: 'mine' }, 'mine'],
    [
      'with what the server would not take',
      { name: 'Größe\0options\0-c work_mem=5MB\n' },
      'Gr??e?options?-c work_mem=5MB?',
    ],
    ['as long as the server has them', { name: 'x'.repeat(99) }, 'x'.repeat(63)],
  ])('is seen at the server: %s', async (_what, options, expected) => {
    await using pool = one({ name: 'orders', ...options });
    expect(await nameSeen(pool)).toBe(expected);
    expect(await pool.use(client => only(client, 'show work_mem'))).toBe('4MB');
  });

  it('gives way to that of the connection string, and to that of the environment', async () => {
    await using ofUrl = one({ name: 'orders', connectionString: `${server.url}?application_name=of-url` });
    expect(await nameSeen(ofUrl)).toBe('of-url');
    process.env.PGAPPNAME = 'of-env';
    await using ofEnvironment = one({ name: 'orders' });
    expect(await nameSeen(ofEnvironment)).toBe('of-env');
  });

  it('is not there when nobody has given one', async () => {
    await using pool = one({});
    expect(await nameSeen(pool)).toBe('');
  });

  it('is that of a keyed pool too, and its keys are not told', async () => {
    await using tenants = new KeyedPool(
      keyedPgPool({
        ...{ name: 'tenants', connectionString: server.url, maxTotal: 2 },
        connection: (key: string) => (key === 'chosen' ? { application_name: 'tenant chosen' } : {}),
      }),
    );
    const names = ['secret', 'chosen'].map(key =>
      tenants.use(key, client => only(client, 'show application_name')),
    );
    expect(await Promise.all(names)).toEqual(['tenants', 'tenant chosen']);
  });

  it('comes back when a borrower has changed it', async () => {
    await using pool = one({ name: 'orders' });
    await pool.use(client => client.query("set application_name = 'mine'"));
    expect(await nameSeen(pool)).toBe('orders');
  });
});

/** A server that asks for a password in plain text, notes it, and refuses it. */
async function passwordServer(): Promise<{ port: number; passwords: string[] } & AsyncDisposable> {
  const passwords: string[] = [];
  const listener = createServer(socket => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write('R\0\0\0\x08\0\0\0\x03');
      socket.once('data', answer => {
        passwords.push(answer.subarray(5, -1).toString());
        socket.end();
      });
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    passwords,
    async [Symbol.asyncDispose]() {
      listener.close();
      await once(listener, 'close');
    },
  };
}
