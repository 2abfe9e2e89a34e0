import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import QueryStream from 'pg-query-stream';
import { LeaseReleasedError, Pool } from '../../src/engine/index.js';
import { pgPool, type PgPoolOptions } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { longGrace } from '../support/long-grace.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;
let watch: PostgresWatch;
const pools: Pool<Client>[] = [];

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map(pool => pool.close({ timeout: 0 })));
  await watch[Symbol.asyncDispose]();
});

/** A pool of one connection, so that the next borrower gets what the last one had. */
function poolOfOne(options: PgPoolOptions = {}): Pool<Client> {
  const pool = new Pool(pgPool({ ...watch.config, max: 1, ...options }));
  pools.push(pool);
  return pool;
}

const pidOf = (client: Client): unknown => (client as { processID?: unknown }).processID;
const bytesSent = (client: Client): number =>
  (client.connection.stream as unknown as { bytesWritten: number }).bytesWritten;
const only = async (client: Client, text: string): Promise<unknown> =>
  Object.values((await client.query<Record<string, unknown>>(text)).rows[0]!)[0];

/** What there is of a session that a borrower may not find changed. */
async function traces(client: Client): Promise<unknown> {
  const { rows } = await client.query(`
    select current_user as role, current_setting('search_path') as path,
      (select count(*)::int from pg_listening_channels()) as channels,
      (select count(*)::int from pg_prepared_statements) as prepared,
      (select count(*)::int from pg_cursors where is_holdable) as cursors,
      (select count(*)::int from pg_locks where locktype = 'advisory') as locks,
      (select count(*)::int from pg_class where relpersistence = 't') as tables`);
  return rows[0];
}
const NO_TRACES = {
  role: 'postgres',
  path: '"$user", public',
  channels: 0,
  prepared: 0,
  cursors: 0,
  locks: 0,
  tables: 0,
};

