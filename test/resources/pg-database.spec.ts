import { getEventListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expectTypeOf } from 'expect-type';
import type { LocalPostgres } from 'local-postgres';
import type { Client, QueryResult } from 'pg';
import { KeyedPool, Pool, PoolOptionsError, PoolTimeoutError } from '../../src/engine/index.js';
import { PoolModule, getPoolToken } from '../../src/index.js';
import {
  PgQueryTimeoutError,
  cancelOnAbort,
  keyedPgPool,
  pgDatabase,
  pgPool,
  type PgDatabase,
  type PgPoolOptions,
  type PgTransactionOptions,
} from '../../src/resources/pg.js';
import { collectGarbage } from '../cheap/memory.js';
import { failureOf } from '../support/follow.js';
import { GRACE } from '../support/long-grace.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

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

/** So many queries that what one leaves behind is seen in the heap. */
const MANY = 2_000;

const one = (options: PgPoolOptions = {}): Pool<Client> =>
  new Pool(pgPool({ name: 'orders', ...watch.config, max: 1, ...options }));

/** Nothing runs any more of what was cancelled. */
const untilQuiet = (): Promise<unknown> =>
  until(
    () => watch.backends(),
    seen => seen.every(({ state }) => state === 'idle'),
  );

describe('one query', () => {
  it('borrows a connection, and gives it back', async () => {
    await using pool = one();
    const db = pgDatabase(pool);
    const { rows } = await db.query<{ doubled: number }>('select $1::int * 2 as doubled', [21]);
    expect(rows).toEqual([{ doubled: 42 }]);
    expectTypeOf(rows).toEqualTypeOf<{ doubled: number }[]>();
    const untyped = () => db.query('select 1');
    expectTypeOf(untyped).returns.toEqualTypeOf<Promise<QueryResult<Record<string, unknown>>>>();
    const named = { name: 'triple', text: 'select $1::int * 3 as tripled', values: [14] };
    expect((await db.query(named)).rows).toEqual([{ tripled: 42 }]);
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0, totals: { created: 1, acquired: 2 } });
  });

  it('that fails gives it back, too', async () => {
    await using pool = one();
    await expect(pgDatabase(pool).query('select 1 / 0')).rejects.toMatchObject({ code: '22012' });
    // Its error comes before the server is ready again.
    await until(
      () => pool.stats().idle,
      idle => idle === 1,
    );
    expect(pool.stats()).toMatchObject({ leased: 0, totals: { destroyed: 0 } });
  });

  it.each([
    'begin',
    'BEGIN; insert into t values (1)',
    'commit',
    'rollback',
    'start transaction read only',
    'begin; commit; begin',
    'select 1; end',
    '/* hi */ begin',
  ])('that leaves or ends a transaction is not sent: %s', async text => {
    await using pool = one();
    const error = await failureOf(pgDatabase(pool).query(text));
    expect(error).toBeInstanceOf(PoolOptionsError);
    expect(error).toMatchObject({
      message: expect.stringContaining(`Pool "orders": "${text}" was not sent. query() borrows a connection`),
    });
    expect(pool.stats().totals.acquired).toBe(0);
  });

  it.each(['begin; select 1; commit', `select 'begin'`, 'savepoint_free()'])(
    'that does neither is sent: %s',
    async text => {
      await using pool = one();
      await pgDatabase(pool)
        .query(text)
        .catch((error: unknown) => {
          expect(error).toMatchObject({ code: '42601' });
        });
      expect(pool.stats().totals.acquired).toBe(1);
    },
  );

  it('is cancelled at the server when its signal is aborted, and the next is not', async () => {
    await using pool = one();
    const db = pgDatabase(pool);
    for (let i = 0; i < 10; i++) {
      const abort = new AbortController();
      const reason = new Error('changed my mind');
      const query = failureOf(db.query('select pg_sleep(3600)', [], { signal: abort.signal }));
      await watch.untilRunning('pg_sleep(3600)');
      abort.abort(reason);
      expect(await query).toBe(reason);
      // Long enough for a request that comes late to hit it.
      expect((await db.query('select 1 as one from pg_sleep(0.02)')).rows).toEqual([{ one: 1 }]);
    }
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
    await untilQuiet();
  });

  it('is cancelled at once, and not when it is found running at its return', async () => {
    const { setTimeout: real } = globalThis;
    const timers = jest
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation((call: () => void, ms?: number) => real(ms === GRACE ? () => undefined : call, ms));
    try {
      await using pool = one({ resetTimeout: 20_000 });
      const abort = new AbortController();
      const query = failureOf(pgDatabase(pool).query('select pg_sleep(3600)', [], { signal: abort.signal }));
      await watch.untilRunning('pg_sleep(3600)');
      abort.abort();
      await query;
      await untilQuiet();
    } finally {
      timers.mockRestore();
    }
  });

  it('is cancelled when it takes too long, and says how long', async () => {
    await using pool = one({ validateAfterIdle: Infinity });
    const db = pgDatabase(pool);
    // It has not to be made within that time.
    await db.query('select 1');
    const error = await failureOf(db.query('select pg_sleep(3600)', [], { timeout: 60 }));
    expect(error).toBeInstanceOf(PgQueryTimeoutError);
    expect((error as Error).message).toMatch(
      /^The query did not end within 60 ms, \d+ ms of which it waited for a connection\./,
    );
    expect((await db.query('select 1 as one', [], { timeout: 1e12 })).rows).toEqual([{ one: 1 }]);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('leaves nothing with a signal that lives long', async () => {
    await using pool = one();
    const db = pgDatabase(pool);
    const { signal } = new AbortController();
    const many = async (): Promise<void> => {
      for (let i = 0; i < MANY; i++) await db.query('select 1', [], { signal, timeout: 60_000 });
      collectGarbage();
    };
    await many();
    const before = process.memoryUsage().heapUsed;
    await many();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(MANY * 1_000);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('shares its signal with many others, and all of them end with it', async () => {
    await using pool = one({ max: 12 });
    const abort = new AbortController();
    const queries = Array.from({ length: 12 }, () =>
      failureOf(pgDatabase(pool).query('select pg_sleep(3600)', [], { signal: abort.signal })),
    );
    await until(
      () => watch.backends(),
      seen => seen.filter(({ state }) => state === 'active').length === 12,
    );
    // Node.js warns of a leak when there are eleven.
    expect(getEventListeners(abort.signal, 'abort').length).toBeLessThan(11);
    abort.abort(new Error('enough'));
    for (const error of await Promise.all(queries)) expect(error).toMatchObject({ message: 'enough' });
    await untilQuiet();
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it('waits for a connection no longer than it may take', async () => {
    await using pool = one();
    using _held = await pool.acquire();
    const waits = pgDatabase(pool).query('select 1', [], { timeout: 20 });
    expect(await failureOf(waits)).toBeInstanceOf(PoolTimeoutError);
    const abort = new AbortController();
    const aborted = failureOf(pgDatabase(pool).query('select 1', [], { signal: abort.signal }));
    abort.abort(new Error('no more'));
    expect(await aborted).toMatchObject({ message: 'no more' });
  });

  it('rejects in time also when the server has vanished', async () => {
    await using proxy = await TcpProxy.before(server.port);
    await using pool = one({
      connectionString: server.url.replace(String(server.port), String(proxy.port)),
      validateAfterIdle: Infinity,
      resetTimeout: 50,
      destroyTimeout: 50,
    });
    const db = pgDatabase(pool);
    await db.query('select 1');
    proxy.blackhole('all');
    expect(await failureOf(db.query('select 1', [], { timeout: 30 }))).toBeInstanceOf(PgQueryTimeoutError);
    const destroyedBy = await until(
      () => pool.stats().totals.destroyedBy,
      seen => seen['reset-failed'] === 1,
    );
    proxy.restore();
    expect((await db.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(destroyedBy).toEqual({ 'reset-failed': 1 });
  });

  it.each([0, -1, NaN, 'soon'])('must not be given a timeout of %p', async timeout => {
    await using pool = one();
    await expect(pgDatabase(pool).query('select 1', [], { timeout: timeout as number })).rejects.toThrow(
      /Pool "orders": option "timeout" is .*; it must be milliseconds > 0/,
    );
  });

  it('goes to the pool of a key', async () => {
    await using tenants = new KeyedPool(
      keyedPgPool({
        ...{ connectionString: server.url, maxTotal: 1 },
        connection: (key: string) => ({ application_name: key }),
      }),
    );
    const db = pgDatabase({ acquire: options => tenants.acquire('red', options) });
    expect((await db.query('show application_name')).rows).toEqual([{ application_name: 'red' }]);
  });

  it('goes to a pool of PoolModule', async () => {
    const orders = pgPool({ name: 'orders', ...watch.config, max: 1 });
    @Module({
      imports: [PoolModule.forRoot({ pools: [orders] })],
      providers: [{ provide: 'DB', useFactory: pgDatabase, inject: [getPoolToken('orders')] }],
    })
    class App {}
    const app: INestApplicationContext = await NestFactory.createApplicationContext(App, { logger: false });
    const db = app.get<PgDatabase>('DB');
    expect((await db.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await app.close();
    expect(await watch.backends()).toEqual([]);
  });
});

describe('one transaction', () => {
  beforeEach(async () => {
    await watch.sql('drop table if exists moved');
    await watch.sql('create table moved (n int unique)');
  });
  const count = async (): Promise<number> => (await watch.sql('select * from moved')).length;
  const insert = (client: Client): Promise<QueryResult> => client.query('insert into moved values (1)');

  it('is committed, and gives what its work gives', async () => {
    await using pool = one();
    const result = pgDatabase(pool).transaction(async client => (await insert(client)).rowCount);
    expectTypeOf(result).toEqualTypeOf<Promise<number | null>>();
    expect(await result).toBe(1);
    expect(await count()).toBe(1);
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0 });
  });

  it('is rolled back when its work throws', async () => {
    await using pool = one();
    const reason = new Error('no');
    const failed = pgDatabase(pool).transaction(async client => {
      await insert(client);
      throw reason;
    });
    expect(await failureOf(failed)).toBe(reason);
    expect(await count()).toBe(0);
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it('is not taken for committed when a statement of it has failed', async () => {
    await using pool = one();
    const failed = pgDatabase(pool).transaction(async client => {
      await insert(client);
      await insert(client).catch(() => undefined);
    });
    await expect(failed).rejects.toThrow('There was nothing to commit');
    expect(await count()).toBe(0);
  });

  it.each<[PgTransactionOptions, string, string]>([
    [{}, 'read committed', 'off'],
    [{ isolation: 'repeatable read' }, 'repeatable read', 'off'],
    [{ isolation: 'serializable', readOnly: true }, 'serializable', 'on'],
  ])('is what it is said to be: %j', async (options, isolation, readOnly) => {
    await using pool = one();
    await pgDatabase(pool).transaction(async client => {
      expect((await client.query('show transaction_isolation')).rows).toEqual([
        { transaction_isolation: isolation },
      ]);
      expect((await client.query('show transaction_read_only')).rows).toEqual([
        { transaction_read_only: readOnly },
      ]);
    }, options);
    await expect(
      pgDatabase(pool).transaction(() => 1, { isolation: 'snapshot; drop table moved' as never }),
    ).rejects.toThrow(`option "isolation" is a string; it must be 'read committed'`);
  });

  it('is rolled back when its signal is aborted, in the middle of a query or not', async () => {
    await using pool = one();
    const db = pgDatabase(pool);
    const reason = new Error('changed my mind');
    const during = new AbortController();
    const sleeping = failureOf(
      db.transaction(
        async client => {
          await insert(client);
          await client.query('select pg_sleep(3600)');
        },
        { signal: during.signal },
      ),
    );
    await watch.untilRunning('pg_sleep(3600)');
    during.abort(reason);
    expect(await sleeping).toBe(reason);

    const between = new AbortController();
    const inserting = db.transaction(
      async client => {
        await insert(client);
        between.abort(reason);
      },
      { signal: between.signal },
    );
    expect(await failureOf(inserting)).toBe(reason);
    expect(await count()).toBe(0);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });
});

describe('cancelOnAbort', () => {
  it('cancels what runs, fails what waits, and leaves a client that can be used', async () => {
    await using pool = one();
    const abort = new AbortController();
    const reason = new Error('changed my mind');
    await pool.use(async client => {
      cancelOnAbort(client, abort.signal);
      const queries = ['select pg_sleep(3600)', 'select 1'].map(text => failureOf(client.query(text)));
      await watch.untilRunning('pg_sleep(3600)');
      abort.abort(reason);
      // At once, so that the request to cancel is still under way.
      const next = client.query('select 1 as one from pg_sleep(0.02)');
      expect(await Promise.all(queries)).toEqual([expect.objectContaining({ code: '57014' }), reason]);
      expect((await next).rows).toEqual([{ one: 1 }]);
    });
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it('does nothing to the query behind one that ends just then', async () => {
    await using pool = one();
    for (let i = 0; i < 30; i++) {
      await pool.use(async client => {
        const abort = new AbortController();
        cancelOnAbort(client, abort.signal);
        const first = client.query('select 1').catch((error: unknown) => error);
        setImmediate(() => abort.abort());
        await first;
        await client.query('select 2 from pg_sleep(0.005)');
      });
    }
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('is over with the lease, and when it is stopped', async () => {
    await using pool = one();
    const abort = new AbortController();
    const listened: string[] = [];
    const { signal } = abort;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listened.push('added');
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listened.push('removed');
      removeEventListener.apply(signal, args);
    };
    const left = await pool.use(client => {
      cancelOnAbort(client, signal);
      return client;
    });
    await pool.use(async client => {
      const query = client.query('select 1 as one from pg_sleep(0.02)');
      abort.abort();
      cancelOnAbort(left, signal);
      expect((await query).rows).toEqual([{ one: 1 }]);
    });
    expect(listened).toEqual(['added', 'removed']);

    await pool.use(async client => {
      const other = new AbortController();
      const query = client.query('select 1 as one from pg_sleep(0.02)');
      {
        using _cancelling = cancelOnAbort(client, other.signal);
      }
      other.abort();
      expect((await query).rows).toEqual([{ one: 1 }]);
    });
  });

  it('works through a proxy that detects late uses', async () => {
    await using pool = one({ detectUseAfterRelease: true });
    await pool.use(async client => {
      const abort = new AbortController();
      cancelOnAbort(client, abort.signal);
      const query = failureOf(client.query('select pg_sleep(3600)'));
      await watch.untilRunning('pg_sleep(3600)');
      abort.abort();
      expect(await query).toMatchObject({ code: '57014' });
    });
  });

  it('refuses what is not a client of a pool, or no signal', async () => {
    await using pool = one();
    expect(() => cancelOnAbort({} as Client, new AbortController().signal)).toThrow(PoolOptionsError);
    await pool.use(client => {
      expect(() => cancelOnAbort(client, undefined as never)).toThrow('needs an AbortSignal');
    });
  });
});
