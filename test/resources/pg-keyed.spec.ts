import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { KeyedPool, PoolOptionsError } from '../../src/engine/index.js';
import { keyedPgPool } from '../../src/resources/pg.js';
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
afterEach(() => watch[Symbol.asyncDispose]());

const schemaOf = async (client: Client): Promise<string> => {
  const { rows } = await client.query<{ search_path: string }>('show search_path');
  return rows[0]!.search_path;
};

describe('a pool of PostgreSQL connections by key', () => {
  const tenants = (more: object = {}): KeyedPool<string, Client> =>
    new KeyedPool(
      keyedPgPool({
        name: 'tenants',
        maxTotal: 3,
        max: 2,
        ...watch.config,
        connection: (tenant: string) => ({ options: `-c search_path=${tenant}` }),
        ...more,
      }),
    );

  it('connects for each key as that key says, and as all do otherwise', async () => {
    await using pool = tenants();
    expectTypeOf(pool).toEqualTypeOf<KeyedPool<string, Client>>();
    expect(await pool.use('red', schemaOf)).toBe('red');
    expect(await pool.use('blue', schemaOf)).toBe('blue');
    await watch.untilBackends(2);
  });

  it('lends nothing that another key or another borrower has left behind', async () => {
    await using pool = tenants({ max: 1 });
    await pool.use('red', client => client.query("set search_path to stolen; set app.name to 'mallory'"));
    const left = (client: Client) => client.query("select current_setting('app.name', true) as name");
    expect((await pool.use('red', left)).rows).toEqual([{ name: '' }]);
    expect(await pool.use('red', schemaOf)).toBe('red');
    expect((await pool.use('blue', left)).rows).toEqual([{ name: null }]);
    expect(pool.stats('red')?.totals.created).toBe(1);
  });

  it('has no more connections on the server than its total', async () => {
    await using pool = tenants();
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'a', 'b'];
    let most = 0;
    await Promise.all(
      keys.map(key =>
        pool.use(key, async client => {
          await client.query('select 1');
          most = Math.max(most, (await watch.backends()).length);
        }),
      ),
    );
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
  });

  it('fails for the key that cannot connect, and for no other', async () => {
    await using pool = tenants({
      connection: (database: string) => ({ connectionString: watch.url.replace(/[^/]*$/, database) }),
      unavailableAfter: 1,
      createBackoff: { initial: 600_000, max: 600_000 },
    });
    await expect(pool.use('nowhere', schemaOf)).rejects.toThrow(/does not exist/);
    expect(await pool.use('postgres', schemaOf)).toBe('"$user", public');
  });

  it('says so when pg would take no notice of what a key has of its own', async () => {
    await using pool = tenants({ connection: (database: string) => ({ database }) });
    await expect(pool.use('red', schemaOf)).rejects.toThrow(
      /Pool "tenants": option "connection" has returned "database", but pg goes by the pool's connectionString/,
    );
    expect(pool.stats().totals.createFailed).toBe(1);
  });

  it.each(['options=-c%20statement_timeout%3D5s', 'a=b&options=x'])(
    'says so also when it is the query of the connection string that would win: %s',
    async query => {
      await using pool = tenants({ connectionString: `${watch.url}?${query}` });
      await expect(pool.use('red', schemaOf)).rejects.toThrow(/has returned "options", but pg goes by/);
    },
  );

  it('shows no password when its options are logged', () => {
    const options = keyedPgPool({
      maxTotal: 1,
      password: 'hunter2',
      connection: () => ({ password: 'hunter3' }),
    });
    expect(inspect(options, { depth: 9, showHidden: true })).not.toContain('hunter');
    expect(JSON.stringify(options)).not.toContain('hunter');
  });

  it('refuses a connection that is no function, at once', () => {
    const make = (): unknown =>
      keyedPgPool({ name: 'x', maxTotal: 1, connection: 'postgres://u:hunter2@h' as never });
    expect(make).toThrow(PoolOptionsError);
    expect(make).toThrow('Pool "x": option "connection" is a string; it must be a function from a key');
  });
});
