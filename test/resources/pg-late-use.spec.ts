import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';

import QueryStream from 'pg-query-stream';
import { LeaseReleasedError, Pool, type Lease } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { longGrace } from '../support/long-grace.js';
import { Cursor } from '../support/pg-cursor.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;
let watch: PostgresWatch;
let pool: Pool<Client>;
let lease: Lease<Client>;
let client: Client;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
  await watch.sql('drop table if exists notes');
  await watch.sql('create table notes (n int)');
  pool = new Pool(pgPool({ ...watch.config, max: 1 }));
  lease = await pool.acquire();
  client = lease.resource;
});
afterEach(async () => {
  await pool.close({ timeout: 0 });
  await watch[Symbol.asyncDispose]();
});

const notes = async (): Promise<unknown[]> =>
  (await watch.sql<{ n: number }>('select n from notes order by n')).map(row => row.n);

const LATE = 'insert into notes values (1)';

describe('after the lease has ended', () => {
  const forms: [string, () => unknown][] = [
    ['by promise', () => client.query(LATE)],
    ['by promise, with values', () => client.query('insert into notes values ($1)', [1])],
    ['by promise, as a config', () => client.query({ text: LATE })],
    ['by callback', () => new Promise((_, reject) => client.query(LATE, reject))],
    ['by callback, with values', () => new Promise((_, reject) => client.query(LATE, [], reject))],
    ['as a query object', () => once(client.query(new pg.Query(LATE)), 'end')],
    ['with a cursor', () => client.query(new Cursor(`${LATE} returning n`)).read(1)],
    ['with a stream', () => client.query(new QueryStream(`${LATE} returning n`)).toArray()],
    ['end', () => client.end()],
    ['end by callback', () => new Promise((_, reject) => client.end(reject))],
    ['connect', () => client.connect()],
  ];
  it.each(forms)('a statement or an end is refused in its own way, and not sent: %s', async (_, use) => {
    lease.release();
    const next = await pool.acquire();
    expect(await failureOf(Promise.resolve(use()))).toBeInstanceOf(LeaseReleasedError);
    expect((await next.resource.query('select 1')).rowCount).toBe(1);
    next.release();
    expect(await notes()).toEqual([]);
    expect(pool.stats().totals.created).toBe(1);
  });

  const others: [string, () => unknown][] = [
    ['on', () => client.on('notice', () => {})],
    ['once', () => client.once('end', () => {})],
    ['emit', () => client.emit('error', new Error('late'))],
    ['setTypeParser', () => client.setTypeParser(pg.types.builtins.INT4, () => 'mine')],
    ['setMaxListeners', () => client.setMaxListeners(9)],
  ];
  it.each(others)('what can tell in no other way throws: %s', async (_, use) => {
    lease.release();
    expect(use).toThrow(LeaseReleasedError);
    const next = await pool.acquire();
    expect(next.resource.listenerCount('notice')).toBe(0);
    next.release();
    expect(pool.stats().totals.created).toBe(1);
  });

  it('removing listeners does nothing, and what only looks may', async () => {
    lease.release();
    const next = await pool.acquire();
    const heard: unknown[] = [];
    next.resource.on('notice', notice => heard.push(notice));
    expect(client.removeAllListeners('notice').off('notice', () => {})).toBe(client);
    expect(client.escapeLiteral('a')).toBe("'a'");
    await next.resource.query(`do $$ begin raise notice 'hello'; end $$`);
    expect(heard).toHaveLength(1);
  });

  it('the error has the stack of who came late', async () => {
    lease.release();
    function latecomer(): Promise<unknown> {
      return client.query(LATE);
    }
    expect(((await failureOf(latecomer())) as Error).stack).toContain('pg-late-use.spec');
  });

  it('and the pool has taken the connection away, the error says so', async () => {
    await pool.close({ timeout: 0 });
    await expect(client.query(LATE)).rejects.toThrow(/taken this resource away.*closed/);
  });
});

describe('at the end of the lease', () => {
  it('what still waits for its turn is refused, what is running runs to its end', async () => {
    using _grace = longGrace();
    const running = client.query('insert into notes select 0 from pg_sleep(0.01)');
    const waiting = [
      client.query(LATE),
      new Promise((_, reject) => client.query(LATE, reject)),
      once(client.query(new pg.Query(LATE)), 'end'),
      client.query(new Cursor(`${LATE} returning n`)).read(1),
      client.query(new QueryStream(`${LATE} returning n`)).toArray(),
    ].map(failureOf);
    lease.release();
    for (const error of await Promise.all(waiting)) expect(error).toBeInstanceOf(LeaseReleasedError);
    await running;
    expect(await pool.use(next => next.query('select n from notes'))).toMatchObject({ rows: [{ n: 0 }] });
    expect(pool.stats().totals.created).toBe(1);
  });

  it('the other branches of a Promise.all that has failed get no further', async () => {
    lease.release();
    const told: unknown[] = [];
    const failing = pool.use(shared =>
      Promise.all([
        shared.query('select 1 / 0'),
        (async () => {
          try {
            await shared.query('begin');
            await shared.query('insert into notes values (2)');
            await shared.query('commit');
          } catch (error) {
            told.push(error);
          }
        })(),
      ]),
    );
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    await pool.use(next => next.query('insert into notes values (3)'));
    expect(told).toEqual([expect.any(LeaseReleasedError)]);
    expect(await notes()).toEqual([3]);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('a cursor that is open is closed, and reading on is an error, not the end of the rows', async () => {
    const cursor = client.query(new Cursor('select generate_series(1, 9) as n'));
    expect(await cursor.read(2)).toHaveLength(2);
    lease.release();
    await pool.use(next => next.query('select 1'));
    await expect(cursor.read(2)).rejects.toThrow(LeaseReleasedError);
    expect(await new Promise(resolve => cursor.read(2, resolve))).toBeInstanceOf(LeaseReleasedError);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('a stream that is open is closed, and reading on fails, whether anybody listens or not', async () => {
    const stream = client.query(
      new QueryStream('select generate_series(1, 1000) as n', [], { batchSize: 2 }),
    );
    await once(stream, 'readable');
    lease.release();
    await pool.use(next => next.query('select 1'));
    await expect(stream.toArray()).rejects.toThrow(LeaseReleasedError);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('reading on in the middle of a stream fails at once', async () => {
    const rows: unknown[] = [];
    const reading = (async () => {
      const stream = client.query(
        new QueryStream('select generate_series(1, 1000) as n', [], { batchSize: 2 }),
      );
      for await (const row of stream) {
        rows.push(row);
        if (rows.length === 3) lease.release();
      }
    })();
    await expect(reading).rejects.toThrow(LeaseReleasedError);
    expect(rows.length).toBeLessThan(1_000);
    expect((await pool.use(next => next.query('select 1'))).rowCount).toBe(1);
  });

  it('a transaction that a late COMMIT was to end is rolled back', async () => {
    await client.query('begin');
    await client.query(LATE);
    lease.release();
    await expect(client.query('commit')).rejects.toThrow(LeaseReleasedError);
    expect((await pool.use(next => next.query('select n from notes'))).rows).toEqual([]);
  });
});
