import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { KeyedPool, Pool, PoolOptionsError, type BorrowOutcome } from '../../src/engine/index.js';
import { keyedPgPool, pgFacade, pgPool, type PgPoolOptions } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { TENANT_NOTES } from '../support/tenant-notes.js';

let server: LocalPostgres;
let watch: PostgresWatch;
const pools: { close(options: { timeout: number }): Promise<void> }[] = [];

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

function poolOf(options: PgPoolOptions): Pool<Client> {
  const pool = new Pool(pgPool({ ...watch.config, max: 1, ...options }));
  pools.push(pool);
  return pool;
}

const pidOf = (client: Client): unknown => (client as { processID?: unknown }).processID;
const only = async (client: Client, text: string): Promise<unknown> =>
  Object.values((await client.query<Record<string, unknown>>(text)).rows[0]!)[0];
/** The statements that go over the wire. */
function statements(client: Client): string[] {
  const sent: string[] = [];
  const wire = client.connection as unknown as { query(text: string): void };
  const query = wire.query.bind(wire);
  wire.query = text => {
    sent.push(text);
    query(text);
  };
  return sent;
}

describe('onBorrow of a pool of PostgreSQL connections', () => {
  it('keeps two tenants apart by row-level security, whoever had the connection before', async () => {
    await watch.sql(TENANT_NOTES);
    const pool = poolOf({
      max: 2,
      onBorrow: async (client, { owner }) => {
        await client.query('set role app_user');
        await client.query("select set_config('app.tenant', $1, false)", [
          (owner as { tenant: string } | undefined)?.tenant ?? '',
        ]);
      },
    });
    const bodies = async (tenant?: string): Promise<string> => {
      const seen = await pool.use(
        client => client.query<{ body: string }>('select body from notes order by 1'),
        tenant === undefined ? {} : { owner: { tenant } },
      );
      return seen.rows.map(({ body }) => body).join();
    };
    const wanted = Array.from({ length: 60 }, (_, i) => ['red', 'blue', undefined][i % 3]);
    const seen = await Promise.all(wanted.map(bodies));
    const expected = { red: 'r1,r2', blue: 'b1', nobody: '' };
    expect(seen).toEqual(wanted.map(tenant => expected[(tenant ?? 'nobody') as keyof typeof expected]));
    expect(pool.stats().totals).toMatchObject({ acquired: 60, destroyed: 0 });
  });

  it('is a borrower: what it sets is undone when the connection comes back', async () => {
    let sets = true;
    const pool = poolOf({
      onBorrow: async client => {
        if (sets) await client.query("set app.tenant = 'red'");
      },
    });
    const first = await pool.use(async client => [
      pidOf(client),
      await only(client, "select current_setting('app.tenant', true)"),
    ]);
    sets = false;
    const second = await pool.use(async client => [
      pidOf(client),
      await only(client, "select current_setting('app.tenant', true)"),
    ]);
    expect([first[1], second[1]]).toEqual(['red', '']);
    expect(second[0]).toBe(first[0]);
  });

  it('that fails in a transaction leaves neither that nor a role to the next borrower', async () => {
    let fails = true;
    const pool = poolOf({
      onBorrow: async client => {
        if (!fails) return;
        fails = false;
        await client.query('begin; set role pg_read_all_data');
        await client.query('select 1/0');
      },
    });
    expect(await failureOf(pool.acquire())).toMatchObject({ code: '22012' });
    await pool.use(async client => {
      expect(await only(client, 'select current_user')).toBe('postgres');
      expect(await only(client, 'select pg_current_xact_id_if_assigned()')).toBeNull();
      expect(await only(client, 'select now() = statement_timestamp()')).toBe(true);
    });
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('that ends with its connection fails its borrow, and the next one gets another connection', async () => {
    let kill = true;
    const pool = poolOf({
      onBorrow: async client => {
        if (!kill) return;
        kill = false;
        await client.query('select pg_terminate_backend(pg_backend_pid())');
      },
    });
    expect(await failureOf(pool.acquire())).toMatchObject({ code: '57P01' });
    expect(await pool.use(client => only(client, 'select 1'))).toBe(1);
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyed: 1 });
  });
});

