import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { LocalMariadb } from 'local-mariadb';
import type { RowDataPacket } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { KeyedPool, Pool } from '../../../src/engine/index.js';
import { keyedMysqlPool, mysqlPool, type MysqlPoolOptions } from '../../../src/resources/mysql.js';
import { failureOf } from '../../support/follow.js';
import { MariadbWatch, describeWithMariadb, launchMariadb } from '../../support/mariadb.js';

async function value(connection: Connection, text: string): Promise<unknown> {
  const [rows] = await connection.query<RowDataPacket[]>({ sql: text, rowsAsArray: true });
  return (rows[0] as unknown as unknown[] | undefined)?.[0];
}

describeWithMariadb('hooks of a pool of MariaDB connections', () => {
  let server: LocalMariadb;
  let watch: MariadbWatch;

  beforeAll(async () => {
    server = await launchMariadb();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await MariadbWatch.open(server);
  });
  afterEach(() => watch[Symbol.asyncDispose]());

  const poolOf = (options: MysqlPoolOptions): Pool<Connection> =>
    new Pool(mysqlPool({ ...watch.config, max: 1, ...options }));

  it('what onCreate sets is there for every borrower, and is done again only after a reset', async () => {
    let calls = 0;
    await using pool = poolOf({
      onCreate: async connection => {
        calls++;
        await connection.query('set session max_statement_time = 7');
      },
    });
    const seen = (connection: Connection): Promise<unknown> =>
      value(connection, 'select @@max_statement_time');
    for (let i = 0; i < 3; i++) expect(await pool.use(seen)).toBe(7);
    expect(calls).toBe(1);
    await pool.use(connection => connection.query('set session max_statement_time = 9'));
    expect(await pool.use(seen)).toBe(7);
    expect(calls).toBe(2);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('a user variable of onCreate is there for every borrower, each of whom costs a reset by reading it', async () => {
    let calls = 0;
    await using pool = poolOf({
      onCreate: connection => connection.query('set @region = ?', [`region ${++calls}`]),
    });
    for (const call of [1, 2, 3]) {
      expect(await pool.use(connection => value(connection, 'select @region'))).toBe(`region ${call}`);
    }
    for (const text of ["select 'a@b.example'", 'select @@autocommit']) {
      await pool.use(connection => value(connection, text));
    }
    const lease = await pool.acquire();
    lease.release();
    await lease.finished;
    expect(calls).toBe(4);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('what onBorrow sets is for its borrower alone, and onReturn sees how that has ended', async () => {
    let tenant: string | undefined = 'red';
    const outcomes: string[] = [];
    await using pool = poolOf({
      onBorrow: async connection => {
        if (tenant) await connection.query('set @tenant = ?', [tenant]);
      },
      onReturn: async (connection, outcome) => {
        outcomes.push(`${String(await value(connection, 'select @tenant'))} ${outcome}`);
      },
    });
    expect(await pool.use(connection => value(connection, 'select @tenant'))).toBe('red');
    tenant = undefined;
    await failureOf(pool.use(connection => connection.query('select nothing')));
    expect(await pool.use(connection => value(connection, 'select @tenant'))).toBeNull();
    const lease = await pool.acquire();
    lease.release();
    await lease.finished;
    expect(outcomes).toEqual(['red success', 'null error', 'null success', 'null success']);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('a transaction that onCreate leaves open fails it', async () => {
    await using pool = poolOf({ unavailableAfter: 1, onCreate: connection => connection.beginTransaction() });
    expect(await failureOf(pool.acquire())).toMatchObject({
      cause: { message: 'onCreate has left a transaction open' },
    });
  });

  it('are called on their options, and told the key', async () => {
    const seen: unknown[] = [];
    await using pools = new KeyedPool(
      keyedMysqlPool({
        ...watch.config,
        name: 'tenants',
        maxTotal: 2,
        connection: (_: string) => ({}),
        onBorrow(this: { name?: string }, _connection, { key }) {
          seen.push([this.name, key]);
        },
      }),
    );
    await pools.use('red', () => undefined);
    expect(seen).toEqual([['tenants', 'red']]);
  });
});