describe('the session of the next borrower', () => {
  it.each([
    ['a setting', 'set search_path = elsewhere'],
    ['a role', 'set role pg_monitor'],
    ['a setting by function', `select set_config('search_path', 'elsewhere', false)`],
    ['a listen', 'listen news'],
    ['an advisory lock', 'select pg_advisory_lock(7)'],
    ['a temporary table', 'create temp table scratch (a int)'],
    ['a selected temporary table', 'select 1 as a into temp scratch'],
    ['a prepared statement', 'prepare statement as select 1'],
    ['a held cursor', 'declare held cursor with hold for select 1'],
    ['several at once', 'select 1; set search_path = elsewhere; listen news'],
    ['an open transaction', 'begin'],
    ['an open transaction with a trace', 'begin; select 1; set search_path = elsewhere; listen news'],
  ])('has nothing of %s', async (_what, text) => {
    const pool = poolOfOne();
    const before = await pool.use(async client => {
      const clean = await traces(client);
      await client.query(text);
      return { clean, pid: pidOf(client) };
    });

    const after = await pool.use(async client => ({
      clean: await traces(client),
      pid: pidOf(client),
      inTransaction: await only(client, `select now() <> statement_timestamp()`),
    }));

    expect(before.clean).toEqual(NO_TRACES);
    expect(after).toEqual({ ...before, inTransaction: false });
    expect(pool.stats().totals.created).toBe(1);
  });

  it('has nothing of a failed transaction', async () => {
    const pool = poolOfOne();
    await pool.use(async client => {
      await client.query('begin');
      await client.query('select 1 / 0').catch(() => {});
    });

    expect(await pool.use(client => only(client, 'select 1'))).toBe(1);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('has nothing of what was sent while it was being given back', async () => {
    using _grace = longGrace();
    const pool = poolOfOne();
    const lease = await pool.acquire();
    const first = lease.resource.query('select pg_sleep(0.01)');
    const late = failureOf(lease.resource.query('set search_path = elsewhere'));
    lease.release();

    expect(await pool.use(traces)).toEqual(NO_TRACES);
    await expect(first).resolves.toBeDefined();
    expect(await late).toBeInstanceOf(LeaseReleasedError);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('has no cursor of a stream that nobody reads on', async () => {
    const pool = poolOfOne();
    const lease = await pool.acquire();
    const stream = lease.resource.query(new QueryStream('select generate_series(1, 100000) as a'));
    const queued = lease.resource.query(new QueryStream('select 1'));
    for await (const row of stream.iterator({ destroyOnReturn: false })) {
      expect(row).toEqual({ a: 1 });
      break;
    }
    lease.release();

    expect(await pool.use(client => only(client, 'select 1'))).toBe(1);
    expect(queued.destroyed).toBe(true);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('prepares statements by name again after the reset has dropped them', async () => {
    const pool = poolOfOne();
    const named = { name: 'double', text: 'select $1::int * 2 as doubled', values: [2] };
    await pool.use(async client => {
      await client.query(named);
      await client.query('set search_path = elsewhere');
    });

    await pool.use(async client => {
      expect((await client.query(named)).rows).toEqual([{ doubled: 4 }]);
      expect((await client.query(named)).rows).toEqual([{ doubled: 4 }]);
    });
  });

  it('has none of the listeners of the last borrower', async () => {
    const pool = poolOfOne();
    const heard: unknown[] = [];
    const [client, atRest] = await pool.use(async client => {
      const own = client.eventNames().map(event => [event, client.listenerCount(event as string)]);
      for (const event of ['notification', 'notice', 'error', 'end', 'drain'] as const) {
        client.on(event as 'end', () => heard.push(event));
      }
      client.once('notification', () => heard.push('once'));
      await client.query('select 1');
      return [client, own];
    });
    heard.length = 0;

    expect(client.eventNames().map(event => [event, client.listenerCount(event as string)])).toEqual(atRest);
    await pool.use(client => client.query(`do $$ begin raise notice 'hello'; end $$`));
    expect(heard).toEqual([]);
  });

  it('is a new one when the borrower put a listener in the place of one of the pool', async () => {
    const pool = poolOfOne();
    await pool.use(async client => {
      const [own] = client.listeners('error');
      const passing = (): void => undefined;
      client.on('notice', passing).off('notice', passing);
      client.on('error', passing).off('error', own as () => void);
    });
    await pool.use(client => client.query('select 1'));
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyedBy: { 'reset-failed': 1 } });
  });

  it('is a new one when the borrower removed the listeners of the pool, or set type parsers', async () => {
    const pool = poolOfOne();
    await pool.use(async client => {
      client.removeAllListeners();
    });
    await pool.use(async client => {
      client.setTypeParser(pg.types.builtins.INT4, () => 'not a number');
      expect(await only(client, 'select 1')).toBe('not a number');
    });

    expect(await pool.use(client => only(client, 'select 1'))).toBe(1);
    expect(pool.stats().totals).toMatchObject({ created: 3, destroyedBy: { 'reset-failed': 2 } });
  });

  it.each(['newListener', 'removeListener'])(
    'is a new one also when the borrower removed what listens to its changes first: %s',
    async event => {
      const pool = poolOfOne();
      await pool.use(async client => {
        client.removeAllListeners(event);
      });
      await pool.use(async client => {
        client.removeAllListeners('removeListener').removeAllListeners('error');
      });
      await pool.use(client => only(client, 'select 1'));
      expect(pool.stats().totals).toMatchObject({ created: 3, destroyedBy: { 'reset-failed': 2 } });
    },
  );

  it('is a new one when the borrower ended the connection without waiting for it', async () => {
    const pool = poolOfOne();
    await pool.use(async client => {
      void client.end();
    });

    expect(await pool.use(client => only(client, 'select 1'))).toBe(1);
    expect(pool.stats().totals).toMatchObject({ created: 2 });
  });

  it('keeps what its options say about every session', async () => {
    const pool = poolOfOne({ options: '-c search_path=tenant', statement_timeout: 7_000 });
    await pool.use(client => client.query('set search_path = elsewhere; set statement_timeout = 1'));

    await pool.use(async client => {
      expect(await only(client, 'show search_path')).toBe('tenant');
      expect(await only(client, 'show statement_timeout')).toBe('7s');
    });
  });
});

describe('the price of a reset', () => {
  const inTransaction = async (client: Client): Promise<void> => {
    await client.query('begin');
    await client.query('set local search_path = elsewhere');
    await client.query('commit');
  };
  const failure = async (client: Client): Promise<void> => {
    await client.query('select 1 / 0').catch(() => {});
    // The error comes before the server is ready again: a release in between has to wait for that.
    await client.query('select 1');
  };
  it.each<[string, (client: Client) => Promise<unknown>]>([
    ['a select', client => client.query('select 1')],
    ['a parameter', client => client.query('select $1::int', [1])],
    [
      'a statement prepared by name',
      client => client.query({ name: 'n', text: 'select $1::int', values: [1] }),
    ],
    ['a statement known by name', client => client.query({ name: 'n', values: [1] } as never)],
    ['a transaction', inTransaction],
    ['several statements', client => client.query('begin; select 1; rollback')],
    ['a failure', failure],
    ['a stream', client => client.query(new QueryStream('select generate_series(1, 3)')).toArray()],
    ['a query object', client => once(client.query(new pg.Query('select 1')), 'end')],
    ['nothing at all', async () => {}],
  ])('is nothing after %s', async (_what, work) => {
    const pool = poolOfOne();
    await pool.use(client => client.query({ name: 'n', text: 'select $1::int', values: [1] }));
    const lease = await pool.acquire();
    const { resource: client } = lease;
    await work(client);
    const sent = bytesSent(client);

    lease.release();

    // Idle at once, with nothing sent and nothing to wait for.
    expect(pool.stats()).toMatchObject({ idle: 1, resetting: 0 });
    expect(bytesSent(client)).toBe(sent);
    expect(sent).toBeGreaterThan(0);
  });

  it.each([
    ['listen news', ['DISCARD ALL']],
    ['begin', ['ROLLBACK']],
    ['begin; listen news', ['ROLLBACK', 'DISCARD ALL']],
    ['select 1', []],
  ])('is at most one round trip: %s', async (text, expected) => {
    const pool = poolOfOne();
    const lease = await pool.acquire();
    const { connection } = lease.resource;
    await lease.resource.query(text);
    const sent: string[] = [];
    let answers = 0;
    connection.on('readyForQuery', () => answers++);
    const { query, parse } = connection;
    Object.assign(connection, {
      query: (text: string) => {
        sent.push(text);
        query.call(connection, text);
      },
      parse: (statement: { text: string }) => {
        sent.push(statement.text);
        parse.call(connection, statement as never, true);
      },
    });
    lease.release();
    await until(
      () => pool.stats().idle,
      seen => seen === 1,
    );
    expect(sent).toEqual(expected);
    expect(answers).toBe(Math.min(1, expected.length));
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it('is one query every time with sessionReset always', async () => {
    const pool = poolOfOne({ sessionReset: 'always' });
    await watch.sql(
      `create or replace function hidden() returns void language sql as $$ select set_config('search_path', 'a', false) $$`,
    );
    await pool.use(client => client.query('select hidden()'));
    expect(await pool.use(client => only(client, 'show search_path'))).toBe('"$user", public');
  });

  it('is nothing but the rollback with sessionReset never', async () => {
    const pool = poolOfOne({ sessionReset: 'never' });
    await pool.use(async client => {
      await client.query('set search_path = mine');
      await client.query('begin');
      await client.query(`set application_name = 'x'`);
    });
    expect(await pool.use(client => only(client, 'show search_path'))).toBe('mine');
    expect(await pool.use(client => only(client, 'select now() <> statement_timestamp()'))).toBe(false);
  });
});
