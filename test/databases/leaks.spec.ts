import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { Pool } from '../../src/engine/index.js';
import { pgPool, type PgPoolOptions } from '../../src/resources/pg.js';
import { pidOf } from '../support/fault-bench.js';
import { Cursor } from '../support/pg-cursor.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;
let watch: PostgresWatch;
let pool: Pool<Client>;

beforeAll(async () => {
  server = await launchPostgres();
  await using setup = await PostgresWatch.open(server);
  await setup.sql(`
    create schema app;
    create role guest;
    create table note (body text);
    create function app.sets() returns int language sql volatile as
      $$ select set_config('app.tenant', 'red', false); select 1 $$;
    create function app.locks() returns int language plpgsql as
      $$ begin perform pg_advisory_lock(7); return 1; end $$;
    create function app.makes() returns int language plpgsql as
      $$ begin create temp table scratch (a int); return 1; end $$;
    create function "Sets"() returns int language sql as 'select app.sets()';
    create function app.moves() returns int language sql as
      $$ select set_config('TimeZone', 'Asia/Tokyo', false); select 1 $$;
    create function app.moves_and_returns() returns int language sql as $$
      select set_config('TimeZone', 'Asia/Tokyo', false), set_config('TimeZone', current_setting('app.zone'), false);
      select 1 $$;
    create function moves_on_insert() returns trigger language plpgsql as
      $$ begin perform app.moves(); return new; end $$;
    create procedure app.set_all() language plpgsql as
      $$ begin perform app.sets(); perform app.locks(); end $$;
    create view moving as select app.moves() as a;
    create view setting as select app.sets() as a;
    create table watched (a int);
    create trigger moves before insert on watched for each row execute function moves_on_insert();`);
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
  pool = poolOfOne();
});
afterEach(async () => {
  await pool.close({ timeout: 0 });
  await watch[Symbol.asyncDispose]();
});

/** The next borrower gets what the last one had. */
function poolOfOne(options: PgPoolOptions = {}): Pool<Client> {
  return new Pool(pgPool({ ...watch.config, max: 1, ...options }));
}

/** All that one borrower could leave to the next within the server. */
async function found(client: Client): Promise<unknown> {
  const { rows } = await client.query(`
    select current_user, session_user, current_setting('search_path') as path, current_setting('TimeZone') as zone,
      coalesce(current_setting('app.tenant', true), '') as tenant, current_setting('work_mem') as memory,
      now() <> statement_timestamp() as transaction,
      array(select pg_listening_channels()) as channels,
      array(select name from pg_prepared_statements) as prepared,
      array(select name from pg_cursors where name <> '') as cursors,
      array(select objid::int from pg_locks where locktype = 'advisory') as locks,
      array(select relname::text from pg_class where relpersistence = 't') as tables`);
  return rows[0];
}

/** Gives back, and counts the round trips until the connection can be borrowed again. */
async function roundTripsOf(release: () => void, client: Client): Promise<number> {
  let answers = 0;
  const count = (): number => answers++;
  client.connection.on('readyForQuery', count);
  release();
  await until(
    () => pool.stats(),
    ({ idle, totals }) => idle === 1 || totals.destroyed > 0,
  );
  client.connection.removeListener('readyForQuery', count);
  return answers;
}

interface Story {
  /** What the borrower finds after its own work; undefined when its transaction has failed. */
  readonly own: unknown;
  readonly clean: unknown;
  readonly next: unknown;
  readonly roundTrips: number;
  readonly sameSession: boolean;
}

/** What one borrower does, and the next one finds. */
async function story(work: (client: Client) => unknown): Promise<Story> {
  const clean = await pool.use(found);
  const lease = await pool.acquire();
  const { resource: client } = lease;
  await work(client);
  const own = await found(client).catch(() => undefined);
  const roundTrips = await roundTripsOf(() => lease.release(), client);
  const [next, pid] = await pool.use(async other => [await found(other), pidOf(other)]);
  return { own, clean, next, roundTrips, sameSession: pid === pidOf(client) };
}

const one = (text: string) => (client: Client) => client.query(text);

