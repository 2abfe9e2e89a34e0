import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { PgBoss, type IDatabase } from 'pg-boss';
import { DataSource, EntitySchema } from 'typeorm';
import { Pool } from '../../../src/engine/index.js';
import { PoolModule } from '../../../src/module/pool.module.js';
import {
  InjectPgPool,
  PgPoolModule,
  getPgPoolToken,
  pgBossDatabase,
  pgPool,
  typeormDriver,
} from '../../../src/pg/index.js';
import { failureOf } from '../../support/follow.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';

describe('a pool for', () => {
  let server: LocalPostgres;
  let watch: PostgresWatch;
  let pool: Pool<Client>;

  beforeAll(async () => {
    server = await launchPostgres();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await PostgresWatch.open(server);
    await watch.sql('drop table if exists users');
    await watch.sql('create table users (id serial primary key, name text unique)');
    pool = new Pool(pgPool({ ...watch.config, max: 4 }));
  });
  afterEach(async () => {
    await pool.close({ timeout: 0 });
    await watch.untilBackends(0);
    await watch[Symbol.asyncDispose]();
  });

  it('TypeORM, by its driver', async () => {
    interface User {
      id?: number;
      name: string;
    }
    const users = new EntitySchema<User>({
      name: 'users',
      columns: { id: { type: Number, primary: true, generated: true }, name: { type: String } },
    });
    const source = new DataSource({ type: 'postgres', driver: typeormDriver(pool), entities: [users] });
    for (const name of ['Ada', 'Grace']) {
      await source.initialize();
      await source.transaction(async manager => {
        await manager.getRepository(users).save({ name });
      });
      expect(await failureOf(source.getRepository(users).save({ name }))).toMatchObject({ code: '23505' });
      await source.destroy();
    }
    expect(await watch.sql('select name from users order by name')).toEqual([
      { name: 'Ada' },
      { name: 'Grace' },
    ]);
    expect(pool.stats()).toMatchObject({ state: 'ready', leased: 0 });
  });

  it('pg-boss, by its interface of a database', async () => {
    const db: IDatabase = pgBossDatabase(pool);
    const boss = new PgBoss({ db, useListenNotify: true } as never);
    boss.on('error', error => {
      throw error;
    });
    await boss.start();
    await boss.createQueue('mail');
    await boss.send('mail', { to: 'ada' });
    const done: unknown[] = [];
    await boss.work('mail', { pollingIntervalSeconds: 0.5 }, jobs => {
      done.push(...jobs.map(({ data }) => data));
      return Promise.resolve();
    });
    await until(
      () => done.length,
      length => length === 1,
    );
    await boss.stop({ graceful: false });
    expect(done).toEqual([{ to: 'ada' }]);
    await until(
      () => pool.stats(),
      ({ leased }) => leased === 0,
    );
  });

  it('pg-boss, whose transactions end as they should', async () => {
    const db = pgBossDatabase(pool);
    const insert = `insert into users (name) values ($1)`;
    const committed = await db.beginTransaction();
    await committed.db.executeSql(insert, ['Ada']);
    await committed.commit();
    expect(await failureOf(committed.commit())).toBeInstanceOf(Error);
    const undone = await db.beginTransaction();
    await undone.db.executeSql(insert, ['Grace']);
    await undone.rollback();
    await undone.rollback();
    expect(await failureOf(undone.db.executeSql(insert, ['Grace']))).toBeInstanceOf(Error);
    const failed = await db.beginTransaction();
    expect(await failureOf(failed.db.executeSql(insert, ['Ada']))).toMatchObject({ code: '23505' });
    expect(await failureOf(failed.commit())).toMatchObject({ message: /nothing to commit/ });
    expect((await db.executeSql('select name from users')).rows).toEqual([{ name: 'Ada' }]);
    await until(
      () => pool.stats(),
      ({ leased, resetting }) => leased + resetting === 0,
    );
    expect(pool.stats().totals.destroyed).toBe(0);
    expect(db.poolCounts()).toEqual({ max: 4, total: 1, idle: 1, waiting: 0 });
  });

  it('pg-boss, which is told what is notified', async () => {
    const db = pgBossDatabase(pool);
    const heard: string[] = [];
    let connected = 0;
    const handle = await db.listen(
      'mail',
      payload => heard.push(payload),
      () => connected++,
    );
    await db.executeSql(`select pg_notify('mail', 'hello')`);
    await until(
      () => heard.length,
      length => length === 1,
    );
    expect({ heard, connected }).toEqual({ heard: ['hello'], connected: 1 });
    await handle.close();
  });

  it('NestJS, which injects it as a pg.Pool, and closes it when the application does', async () => {
    @Injectable()
    class Users {
      constructor(@InjectPgPool('users-db') readonly db: pg.Pool) {}
    }
    @Module({
      imports: [PgPoolModule.forFeature(['users-db'])],
      providers: [Users],
    })
    class UsersModule {}
    const app = await Test.createTestingModule({
      imports: [
        PoolModule.forRoot({ pools: [{ name: 'users-db', ...pgPool({ ...watch.config, max: 2 }) }] }),
        UsersModule,
      ],
    }).compile();
    const { db } = app.get(Users, { strict: false });
    expect(db).toBeInstanceOf(pg.Pool);
    expect(app.get(getPgPoolToken('users-db'), { strict: false })).toBe(db);
    expect((await db.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    await db.end();
    await watch.untilBackends(1);
    await app.close();
    await watch.untilBackends(0);
    expect(() => PgPoolModule.forFeature('users-db' as never)).toThrow(TypeError);
    expect(() => PgPoolModule.forFeature([''])).toThrow(/non-empty string/);
  });
});