describe('onCreate of a pool of PostgreSQL connections', () => {
  it('sets what survives every reset of what borrowers do, and is done again after it', async () => {
    let calls = 0;
    const heard: string[] = [];
    const pool = poolOf({
      onCreate: async client => {
        calls++;
        client.setTypeParser(pg.types.builtins.INT8, Number);
        client.on('notification', ({ payload }) => heard.push(payload ?? ''));
        await client.query('set search_path = pg_catalog');
        await client.query('listen news');
      },
    });
    const pids = new Set<unknown>();
    const found: unknown[] = [];
    for (let i = 0; i < 10; i++) {
      await pool.use(async client => {
        pids.add(pidOf(client));
        found.push([await only(client, 'show search_path'), await only(client, 'select 7::int8')]);
        client.on('notification', () => heard.push('a borrower'));
        await client.query("set search_path = nowhere; set statement_timeout = '1min'");
      });
    }
    expect(found).toEqual(Array.from({ length: 10 }, () => ['pg_catalog', 7]));
    expect(pids.size).toBe(1);
    // Each borrower left a trace, and whoever came next found what onCreate had set.
    const [last] = await pool.use(async client => [await only(client, 'show statement_timeout')]);
    expect(last).toBe('0');
    expect(calls).toBe(11);
    await watch.sql(`notify news, 'one'`);
    await until(
      () => heard.length,
      count => count > 0,
    );
    expect(heard).toEqual(['one']);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('costs nothing as long as borrowers leave no trace, and its own statements once for each DISCARD ALL', async () => {
    let sent: string[] = [];
    const pool = poolOf({
      onCreate: async client => {
        await client.query('set search_path = pg_catalog');
      },
    });
    await pool.use(client => {
      sent = statements(client);
    });
    for (let i = 0; i < 3; i++) await pool.use(client => client.query('select 1'));
    expect(sent).toEqual(['select 1', 'select 1', 'select 1']);
    const lease = await pool.acquire();
    await lease.resource.query('set lock_timeout = 5');
    lease.release();
    await lease.finished;
    expect(sent.slice(3)).toEqual(['set lock_timeout = 5', 'DISCARD ALL', 'set search_path = pg_catalog']);
    await pool.use(client => client.query('select 2'));
    expect(sent.slice(6)).toEqual(['select 2']);
  });

  it('that fails leaves no connection behind, and is the cause of what borrowers are told', async () => {
    const why = new Error('no such schema');
    const pool = poolOf({
      unavailableAfter: 1,
      onCreate: () => Promise.reject(why),
    });
    expect(await failureOf(pool.acquire())).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: why });
    await watch.untilBackends(0);
  });

  it('must not leave a transaction open', async () => {
    const pool = poolOf({
      unavailableAfter: 1,
      onCreate: async client => {
        await client.query('begin');
      },
    });
    const error = (await failureOf(pool.acquire())) as Error;
    expect((error.cause as Error).message).toBe('onCreate has left a transaction open');
  });
});