const DIRT: readonly [what: string, work: (client: Client) => unknown][] = [
  ['SET', one(`set app.tenant = 'red'`)],
  ['SET of what the server reports', one(`set timezone = 'Asia/Tokyo'`)],
  ['SET behind a comment', one(`/* a */ -- b\nset app.tenant = 'red'`)],
  ['SET in a transaction', one(`begin; set app.tenant = 'red'; commit`)],
  ['set_config()', one(`select set_config('app.tenant', 'red', false)`)],
  [
    'set_config() with parameters',
    c => c.query('select set_config($1, $2, $3)', ['app.tenant', 'red', false]),
  ],
  ['an update of pg_settings', one(`update pg_settings set setting = 5000 where name = 'work_mem'`)],
  ['search_path', one('set search_path = app')],
  ['SET ROLE', one('set role guest')],
  ['SET SESSION AUTHORIZATION', one('set session authorization guest')],
  ['a temporary table', one('create temp table scratch (a int)')],
  ['SELECT INTO a temporary table', one('select 1 as a into temp scratch')],
  ['a temporary table by its schema', one('create table pg_temp.scratch (a int)')],
  ['an advisory lock', one('select pg_advisory_lock(7)')],
  ['an advisory lock with a parameter', c => c.query('select pg_try_advisory_lock($1)', [7])],
  ['LISTEN', one('listen news')],
  ['PREPARE', one('prepare mine as select 1')],
  ['a held cursor', one('declare held cursor with hold for select 1')],
  ['DO', one('do $$ begin perform app.sets(); end $$')],
  ['CALL', one('call app.set_all()')],
  ['a setting within a function', one('select app.sets()')],
  ['a lock within a function', one('select app.locks()')],
  ['a temporary table within a function', one('select app.makes()')],
  ['a function whose name is quoted', one('select "Sets"()')],
  ['a function whose schema is quoted', one('select "app" . "sets" ()')],
  ['a function with a comment before its parenthesis', one('select app.sets -- in\n ()')],
  ['a function as a table', one('select * from app.sets()')],
  ['a function in WHERE', one('select 1 where app.sets() = 1')],
  ['a function in VALUES', one('insert into note (body) values (app.sets())')],
  ['a function in RETURNING', one(`insert into note (body) values ('a') returning app.sets()`)],
  ['a function in SET', one(`insert into note values ('b'); update note set body = app.sets()`)],
  ['a function in WITH', one('with x (a) as (select app.sets()) select a from x')],
  ['a function in ORDER BY', one('select 1 order by app.sets()')],
  ['a function behind DISTINCT ON', one('select distinct on (a) app.sets() from (values (1)) v (a)')],
  ['a function with a parameter beside it', c => c.query('select $1::int, app.sets()', [1])],
  ['a function in a statement with a name', c => c.query({ name: 'n', text: 'select app.sets()' })],
  ['a function in one of several statements', one('select 1; select app.sets(); select 2')],
  [
    'a function in a cursor',
    async c => {
      const cursor = c.query(new Cursor('select app.sets()'));
      await cursor.read(1);
      await cursor.close();
    },
  ],
  ['a view that sets what the server reports', one('select * from moving')],
  ['a trigger that sets what the server reports', one('insert into watched values (1)')],
  ['an open transaction', one('begin')],
  ['an open transaction with a trace', one(`begin; set app.tenant = 'red'`)],
  ['a failed transaction', c => c.query('begin; select 1 / 0').catch(() => undefined)],
  [
    'a failed transaction with a trace',
    async c => {
      await c.query('begin; select app.locks()');
      await c.query('select 1 / 0').catch(() => undefined);
    },
  ],
];

describe('the next borrower, for one round trip,', () => {
  it.each(DIRT)('finds nothing of %s', async (_what, work) => {
    const { own, clean, next, roundTrips, sameSession } = await story(work);
    expect(own).not.toEqual(clean);
    expect(next).toEqual(clean);
    expect({ roundTrips, sameSession }).toEqual({ roundTrips: 1, sameSession: true });
  });
});

