import { tracingChannel } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql as drizzleSql } from 'drizzle-orm';
import { int, mysqlTable, varchar } from 'drizzle-orm/mysql-core';
import { drizzle } from 'drizzle-orm/mysql2';
import knexOf from 'knex';
import { Kysely, MysqlDialect, sql as kyselySql } from 'kysely';
import type { LocalMariadb } from 'local-mariadb';
import mysql, { type Pool as CorePool, type PoolConnection, type RowDataPacket } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { DataSource, EntitySchema } from 'typeorm';
import { LeaseReleasedError, Pool, PoolOptionsError } from '../../../src/engine/index.js';
import { mysqlFacade, mysqlPool, type MysqlPoolOptions } from '../../../src/resources/mysql.js';
import { failureOf } from '../../support/follow.js';
import { MariadbWatch, describeWithMariadb, launchMariadb } from '../../support/mariadb.js';
import { until } from '../../support/until.js';

describeWithMariadb('a pool of mysql2 over a pool', () => {
  let server: LocalMariadb;
  let watch: MariadbWatch;
  let pool: Pool<Connection>;
  let facade: CorePool;

  beforeAll(async () => {
    server = await launchMariadb();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await MariadbWatch.open(server);
    await watch.sql(
      'create or replace table users (id int primary key auto_increment, name varchar(50) unique)',
    );
    open({ max: 2 });
  });
  afterEach(async () => {
    await pool.close({ timeout: 0 });
    await watch.untilSessions(0);
    await watch[Symbol.asyncDispose]();
  });

  function open(options: Partial<MysqlPoolOptions>): void {
    pool = new Pool(mysqlPool({ ...watch.config, ...options }));
    facade = mysqlFacade(pool);
  }

  const borrow = (): Promise<PoolConnection> =>
    new Promise((resolve, reject) =>
      facade.getConnection((error, connection) => {
        if (error) reject(error);
        else resolve(connection);
      }),
    );
  const atRest = (): Promise<unknown> =>
    until(
      () => pool.stats(),
      ({ leased, resetting }) => leased === 0 && resetting === 0,
    );

  describe('by itself', () => {
    it('is one of mysql2, with its forms of query and execute', async () => {
      expect(facade).toBeInstanceOf((mysql as unknown as { Pool: new () => object }).Pool);
      const promise = facade.promise();
      expect((await promise.query('select ? as n', [1]))[0]).toEqual([{ n: 1 }]);
      expect((await promise.execute('select ? as n', ['a']))[0]).toEqual([{ n: 'a' }]);
      expect(
        await new Promise((resolve, reject) =>
          facade.query('select 1 as n', (error, rows) => {
            if (error) reject(error);
            else resolve(rows);
          }),
        ),
      ).toEqual([{ n: 1 }]);
      expect(await facade.query('select seq from seq_1_to_3').stream().toArray()).toEqual([
        { seq: 1 },
        { seq: 2 },
        { seq: 3 },
      ]);
      expect(await failureOf(promise.query('select nothing'))).toMatchObject({ code: 'ER_BAD_FIELD_ERROR' });
      await atRest();
      expect(pool.stats().totals.destroyed).toBe(0);
    });

    it('lends the same object for the same session, and another after a reset', async () => {
      const first = await borrow();
      first.release();
      const second = await borrow();
      expect(second).toBe(first);
      await second.promise().query('set @x = 1');
      second.release();
      await atRest();
      const third = await borrow();
      expect(third).not.toBe(first);
      expect(third.threadId).toBe(first.threadId);
      expect((await third.promise().query('select @x as x'))[0]).toEqual([{ x: null }]);
      third.release();
    });

    it('does again what is done with each new connection, at no cost as long as nobody changes the session', async () => {
      let seen = 0;
      facade.on('connection', connection => {
        seen++;
        connection.query('set session max_statement_time = 5');
      });
      const time = async (): Promise<unknown> =>
        (await facade.promise().query<RowDataPacket[]>('select @@max_statement_time as t'))[0][0]?.t;
      for (let i = 0; i < 3; i++) expect(await time()).toBe(5);
      expect(seen).toBe(1);
      const connection = await borrow();
      await connection.promise().query('set session max_statement_time = 9');
      connection.release();
      await atRest();
      for (let i = 0; i < 3; i++) expect(await time()).toBe(5);
      expect(seen).toBe(2);
    });

    it('tells of what happens, and counts nobody twice', async () => {
      const told: string[] = [];
      for (const event of ['connection', 'acquire', 'release', 'enqueue'] as const) {
        facade.on(event as 'enqueue', () => told.push(event));
      }
      const both = [await borrow(), await borrow()];
      const waiting = borrow();
      both[0]!.release();
      both[0]!.release();
      (await waiting).release();
      both[1]!.release();
      expect(told).toEqual([
        ...['connection', 'acquire', 'connection', 'acquire'],
        ...['enqueue', 'release', 'acquire', 'release', 'release'],
      ]);
      expect(pool.stats().totals.created).toBe(2);
    });

    it('is traced as one of mysql2', async () => {
      const seen: unknown[] = [];
      const channel = tracingChannel<unknown, object>('mysql2:pool:connect');
      const subscriber = {
        start: (context: object) => seen.push(context),
        end: () => {},
        asyncStart: () => {},
        asyncEnd: () => {},
        error: () => {},
      };
      channel.subscribe(subscriber);
      try {
        await facade.promise().query('select 1');
        await facade.promise().query('select 1');
      } finally {
        channel.unsubscribe(subscriber);
      }
      expect(seen[1]).toMatchObject({ serverPort: server.port, database: 'test' });
      expect(inspect(facade.config, { depth: 5 })).not.toMatch(/password: '|secret/);
    });

    it('goes by the settings of its connections', async () => {
      await pool.close();
      open({ rowsAsArray: true, namedPlaceholders: true, timezone: 'Z' });
      expect((await facade.promise().query('select :n as n', { n: 1 }))[0]).toEqual([[1]]);
      expect((await facade.promise().query({ sql: 'select 1 as n', rowsAsArray: false }))[0]).toEqual([
        { n: 1 },
      ]);
      expect(facade.format('select ?', [new Date(0)])).toBe(`select '1970-01-01 00:00:00.000'`);
    });

    it('ends without the pool, or with it', async () => {
      await facade.promise().end();
      expect(await failureOf(borrow())).toMatchObject({ message: 'Pool is closed.' });
      expect((await pool.use(connection => connection.query('select 1 as n')))[0]).toEqual([{ n: 1 }]);
      await mysqlFacade(pool, { end: 'close' }).promise().end();
      expect(pool.stats().state).toBe('closed');
      expect(() => mysqlFacade(pool, { end: 'maybe' as never })).toThrow(PoolOptionsError);
    });

    it('refuses a use after the release, and does not send it', async () => {
      const connection = await borrow();
      connection.release();
      expect(
        await failureOf(connection.promise().query(`insert into users values (1, 'late')`)),
      ).toBeInstanceOf(LeaseReleasedError);
      connection.destroy();
      connection.end();
      expect(await watch.sql('select * from users')).toEqual([]);
      expect((await facade.promise().query('select 1 as n'))[0]).toEqual([{ n: 1 }]);
      expect(pool.stats().totals.destroyed).toBe(0);
    });

    it('takes a connection back whose socket has closed, also when nobody gives it back', async () => {
      await pool.close();
      open({ max: 1 });
      const lost = await borrow();
      lost.on('error', () => undefined);
      await watch.kill(lost.threadId);
      expect((await facade.promise().query('select 1 as n'))[0]).toEqual([{ n: 1 }]);
      // Who still has it is told what has happened to it, and not that it was used for too long.
      expect(await failureOf(lost.promise().query('commit'))).toMatchObject({
        code: 'PROTOCOL_CONNECTION_LOST',
        fatal: true,
      });
      lost.release();
    });

    it('destroys what is to be destroyed', async () => {
      const connection = await borrow();
      connection.destroy();
      await until(
        () => pool.stats().totals.destroyed,
        destroyed => destroyed === 1,
      );
    });

    it('keeps the listeners that were added for the life of a connection', async () => {
      const heard: unknown[] = [];
      facade.on('connection', connection => {
        connection.on('error', error => heard.push(error));
        connection.on('end', () => heard.push('end'));
      });
      (await borrow()).release();
      const connection = await borrow();
      await watch.kill(connection.threadId);
      await until(
        () => heard.length,
        length => length > 0,
      );
    });

    it('does not add up listeners over many resets', async () => {
      const warnings: unknown[] = [];
      const listen = (warning: unknown): void => void warnings.push(warning);
      process.on('warning', listen);
      for (let i = 0; i < 30; i++) {
        const connection = await borrow();
        await connection.promise().query('set @x = 1');
        connection.release();
        await atRest();
      }
      await new Promise(resolve => setImmediate(resolve));
      process.off('warning', listen);
      expect(warnings).toEqual([]);
    });
  });

  it('serves Kysely', async () => {
    interface Database {
      users: { id?: number; name: string };
    }
    let prepared = 0;
    const db = new Kysely<Database>({
      dialect: new MysqlDialect({
        pool: facade,
        onCreateConnection: () => {
          prepared++;
          return Promise.resolve();
        },
      }),
    });
    await db.insertInto('users').values({ name: 'Ada' }).execute();
    await db.transaction().execute(async trx => {
      await trx.insertInto('users').values({ name: 'Grace' }).execute();
    });
    const failed = db.transaction().execute(async trx => {
      await trx.insertInto('users').values({ name: 'Edsger' }).execute();
      await trx.insertInto('users').values({ name: 'Ada' }).execute();
    });
    expect(await failureOf(failed)).toMatchObject({ code: 'ER_DUP_ENTRY' });
    await atRest();
    expect(await db.selectFrom('users').select('name').orderBy('name').execute()).toEqual([
      { name: 'Ada' },
      { name: 'Grace' },
    ]);
    const streamed: unknown[] = [];
    for await (const row of db.selectFrom('users').select('name').orderBy('name').stream())
      streamed.push(row);
    expect(streamed).toHaveLength(2);
    await db.connection().execute(one => kyselySql`select 1`.execute(one));
    await atRest();
    expect(prepared).toBeGreaterThan(0);
    await db.destroy();
    expect(pool.stats()).toMatchObject({ state: 'ready', leased: 0 });
  });

  it('serves Drizzle, whose iterator ends a connection to give it back', async () => {
    const users = mysqlTable('users', {
      id: int().primaryKey().autoincrement(),
      name: varchar({ length: 50 }),
    });
    const db = drizzle({ client: facade });
    await db.insert(users).values({ name: 'Ada' });
    await db.transaction(async tx => {
      await tx.insert(users).values({ name: 'Grace' });
    });
    const failed = db.transaction(async tx => {
      await tx.insert(users).values({ name: 'Edsger' });
      tx.rollback();
    });
    await failureOf(failed);
    await atRest();
    expect(await db.select({ name: users.name }).from(users).orderBy(users.name)).toEqual([
      { name: 'Ada' },
      { name: 'Grace' },
    ]);
    const iterated: unknown[] = [];
    const rows = db.select({ name: users.name }).from(users).prepare().iterator();
    for await (const row of rows) iterated.push(row);
    expect(iterated).toHaveLength(2);
    expect((await db.execute(drizzleSql`select 1 as n`))[0]).toEqual([{ n: 1 }]);
    await atRest();
    expect(pool.stats()).toMatchObject({ leased: 0, totals: { destroyed: 0 } });
  });

  it('serves knex', async () => {
    const db = knexOf({ client: 'mysql2', connectionPool: facade } as never);
    await db('users').insert({ name: 'Ada' });
    await db.transaction(async trx => {
      await trx('users').insert({ name: 'Grace' });
    });
    const failed = db.transaction(async trx => {
      await trx('users').insert({ name: 'Edsger' });
      throw new Error('no');
    });
    await failureOf(failed);
    await atRest();
    expect(await db('users').select('name').orderBy('name')).toEqual([{ name: 'Ada' }, { name: 'Grace' }]);
    const streamed: unknown[] = [];
    for await (const row of db('users').select('name').stream()) streamed.push(row);
    expect(streamed).toHaveLength(2);
    await db.destroy();
    await atRest();
    expect(pool.stats()).toMatchObject({ state: 'ready', leased: 0 });
  });

  it('serves TypeORM', async () => {
    interface User {
      id?: number;
      name: string;
    }
    const users = new EntitySchema<User>({
      name: 'users',
      columns: { id: { type: Number, primary: true, generated: true }, name: { type: String } },
    });
    const source = new DataSource({
      type: 'mysql',
      driver: { createPool: () => facade },
      database: watch.config.database,
      entities: [users],
    });
    await source.initialize();
    const repository = source.getRepository(users);
    await repository.save({ name: 'Ada' });
    await source.transaction('SERIALIZABLE', async manager => {
      await manager.getRepository(users).save({ name: 'Grace' });
    });
    const failed = source.transaction(async manager => {
      await manager.getRepository(users).save({ name: 'Edsger' });
      await manager.getRepository(users).save({ name: 'Ada' });
    });
    expect(await failureOf(failed)).toMatchObject({ code: 'ER_DUP_ENTRY' });
    await atRest();
    expect((await repository.find({ order: { name: 'asc' } })).map(({ name }) => name)).toEqual([
      'Ada',
      'Grace',
    ]);
    await source.destroy();
    await atRest();
    expect(pool.stats()).toMatchObject({ state: 'ready', leased: 0 });
  });
});
