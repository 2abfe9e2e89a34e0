import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { Pool } from '../../../src/engine/index.js';
import { pgFacade, pgPool, type PgPoolOptions } from '../../../src/resources/pg.js';
import { failureOf } from '../../support/follow.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';

describe('a pg.Pool over a pool', () => {
  let server: LocalPostgres;
  let watch: PostgresWatch;
  let pool: Pool<Client>;
  let facade: pg.Pool;

  beforeAll(async () => {
    server = await launchPostgres();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await PostgresWatch.open(server);
    await watch.sql('drop table if exists users');
    await watch.sql('create table users (id serial primary key, name text unique)');
    open({ max: 2 });
  });
  afterEach(async () => {
    await pool.close({ timeout: 0 });
    await watch.untilBackends(0);
    await watch[Symbol.asyncDispose]();
  });

  function open(options: Partial<PgPoolOptions>): void {
    pool = new Pool(pgPool({ ...watch.config, ...options }));
    facade = pgFacade(pool);
  }
  const atRest = (): Promise<unknown> =>
    until(
      () => pool.stats(),
      ({ leased, resetting }) => leased === 0 && resetting === 0,
    );

  it('is one of pg, by its class and by its name', () => {
    expect(facade).toBeInstanceOf(pg.Pool);
    expect(facade.constructor.name).toBe('BoundPool');
  });

  it('answers by promise and by callback', async () => {
    expect((await facade.query('select $1::int as n', [1])).rows).toEqual([{ n: 1 }]);
    const byCallback = new Promise((resolve, reject) => {
      facade.query('select $1::int as n', [2], (error, result) => {
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- pg's types do not say so
        if (error) reject(error);
        else resolve(result.rows);
      });
    });
    expect(await byCallback).toEqual([{ n: 2 }]);
    const client = await facade.connect();
    expect((await client.query('select 3 as n')).rows).toEqual([{ n: 3 }]);
    client.release();
    const lent = new Promise((resolve, reject) => {
      facade.connect((error, client, release) => {
        release();
        if (error) reject(error);
        else resolve(client);
      });
    });
    expect(await lent).toBe(client);
    expect(await failureOf(facade.query('select nothing'))).toMatchObject({ code: '42703' });
    await atRest();
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });
});
