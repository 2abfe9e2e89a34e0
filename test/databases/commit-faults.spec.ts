import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { Pool } from '../../src/engine/index.js';
import {
  TransactionOutcomeUnknownError,
  pgDatabase,
  pgPool,
  type PgPoolOptions,
} from '../../src/resources/pg.js';
import { commitTransaction } from '../../src/resources/pg/commit.js';
import { pidOf } from '../support/fault-bench.js';
import { failureOf } from '../support/follow.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let server: LocalPostgres;
let watch: PostgresWatch;
let proxy: TcpProxy;
let pool: Pool<Client>;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
  proxy = await TcpProxy.before(server.port);
  pool = poolThroughProxy();
  await watch.sql('drop table if exists paid');
  await watch.sql('create table paid (n int unique deferrable initially deferred)');
});
afterEach(async () => {
  await pool[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await watch[Symbol.asyncDispose]();
});

/** What has vanished is not waited for. */
const IMPATIENT: PgPoolOptions = { resetTimeout: 500, destroyTimeout: 500 };

function poolThroughProxy(options: PgPoolOptions = {}): Pool<Client> {
  const connectionString = server.url.replace(String(server.port), String(proxy.port));
  return new Pool(pgPool({ ...watch.config, connectionString, max: 1, ...IMPATIENT, ...options }));
}

const paid = async (): Promise<number> => (await watch.sql('select * from paid')).length;
const pay = (client: Client): Promise<unknown> => client.query('insert into paid values (1)');
const untilPaid = (): Promise<number> => until(paid, seen => seen > 0);

/** Pays, and does something to the world just before the COMMIT. */
const paying = (before: (client: Client) => unknown): Promise<unknown> =>
  pgDatabase(pool).transaction(async client => {
    await pay(client);
    await before(client);
    return 'told that it is paid';
  });

/** The next borrower has a connection of its own, in which nothing of the last one is left. */
async function expectWhole(created: number): Promise<void> {
  const { rows } = await pool.use(client => client.query('select now() = statement_timestamp() as fresh'));
  expect(rows).toEqual([{ fresh: true }]);
  expect(pool.stats()).toMatchObject({ idle: 1, leased: 0, totals: { created } });
}

/** Bytes of ReadyForQuery, with which each answer ends. */
const READY = 6;

const UNKNOWN = {
  name: 'TransactionOutcomeUnknownError',
  code: 'PG_TRANSACTION_OUTCOME_UNKNOWN',
  message: expect.stringContaining('may be committed, and it may be rolled back'),
};

describe('a backend that is killed', () => {
  it('before the COMMIT has committed nothing, and nobody calls that unknown', async () => {
    const failed = paying(async client => {
      const ended = once(client.connection.stream, 'close');
      await watch.terminate(pidOf(client));
      await ended;
    });
    const error = await failureOf(failed);
    expect(error).not.toBeInstanceOf(TransactionOutcomeUnknownError);
    expect(error).toMatchObject({ message: expect.stringContaining('this query was not sent') });
    expect(await paid()).toBe(0);
    await expectWhole(2);
  });

  it('before the COMMIT, of which the word comes as if it were its answer, leaves it unknown', async () => {
    const failed = failureOf(
      paying(async client => {
        proxy.blackhole('old');
        await watch.terminate(pidOf(client));
      }),
    );
    await once(proxy, 'held');
    proxy.restore();
    expect(await failed).toMatchObject({ ...UNKNOWN, cause: { code: '57P01' } });
    expect(await paid()).toBe(0);
    await expectWhole(2);
  });

  it('after the COMMIT was answered has committed, and the borrower was told so', async () => {
    expect(await paying(() => undefined)).toBe('told that it is paid');
    const pid = await pool.use(async client => pidOf(client));
    await watch.terminate(pid);
    expect(await paid()).toBe(1);
    await until(
      () => pool.stats().idle,
      idle => idle === 0,
    );
    await expectWhole(2);
  });
});

describe('a connection that is lost', () => {
  it('while the COMMIT is on its way leaves it unknown: it has not arrived', async () => {
    const failed = failureOf(paying(() => proxy.blackhole('old')));
    await once(proxy, 'held');
    proxy.resetAll();
    expect(await failed).toMatchObject({ ...UNKNOWN, cause: { code: 'ECONNRESET' } });
    await watch.untilBackends(0);
    expect(await paid()).toBe(0);
    proxy.restore();
    await expectWhole(2);
  });

  it('while the answer is on its way leaves it unknown: it is committed', async () => {
    const failed = failureOf(paying(() => proxy.deafen()));
    await once(proxy, 'lost');
    proxy.resetAll();
    const error = await failed;
    expect(error).toBeInstanceOf(TransactionOutcomeUnknownError);
    expect(error).toMatchObject({ ...UNKNOWN, cause: { code: 'ECONNRESET' } });
    expect(await untilPaid()).toBe(1);
    await expectWhole(2);
  });

  it('leaves it unknown whatever the signal says by then', async () => {
    const abort = new AbortController();
    const failed = failureOf(
      pgDatabase(pool).transaction(
        async client => {
          await pay(client);
          proxy.deafen();
        },
        { signal: abort.signal },
      ),
    );
    await once(proxy, 'lost');
    abort.abort(new Error('changed my mind'));
    proxy.resetAll();
    expect(await failed).toMatchObject(UNKNOWN);
    expect(await paid()).toBe(1);
  });

  it('behind the word that it is committed does not take that back', async () => {
    const told = paying(({ connection }) => {
      proxy.deafen(READY);
      connection.once('commandComplete', () => proxy.resetAll());
    });
    expect(await told).toBe('told that it is paid');
    expect(await paid()).toBe(1);
    await expectWhole(2);
  });

  it('with its pool, which did not wait any longer, leaves it unknown', async () => {
    const failed = failureOf(paying(() => proxy.deafen()));
    await once(proxy, 'lost');
    void pool.close({ timeout: 0 });
    expect(await failed).toMatchObject(UNKNOWN);
    expect(await paid()).toBe(1);
  });
});

describe('an answer', () => {
  it('that takes longer than pg waits leaves it unknown', async () => {
    await pool.close();
    pool = poolThroughProxy({ query_timeout: 1_000 });
    const failed = failureOf(paying(() => proxy.deafen()));
    await once(proxy, 'lost');
    expect(await failed).toMatchObject({ ...UNKNOWN, cause: { message: 'Query read timeout' } });
    expect(await paid()).toBe(1);
  });

  it('that refuses is what the borrower gets, and nothing is committed: a deferred constraint', async () => {
    expect(await failureOf(paying(pay))).toMatchObject({ code: '23505' });
    expect(await paid()).toBe(0);
    await expectWhole(1);
  });

  it('that it was rolled back instead is an error', async () => {
    const failed = paying(client => client.query('select 1 / 0').catch(() => undefined));
    await expect(failed).rejects.toThrow('There was nothing to commit');
    expect(await paid()).toBe(0);
    await expectWhole(1);
  });

  it('of another server that does not know is none', async () => {
    await watch.sql(`
      create or replace function ask_another() returns trigger language plpgsql as
      $$ begin raise 'the other one has gone' using errcode = '08007'; end $$`);
    await watch.sql(`
      create constraint trigger other after insert on paid deferrable initially deferred
      for each row execute function ask_another()`);
    expect(await failureOf(paying(() => undefined))).toMatchObject({ ...UNKNOWN, cause: { code: '08007' } });
    await expectWhole(1);
  });
});

describe('a COMMIT that is not sent', () => {
  it('tells why, and nothing is unknown about it', async () => {
    const lease = await pool.acquire();
    const { resource: client } = lease;
    await client.query('begin');
    await pay(client);
    const sleeping = failureOf(client.query('select pg_sleep(3600)'));
    const waiting = failureOf(commitTransaction(client));
    await watch.untilRunning('pg_sleep');
    lease.release();
    expect(await waiting).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
    expect(await sleeping).toMatchObject({ code: '57014' });
    expect(await failureOf(commitTransaction(client))).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
    await expectWhole(1);
    expect(await paid()).toBe(0);
  });
});