describe('the next borrower', () => {
  it('finds nothing of a statement that was prepared by hand, by the protocol', async () => {
    const { own, clean, next } = await story(async ({ connection }) => {
      connection.parse({ text: 'select 1', name: 'mine' } as never, true);
      connection.sync();
      await once(connection, 'readyForQuery');
    });
    expect(own).not.toEqual(clean);
    expect(next).toEqual(clean);
  });

  it('finds the statements that pg has prepared by name, as long as nothing was to be reset', async () => {
    const named = { name: 'n', text: 'select $1::int as a', values: [1] };
    await pool.use(client => client.query(named));
    const after = await pool.use(client => found(client));
    expect(after).toMatchObject({ prepared: ['n'] });
  });

  it('finds no cursor that was left open', async () => {
    const lease = await pool.acquire();
    const cursor = lease.resource.query(new Cursor('select generate_series(1, 1000)'));
    await cursor.read(1);
    lease.release();
    expect(await pool.use(found)).toMatchObject({ cursors: [], transaction: false });
    expect(pool.stats().totals.created).toBe(1);
  });

  it('finds nothing of a COPY that was left in the middle', async () => {
    const lease = await pool.acquire();
    const copy = lease.resource.query(copyFrom('copy note from stdin'));
    copy.on('error', () => undefined);
    const { connection } = lease.resource;
    await once(connection, 'copyInResponse');
    copy.write('a\n');
    lease.release();
    expect(await pool.use(found)).toMatchObject({ transaction: false });
    expect(await watch.sql(`select * from note where body = 'a' and false`)).toEqual([]);
  });

  it('finds none of the patches, listeners and parsers of its client', async () => {
    await pool.use(async client => {
      Object.assign(client, { query: () => 'patched', extra: 1 });
      client.on('notice', () => undefined);
      client.setTypeParser(pg.types.builtins.INT4, () => 'parsed');
    });
    await pool.use(async client => {
      expect((await client.query('select 1 as a')).rows).toEqual([{ a: 1 }]);
      expect(client).not.toHaveProperty('extra');
      expect(client.listenerCount('notice')).toBe(0);
    });
  });
});

describe('nothing is sent', () => {
  const named = { name: 'n', text: 'select lower($1)', values: ['A'] };
  it.each<[string, (client: Client) => unknown]>([
    [
      'functions of PostgreSQL',
      one('select count(*), max(lower(body)), now() from note where length(body) > 1'),
    ],
    ['a transaction', one(`begin; insert into note (body) values ('a'); commit`)],
    ['a parameter and a statement with a name', c => c.query(named)],
    [
      'a setting of one transaction that the server reports',
      one(`begin; set local timezone = 'Asia/Tokyo'; commit`),
    ],
    ['the same, rolled back', one(`begin; set local timezone = 'Asia/Tokyo'; rollback`)],
  ])('after %s', async (_what, work) => {
    const lease = await pool.acquire();
    await work(lease.resource);
    expect(await roundTripsOf(() => lease.release(), lease.resource)).toBe(0);
  });

  it('after a function that was declared harmless', async () => {
    await pool.close();
    pool = poolOfOne({ harmlessFunctions: ['app.sets', 'Sets'] });
    const { next, roundTrips } = await story(one('select app.sets(), "Sets"()'));
    // It was not.
    expect(next).toMatchObject({ tenant: 'red' });
    expect(roundTrips).toBe(0);
  });

  it('after one that has set back what it set', async () => {
    await pool.close();
    pool = poolOfOne({ harmlessFunctions: ['app.*'], options: '-c app.zone=UTC -c TimeZone=UTC' });
    expect((await story(one('select app.moves_and_returns()'))).roundTrips).toBe(0);
  });

  it('and something is, when a function that was declared harmless has changed what the server reports', async () => {
    await pool.close();
    pool = poolOfOne({ harmlessFunctions: ['app.*'] });
    const { clean, next, roundTrips } = await story(one('select app.moves()'));
    expect(next).toEqual(clean);
    expect(roundTrips).toBe(1);
    // What is clean again is not reset again.
    expect((await story(one('select 1'))).roundTrips).toBe(0);
  });

  it('after a view that calls a function, which no text shows: that takes `always`', async () => {
    expect((await story(one('select * from setting'))).next).toMatchObject({ tenant: 'red' });
    await pool.close();
    pool = poolOfOne({ sessionReset: 'always' });
    const { clean, next, roundTrips } = await story(one('select * from setting'));
    expect(next).toEqual(clean);
    expect(roundTrips).toBe(1);
  });
});

describe('harmlessFunctions', () => {
  it.each([['f'], [['f()']], [['*']], [['a.b.c']], [['']], [[1]]])('must be names: %j', names => {
    expect(() => poolOfOne({ harmlessFunctions: names as never })).toThrow(
      /option "harmlessFunctions" is an? .*; it must be names of functions, as in \['my_func'/,
    );
  });
});