describe('a transaction that onBorrow begins and onReturn ends', () => {
  beforeEach(() => watch.sql('drop table if exists orders; create table orders (text text)'));
  const written = async (): Promise<string[]> =>
    (await watch.sql<{ text: string }>('select text from orders order by text')).map(({ text }) => text);
  const write = (client: Client, text: string): Promise<unknown> =>
    client.query('insert into orders values ($1)', [text]);
  const settled: string[] = [];
  const begins = { onBorrow: (client: Client) => client.query('begin') };
  const ends = {
    onReturn: async (client: Client, outcome: BorrowOutcome) => {
      const { command } = await client.query(outcome === 'success' ? 'commit' : 'rollback');
      settled.push(command);
    },
  };
  const transacting = (): Pool<Client> => poolOf({ ...begins, ...ends });
  const returned = async (pool: Pool<Client>, work: (client: Client) => unknown): Promise<unknown> => {
    const lease = await pool.acquire();
    let failure: unknown;
    try {
      await work(lease.resource);
    } catch (error) {
      failure = error;
    }
    lease.release(failure);
    await lease.finished;
    return failure;
  };
  beforeEach(() => void settled.splice(0));

  it('is that of all its borrower does, and is committed or rolled back by how that has ended', async () => {
    const pool = transacting();
    await returned(pool, client => Promise.all([write(client, 'a'), write(client, 'b')]));
    await returned(pool, async client => {
      await write(client, 'c');
      throw new Error('no');
    });
    await returned(pool, client => write(client, 'd'));
    expect(await written()).toEqual(['a', 'b', 'd']);
    expect(settled).toEqual(['COMMIT', 'ROLLBACK', 'COMMIT']);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('takes in whoever shares the lease, and is ended or begun again by none of them', async () => {
    const pool = transacting();
    const lease = await pool.acquire();
    const other = lease.share();
    await write(lease.resource, 'a');
    await write(other, 'b');
    for (const text of ['commit', 'rollback', 'commit; begin']) {
      expect(await failureOf(other.query(text))).toMatchObject({ code: 'PG_TRANSACTION_OVERLAP' });
    }
    expect(await failureOf(lease.begin())).toMatchObject({
      code: 'PG_TRANSACTION_OVERLAP',
      openedAt: expect.stringContaining('hooks.spec') as unknown,
    });
    expect(await failureOf(other.query('begin'))).toMatchObject({ code: 'PG_TRANSACTION_OVERLAP' });
    // As whoever has failed to begin does.
    expect(await failureOf(other.query('rollback'))).toMatchObject({ code: 'PG_TRANSACTION_OVERLAP' });
    await other.query('savepoint one');
    await write(other, 'undone');
    await other.query('rollback to savepoint one');
    await write(other, 'c');
    lease.release();
    await lease.finished;
    expect(await written()).toEqual(['a', 'b', 'c']);
    expect(settled).toEqual(['COMMIT']);
  });

  it('ends with onReturn whatever its borrower has left: a failed statement, one that still runs, a statement that waits', async () => {
    const pool = transacting();
    await returned(pool, async client => {
      await write(client, 'a');
      await failureOf(client.query('select 1/0'));
    });
    const late: Promise<unknown>[] = [];
    await returned(pool, client => {
      late.push(write(client, 'b'));
      late.push(failureOf(write(client, 'c')));
    });
    const [done, refused] = await Promise.all(late);
    expect(done).toMatchObject({ rowCount: 1 });
    expect(refused).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
    expect(settled).toEqual(['ROLLBACK', 'COMMIT']);
    expect(await written()).toEqual(['b']);
  });

  it('is rolled back where onReturn does not end it, or fails', async () => {
    for (const hooks of [begins, { ...begins, onReturn: () => Promise.reject(new Error('no')) }]) {
      const pool = poolOf(hooks);
      await returned(pool, client => write(client, 'a'));
      await pool.close();
    }
    await watch.untilBackends(0);
    expect(await written()).toEqual([]);
  });

  it('of the borrower’s own is ended by onReturn as well, where that is left open', async () => {
    const pool = poolOf(ends);
    await returned(pool, async client => {
      await client.query('begin');
      await write(client, 'a');
    });
    const lease = await pool.acquire();
    const transaction = await lease.begin();
    await write(transaction.resource, 'b');
    lease.release();
    await lease.finished;
    expect(settled).toEqual(['COMMIT', 'COMMIT']);
    expect(await written()).toEqual(['a', 'b']);
    await returned(pool, client => client.query('begin'));
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('is lost with its connection, and nobody goes on with the half of it on another', async () => {
    const pool = transacting();
    const lease = await pool.acquire();
    await write(lease.resource, 'a');
    await failureOf(lease.resource.query('select pg_terminate_backend(pg_backend_pid())'));
    await failureOf(lease.resource.query('rollback'));
    expect(lease.signal.aborted).toBe(true);
    expect(lease.broken).toBe(false);
    lease.release();
    await returned(pool, client => write(client, 'b'));
    expect(settled).toEqual(['COMMIT']);
    expect(await written()).toEqual(['b']);
  });

  it('is that of whoever has detached the client', async () => {
    const pool = transacting();
    const client = (await pool.acquire()).detach();
    await write(client, 'a');
    await client.query('commit');
    await client.end();
    expect(await written()).toEqual(['a']);
  });

  it('is that of whoever borrows by a facade, what is set up in it included', async () => {
    const pool = transacting();
    const facade = pgFacade(pool);
    let connects = 0;
    facade.on('connect', client => {
      connects++;
      void client.query("set lock_timeout = '1min'");
    });
    for (const text of ['a', 'b']) {
      const client = await facade.connect();
      await client.query('insert into orders values ($1)', [text]);
      expect(await only(client as unknown as Client, 'show lock_timeout')).toBe('1min');
      client.release(text === 'a' ? undefined : ((await failureOf(client.query('select 1/0'))) as Error));
    }
    await facade.query('select 1');
    await until(
      () => settled.length,
      count => count === 3,
    );
    expect(settled).toEqual(['COMMIT', 'ROLLBACK', 'COMMIT']);
    expect(await written()).toEqual(['a']);
    expect(connects).toBe(3);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });
});

describe('hooks of a pool that is lent by facades', () => {
  it('run for each of their loans, without an owner, and outside of the context of the borrower', async () => {
    const seen: unknown[] = [];
    const current = new AsyncLocalStorage<string>();
    const pool = poolOf({
      onBorrow: async (client, { owner, request }) => {
        seen.push(['borrow', owner, request, current.getStore()]);
        await client.query("select set_config('app.tenant', 'red', false)");
      },
      onReturn: (_client, outcome, { owner, request }) => {
        seen.push([outcome, owner, request, current.getStore()]);
      },
    });
    const facade = pgFacade(pool);
    await current.run('a request', async () => {
      const { rows } = await facade.query<{ t: string }>("select current_setting('app.tenant') t");
      expect(rows).toEqual([{ t: 'red' }]);
      const client = await facade.connect();
      client.release((await failureOf(client.query('select 1/0'))) as Error);
    });
    await until(
      () => seen.length,
      length => length === 4,
    );
    expect(seen).toEqual(
      ['borrow', 'success', 'borrow', 'error'].map(what => [what, undefined, undefined, undefined]),
    );
  });

  it('fail the loan with what onBorrow throws', async () => {
    const why = new Error('which tenant?');
    const facade = pgFacade(poolOf({ onBorrow: () => Promise.reject(why) }));
    expect(await failureOf(facade.query('select 1'))).toBe(why);
    expect(await failureOf(facade.connect())).toBe(why);
    expect(facade.idleCount).toBe(1);
  });

  it('hold also where a facade finds the connection as another has set it up, and has it reset first', async () => {
    const contexts = new Set<unknown>();
    const current = new AsyncLocalStorage<string>();
    let role: string | undefined;
    const pool = poolOf({
      onCreate: client => {
        contexts.add(current.getStore());
        return client.query('set search_path = pg_catalog');
      },
      onBorrow: client => {
        contexts.add(current.getStore());
        return role && client.query(`set role ${role}`);
      },
    });
    const seen: unknown[] = [];
    await current.run('a request', async () => {
      // Only what has left no trace is found as it was set up.
      for (role of [undefined, 'pg_read_all_data']) {
        const facade = pgFacade(pool);
        facade.on('connect', client => void client.query(`set lock_timeout = '${role ? 2 : 1}min'`));
        const { rows } = await facade.query<{ all: string }>(
          "select concat_ws(' ', current_user, current_setting('search_path'), current_setting('lock_timeout')) as all",
        );
        seen.push(rows[0]?.all);
      }
    });
    expect(seen).toEqual(['postgres pg_catalog 1min', 'pg_read_all_data pg_catalog 2min']);
    expect([...contexts]).toEqual([undefined]);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });
});

describe('hooks of a keyed pool of PostgreSQL connections', () => {
  it('are told the key', async () => {
    const pool = new KeyedPool(
      keyedPgPool({
        ...watch.config,
        maxTotal: 2,
        connection: (_tenant: string) => ({}),
        onCreate: async (client, { key }) => {
          await client.query("select set_config('app.made_for', $1, false)", [key]);
        },
        onBorrow: async (client, { key }) => {
          await client.query("select set_config('app.tenant', $1, false)", [key]);
        },
      }),
    );
    pools.push(pool);
    const settings = "select current_setting('app.made_for') || ' ' || current_setting('app.tenant')";
    for (const key of ['red', 'blue', 'red', 'blue']) {
      expect(await pool.use(key, client => only(client, settings))).toBe(`${key} ${key}`);
    }
    expect(pool.stats().totals.created).toBe(2);
  });
});

it('a hook that is no function is refused', () => {
  for (const name of ['onCreate', 'onBorrow', 'onReturn']) {
    expect(() => pgPool({ name: 'orders', [name]: 'select 1' })).toThrow(
      new PoolOptionsError('orders', `Pool "orders": option "${name}" is a string; it must be a function.`),
    );
  }
});
