import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { once } from 'node:events';
import { inspect } from 'node:util';
import pg, { type Client, type PoolClient } from 'pg';
import { LeaseReleasedError, Pool, PoolOptionsError } from '../../../src/engine/index.js';
import { PRIVATE_NAMES } from '../../../src/resources/pg/facade.js';
import { pgFacade, pgPool, type PgPoolOptions } from '../../../src/resources/pg.js';
import { Cursor } from '../../support/pg-cursor.js';
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

  const setting = async (name: string): Promise<unknown> =>
    (await facade.query<{ value: string }>(`select current_setting($1) as value`, [name])).rows[0]?.value;

  describe('in place of one', () => {
    it('is one by its class and by its name', () => {
      expect(facade).toBeInstanceOf(pg.Pool);
      expect(facade.constructor.name).toBe('BoundPool');
      class Own extends pg.Pool {}
      expect(pgFacade(pool, { Pool: Own })).toBeInstanceOf(Own);
      // What libraries take for a pool or a database of another kind.
      for (const name of [
        'dialect',
        'createDriver',
        'aggregate',
        'getConnection',
        'db',
        'acquire',
        'destroy',
      ]) {
        expect(name in facade).toBe(false);
      }
    });

    it('answers by promise and by callback', async () => {
      expect((await facade.query('select $1::int as n', [1])).rows).toEqual([{ n: 1 }]);
      const answer = new Promise((resolve, reject) => {
        facade.query('select $1::int as n', [2], (error, result) => {
          // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- pg's types do not say so
          if (error) reject(error);
          else resolve(result.rows);
        });
      });
      expect(await answer).toEqual([{ n: 2 }]);
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
      const query = new pg.Query('select 4 as n', []);
      const row = once(query, 'row');
      void facade.query(query);
      expect((await row)[0]).toEqual({ n: 4 });
      await atRest();
      expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
    });

    it('lends the same client for the same session, with what somebody has put on it', async () => {
      const first = await facade.connect();
      Object.assign(first, { mark: 1 });
      first.release();
      const second = await facade.connect();
      expect(second).toBe(first);
      expect(second).toHaveProperty('mark', 1);
      second.release();
    });

    it('tells what happens, in the order of pg', async () => {
      const told: string[] = [];
      for (const event of ['connect', 'acquire', 'remove'] as const) facade.on(event, () => told.push(event));
      facade.on('release', error => told.push(`release ${String(error)}`));
      const client = await facade.connect();
      told.push('lent');
      client.release();
      (await facade.connect()).release(true);
      await watch.untilBackends(0);
      await until(
        () => told.length,
        length => length === 7,
      );
      expect(told).toEqual([
        'connect',
        'acquire',
        'lent',
        'release undefined',
        'acquire',
        'release true',
        'remove',
      ]);
    });

    it('counts as pg does', async () => {
      expect(facade).toMatchObject({ totalCount: 0, idleCount: 0, waitingCount: 0, expiredCount: 0 });
      const clients = [await facade.connect(), await facade.connect()];
      const waiting = facade.connect();
      await until(
        () => facade.waitingCount,
        count => count === 1,
      );
      expect(facade).toMatchObject({ totalCount: 2, idleCount: 0 });
      clients[0]!.release();
      (await waiting).release();
      clients[1]!.release();
      await atRest();
      expect(facade).toMatchObject({ totalCount: 2, idleCount: 2, waitingCount: 0 });
    });

    it('has the options of its pool, and nothing that is a secret', async () => {
      await pool.close();
      open({
        connectionString: undefined,
        host: '127.0.0.1',
        port: 1,
        user: 'app',
        password: 'geheim',
        database: 'shop',
        min: 1,
        max: 7,
        idleTimeout: 5_000,
        ssl: { key: 'geheim' },
      });
      expect(facade.options).toMatchObject({
        ...{ host: '127.0.0.1', port: 1, user: 'app', database: 'shop', application_name: watch.application },
        ...{ min: 1, max: 7, idleTimeoutMillis: 5_000 },
      });
      pool.resize({ max: 3 });
      expect(facade.options.max).toBe(3);
      expect(facade).toHaveProperty('Client', undefined);
      for (const name of ['password', 'connectionString', 'ssl']) expect(name in facade.options).toBe(false);
      expect(inspect(facade, { depth: 10, showHidden: true })).not.toContain('geheim');
      await pool.close();
      open({ connectionString: 'postgres://app:geheim@db.example:77/shop' });
      expect(facade.options).toMatchObject({ host: 'db.example', port: 77, user: 'app', database: 'shop' });
      expect(inspect(facade, { depth: 10, showHidden: true })).not.toContain('geheim');
    });

    it('refuses a use after the release in the way of pg, and a second release as pg-pool does', async () => {
      const client = await facade.connect();
      client.release();
      expect(await failureOf(client.query(`insert into users (name) values ('late')`))).toBeInstanceOf(
        LeaseReleasedError,
      );
      const late = new Promise(resolve => {
        client.query('select 1', [], resolve);
      });
      expect(await late).toBeInstanceOf(LeaseReleasedError);
      expect(() => {
        client.release();
      }).toThrow('Release called on client which has already been released to the pool.');
      expect(await watch.sql('select * from users')).toEqual([]);
      expect(pool.stats().totals.destroyed).toBe(0);
    });

    it('gives back at the end of a block', async () => {
      const client = (await facade.connect()) as PoolClient & Disposable;
      client[Symbol.dispose]();
      client[Symbol.dispose]();
      await atRest();
      expect(pool.stats()).toMatchObject({ leased: 0, totals: { acquired: 1 } });
    });

    it('refuses what is no pool of pg, and options that are not what they must be', () => {
      expect(() => pgFacade({} as never)).toThrow(TypeError);
      expect(() => pgFacade(pool, { end: 'maybe' as never })).toThrow(PoolOptionsError);
      expect(() => pgFacade(pool, { Pool: class {} as never })).toThrow(
        /option "Pool" .* class Pool of a package pg/,
      );
      expect(() => pgFacade(new Pool({ create: () => ({}) }) as never)).toThrow(/pgPool/);
    });

    it('finds in pg-pool what it takes the place of', () => {
      expect(PRIVATE_NAMES.filter(name => !(name in pg.Pool.prototype))).toEqual([]);
    });

    it('goes through what somebody has put in the place of connect and query of pg-pool', async () => {
      const seen: string[] = [];
      const prototype = Object.getPrototypeOf(pg.Pool.prototype) as Record<
        string,
        (...args: unknown[]) => unknown
      >;
      const originals = { connect: prototype.connect!, query: prototype.query!, end: prototype.end! };
      for (const [name, original] of Object.entries(originals)) {
        prototype[name] = function (this: unknown, ...args: unknown[]) {
          seen.push(name);
          return original.apply(this, args);
        };
      }
      try {
        await facade.query('select 1');
        await facade.end();
      } finally {
        Object.assign(prototype, originals);
      }
      expect(seen).toEqual(['query', 'connect', 'end']);
    });
  });

  describe('whose sessions are set up', () => {
    it('does so once for each connection as long as nobody changes the session, and again after a reset', async () => {
      let seen = 0;
      facade.on('connect', client => {
        seen++;
        void client.query(`set lock_timeout = '5s'`);
      });
      for (let i = 0; i < 3; i++) expect(await setting('lock_timeout')).toBe('5s');
      await atRest();
      expect(seen).toBe(1);
      const first = await facade.connect();
      await first.query(`set lock_timeout = '9s'`);
      first.release();
      await atRest();
      for (let i = 0; i < 3; i++) expect(await setting('lock_timeout')).toBe('5s');
      expect(seen).toBe(2);
      const second = await facade.connect();
      expect(second).not.toBe(first);
      expect(pool.stats().totals.created).toBe(1);
      second.release();
    });

    it('also by a listener that waits between its statements', async () => {
      let seen = 0;
      facade.on('connect', client => {
        seen++;
        void (async () => {
          await client.query(`set lock_timeout = '5s'`);
          await client.query(`set work_mem = '5MB'`);
        })();
      });
      const client = await facade.connect();
      await client.query('select 1');
      await client.query('select 1');
      expect((await client.query('show work_mem')).rows).toEqual([{ work_mem: '5MB' }]);
      client.release();
      await atRest();
      expect(await setting('work_mem')).toBe('5MB');
      expect(seen).toBe(1);
    });

    it('and not by another facade of the same pool', async () => {
      await pool.close();
      open({ max: 1 });
      const other = pgFacade(pool);
      facade.on('connect', client => void client.query(`set lock_timeout = '5s'`));
      for (let i = 0; i < 2; i++) {
        expect(await setting('lock_timeout')).toBe('5s');
        expect((await other.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '0' }]);
      }
      expect(pool.stats().totals.created).toBe(1);
    });

    it('keeps listeners until the session is another, and adds none up', async () => {
      const heard: unknown[] = [];
      facade.on('connect', client => client.on('notice', () => heard.push('hello')));
      // The server remarks that there is nothing to commit.
      const raise = 'commit';
      for (let i = 0; i < 3; i++) await facade.query(raise);
      expect(heard).toEqual(['hello', 'hello', 'hello']);
      const client = await facade.connect();
      client.on('notice', () => heard.push('second'));
      client.release();
      await facade.query(raise);
      expect(heard.splice(3)).toEqual(['hello', 'second']);
      await facade.query(`set lock_timeout = '9s'`);
      await atRest();
      await facade.query(raise);
      expect(heard.splice(3)).toEqual(['hello']);
      // Who borrows of the pool itself has listeners of his own.
      await pool.use(client => {
        client.on('notice', () => heard.push('own'));
        return client.query(raise);
      });
      await facade.query(raise);
      expect(heard.splice(3)).toEqual(['hello', 'own', 'hello']);
    });

    it('does not warn of listeners after many loans', async () => {
      const warnings: unknown[] = [];
      const listen = (warning: unknown): void => void warnings.push(warning);
      process.on('warning', listen);
      facade.on('connect', client => client.on('error', () => undefined));
      for (let i = 0; i < 30; i++) {
        await facade.query(`set lock_timeout = '9s'`);
        await atRest();
      }
      await new Promise(resolve => setImmediate(resolve));
      process.off('warning', listen);
      expect(warnings).toEqual([]);
    });
  });

  describe('to which clients come back', () => {
    it('refuses a second BEGIN of one client, and does not let it end the first', async () => {
      const client = await facade.connect();
      await client.query('begin');
      await client.query(`insert into users (name) values ('Ada')`);
      const second = (async () => {
        try {
          await client.query('begin');
        } finally {
          await client.query('commit');
        }
      })();
      expect(await failureOf(second)).toMatchObject({ name: 'TransactionOverlapError' });
      client.release();
      expect((await facade.query('select from users')).rowCount).toBe(0);
    });

    it('keeps a connection on which a statement has failed', async () => {
      await facade.query(`insert into users (name) values ('Ada')`);
      for (let i = 0; i < 3; i++) {
        expect(await failureOf(facade.query(`insert into users (name) values ('Ada')`))).toMatchObject({
          code: '23505',
        });
      }
      const client = await facade.connect();
      await client.query('begin');
      const error = await failureOf(client.query('select nothing'));
      client.release(error as Error);
      expect(await setting('transaction_isolation')).toBe('read committed');
      await atRest();
      expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
    });

    it.each([
      ['true', () => true],
      ['an error that is not of the server', () => new Error('Query read timeout')],
      ['an error of the socket', () => Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })],
      ['a fatal error', () => Object.assign(new Error('terminating'), { code: '57P01', severity: 'FATAL' })],
      [
        'a connection exception',
        () => Object.assign(new Error('protocol'), { code: '08P01', severity: 'ERROR' }),
      ],
    ])('destroys one that comes with %s', async (_, error) => {
      const client = await facade.connect();
      client.release(error());
      await until(
        () => pool.stats().totals.destroyed,
        destroyed => destroyed === 1,
      );
    });

    it('has the place of one back whose socket has closed, also when nobody gives it back', async () => {
      await pool.close();
      open({ max: 1 });
      const lost = await facade.connect();
      const { rows } = await lost.query<{ pid: number }>('select pg_backend_pid() as pid');
      await watch.terminate(rows[0]!.pid);
      expect((await facade.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
      // Who still has it is told what has happened to it, and not that it was used for too long.
      expect(await failureOf(lost.query('commit'))).toMatchObject({ message: /connection error/ });
      lost.release(true);
      expect(pool.stats().totals).toMatchObject({ created: 2, destroyed: 1 });
    });
  });

  describe('whose connections break', () => {
    it('tells of an idle one if somebody listens, and does not end the process if nobody does', async () => {
      for (const listening of [false, true]) {
        const client = await facade.connect();
        const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
        client.release();
        const told = listening ? once(facade, 'error') : Promise.resolve();
        const removed = new Promise(resolve => facade.once('remove', resolve));
        await watch.terminate(rows[0]!.pid);
        expect(await removed).toBe(client);
        if (listening) expect(await told).toMatchObject([{ code: '57P01' }, {}]);
      }
    });

    it('does not end the process when a lent one does', async () => {
      const client = await facade.connect();
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      const removed = once(facade, 'remove');
      await watch.terminate(rows[0]!.pid);
      await removed;
      client.release();
    });

    it('hands on what is wrong with making one', async () => {
      await pool.close();
      open({ connectionString: 'postgres://nobody:x@127.0.0.1:1/x', propagateCreateError: true });
      expect(await failureOf(facade.query('select 1'))).toMatchObject({ code: 'ECONNREFUSED' });
      await facade.end();
    });
  });

  describe('that ends', () => {
    it('leaves the pool as it is', async () => {
      await facade.query('select 1');
      await facade.end();
      expect(facade).toMatchObject({ ending: true, ended: true });
      expect(await failureOf(facade.connect())).toMatchObject({
        message: 'Cannot use a pool after calling end on the pool',
      });
      expect(await failureOf(facade.end())).toMatchObject({ message: 'Called end on pool more than once' });
      expect((await pool.use(client => client.query('select 1 as n'))).rows).toEqual([{ n: 1 }]);
      expect((await pgFacade(pool).query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    });

    it('serves those who have asked before, and waits for what it has lent', async () => {
      const results = Array.from({ length: 5 }, () => facade.query('select 1 as n'));
      const client = await facade.connect();
      let ended = false;
      const end = facade.end().then(() => (ended = true));
      expect((await Promise.all(results)).map(({ rowCount }) => rowCount)).toEqual([1, 1, 1, 1, 1]);
      expect(ended).toBe(false);
      client.release();
      await end;
    });

    it('does not end before those who have asked are served', async () => {
      const asked = facade.query('select 1 as n');
      await facade.end();
      expect(pool.stats().totals).toMatchObject({ acquired: 1, released: 1 });
      expect((await asked).rows).toEqual([{ n: 1 }]);
    });

    it('closes the pool if that is what was asked for', async () => {
      const closing = pgFacade(pool, { end: 'close' });
      await closing.query('select 1');
      await new Promise<void>(resolve => {
        closing.end(resolve);
      });
      expect(pool.stats().state).toBe('closed');
    });
  });

  it('reads by cursors, which are closed with the loan', async () => {
    const client = await facade.connect();
    const cursor = client.query(new Cursor('select n from generate_series(1, 10) n'));
    expect(await cursor.read(2)).toEqual([{ n: 1 }, { n: 2 }]);
    client.release();
    expect((await facade.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    expect(pool.stats().totals.created).toBe(1);
  });
});
