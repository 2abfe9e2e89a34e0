import { createServer, type AddressInfo } from 'node:net';
import { get as httpGet } from 'node:http';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { KeyedPool, Pool, PoolClosedError, PoolOptionsError } from '../../src/engine/index.js';
import { keyedPgPool, pgPool, type PgPoolOptions } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
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

function poolOfOne(options: PgPoolOptions = {}): Pool<Client> {
  const pool = new Pool(pgPool({ ...watch.config, max: 1, ...options }));
  pools.push(pool);
  return pool;
}

const pidOf = (client: Client): unknown => (client as { processID?: unknown }).processID;

/** What the next borrower finds, when all that follows a return is done. */
async function settled(pool: Pool<Client>): Promise<object> {
  await pool.use(client => client.query('select 1'));
  return pool.stats().totals.destroyedBy;
}

describe('an error that a borrower has seen', () => {
  const socketError = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
  it.each([
    ['of another socket', () => socketError],
    ['of a client that is over', () => new Error('Client was closed and is not queryable')],
    ['of another pool', () => new PoolClosedError('other', 'closed')],
    ['with a severity that somebody made up', () => Object.assign(new Error('x'), { severity: 'FATAL' })],
  ])('says nothing of its connection: %s', async (_, make) => {
    const pool = poolOfOne({ recycleOnFatal: true });
    const work = async (client: Client): Promise<never> => {
      await client.query('select 1');
      throw make();
    };
    await failureOf(pool.use(work));
    expect(await settled(pool)).toEqual({});
  });

  it('of a service that hangs up costs no connection', async () => {
    const flaky = createServer(socket => socket.once('data', () => socket.resetAndDestroy())).listen(0);
    await once(flaky, 'listening');
    const { port } = flaky.address() as AddressInfo;
    const pool = poolOfOne({ recycleOnFatal: true });
    const error = await failureOf(
      pool.use(async client => {
        await client.query('select 1');
        await new Promise((_, reject) => httpGet({ port }).on('error', reject));
      }),
    );
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(await settled(pool)).toEqual({});
    flaky.close();
  });

  it('of another pg client that was ended by the server costs no connection', async () => {
    const pool = poolOfOne();
    const other = new pg.Client(watch.config);
    other.on('error', () => {});
    await other.connect();
    const error = await failureOf(
      pool.use(() => other.query('select pg_terminate_backend(pg_backend_pid())')),
    );
    expect(error).toMatchObject({ code: '57P01' });
    expect(await settled(pool)).toEqual({});
  });

  it('about parameters, 08P01, is the statement’s own', async () => {
    const pool = poolOfOne();
    const error = await failureOf(pool.use(client => client.query('select $1::int, $2::int', [1])));
    expect(error).toMatchObject({ code: '08P01', severity: 'ERROR' });
    expect(await settled(pool)).toEqual({});
  });

  it('that the server ends the session with costs the connection', async () => {
    const pool = poolOfOne();
    const gone = pool.use(client => client.query('select pg_terminate_backend(pg_backend_pid())'));
    expect(await failureOf(gone)).toMatchObject({ code: '57P01' });
    expect(await settled(pool)).toEqual({ fatal: 1 });
  });

  it('of whatever kind costs a connection whose socket has failed', async () => {
    const pool = poolOfOne();
    const lease = await pool.acquire();
    lease.resource.connection.stream.destroy();
    await once(lease.resource.connection.stream, 'close');
    lease.release(new Error('no rows'));
    expect(await settled(pool)).toEqual({ fatal: 1 });
  });

  it('25P03, idle in transaction for too long, costs the connection, and its holder is told', async () => {
    const pool = poolOfOne({ idle_in_transaction_session_timeout: 20 });
    const lease = await pool.acquire();
    await lease.resource.query('begin');
    const { signal } = lease;
    if (!signal.aborted) await once(signal, 'abort');
    expect(signal.reason).toMatchObject({
      code: 'POOL_RESOURCE_INVALIDATED',
      cause: { code: '25P03' },
    });
    // Those who share it go on to have it, until whoever began has tried to end what was lost.
    expect(lease.broken).toBe(false);
    await failureOf(lease.resource.query('rollback'));
    expect(lease.broken).toBe(true);
    lease.release();
    expect(await settled(pool)).toEqual({ invalid: 1 });
  });
});

describe('isFatal of the user', () => {
  it('is asked with the client, and only when the connection itself has nothing to say', async () => {
    const asked: unknown[] = [];
    const pool = poolOfOne({
      isFatal: (error, client) => {
        asked.push([error, client instanceof pg.Client]);
        return (error as { code?: unknown }).code === '22012';
      },
    });
    const harmless = await failureOf(pool.use(client => client.query('select nonsense')));
    const fatal = await failureOf(pool.use(client => client.query('select 1 / 0')));
    await failureOf(pool.use(client => client.query('select pg_terminate_backend(pg_backend_pid())')));
    expect(await settled(pool)).toEqual({ fatal: 2 });
    expect(asked).toEqual([
      [harmless, true],
      [fatal, true],
    ]);
  });

  it('is asked by pools by key, too', async () => {
    await using pools = new KeyedPool(
      keyedPgPool({ ...watch.config, maxTotal: 1, connection: () => ({}), isFatal: () => true }),
    );
    await failureOf(pools.use('a', client => client.query('select 1 / 0')));
    await pools.use('b', client => client.query('select 1'));
    expect(pools.stats().totals.destroyedBy).toEqual({ fatal: 1 });
  });

  it('must be a function', () => {
    expect(() => pgPool({ name: 'orders', isFatal: true as never })).toThrow(PoolOptionsError);
    expect(() => pgPool({ name: 'orders', isFatal: true as never })).toThrow(
      'Pool "orders": option "isFatal" is true; it must be a function',
    );
  });
});

describe('a server that refuses to write', () => {
  const write = (client: Client): Promise<unknown> => client.query('create table written (n int)');

  it('as a whole, since a failover for example, costs the connection', async () => {
    const pool = poolOfOne();
    const pid = await pool.use(client => pidOf(client));
    await watch.sql('alter system set default_transaction_read_only = on');
    await watch.sql('select pg_reload_conf()');
    try {
      // Nothing else is sent meanwhile, or the server would report it before.
      const tryTo = (): Promise<unknown> =>
        pool.use(client => write(client)).catch((error: unknown) => error);
      const refused = await until(
        async () => {
          await watch.sql('set default_transaction_read_only = off');
          await watch.sql('drop table if exists written');
          return tryTo();
        },
        seen => seen instanceof Error,
      );
      expect(refused).toMatchObject({ code: '25006' });
      expect(await pool.use(client => pidOf(client))).not.toBe(pid);
      expect(pool.stats().totals.destroyedBy).toEqual({ 'reset-failed': 1 });
      // Another is no better, and may come to another server.
      const next = await pool.use(client => pidOf(client));
      expect(await failureOf(pool.use(write))).toMatchObject({ code: '25006' });
      expect(await pool.use(client => pidOf(client))).not.toBe(next);
    } finally {
      await watch.sql('set default_transaction_read_only = off');
      await watch.sql('alter system reset default_transaction_read_only');
      await watch.sql('select pg_reload_conf()');
    }
  });

  it.each<[string, PgPoolOptions, (client: Client) => Promise<unknown>]>([
    ['the transaction', {}, client => client.query('begin read only')],
    ['the session', {}, client => client.query('set default_transaction_read_only = on')],
    [
      'the session, in other words',
      {},
      client => client.query('set session characteristics as transaction read only'),
    ],
    [
      'the session for good',
      { sessionReset: 'never' },
      client => client.query('set default_transaction_read_only = on'),
    ],
    ['the pool', { options: '-c default_transaction_read_only=on' }, client => client.query('select 1')],
  ])('because its user wanted it for %s costs nothing', async (_, options, prepare) => {
    const pool = poolOfOne(options);
    for (let i = 0; i < 2; i++) {
      const work = async (client: Client): Promise<void> => {
        await prepare(client);
        await write(client);
      };
      expect(await failureOf(pool.use(work))).toMatchObject({ code: '25006' });
    }
    expect(await settled(pool)).toEqual({});
    expect(pool.stats().totals.created).toBe(1);
  });

  it('is asked once, not with every return', async () => {
    const pool = poolOfOne();
    await failureOf(
      pool.use(async client => {
        await client.query('begin read only');
        await write(client);
      }),
    );
    const lease = await pool.acquire();
    await lease.resource.query('select 1');
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, resetting: 0 });
  });
});

describe('a statement prepared by name that the server knows otherwise than pg', () => {
  const named = { name: 'all', text: 'select * from plans' };
  beforeEach(async () => {
    await watch.sql('drop table if exists plans');
    await watch.sql('create table plans (a int)');
  });

  it('since its table was altered fails once, and works when it is repeated', async () => {
    const pool = poolOfOne();
    await pool.use(client => client.query(named));
    await watch.sql('alter table plans add b int');
    await pool.use(async client => {
      await expect(client.query(named)).rejects.toMatchObject({ code: '0A000' });
      expect((await client.query(named)).fields.map(field => field.name)).toEqual(['a', 'b']);
    });
    expect((await pool.use(client => client.query(named))).fields).toHaveLength(2);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('since its table was altered works again after the transaction in which it has failed', async () => {
    const pool = poolOfOne();
    await pool.use(client => client.query(named));
    await watch.sql('alter table plans add b int');
    await pool.use(async client => {
      await client.query('begin');
      await expect(client.query(named)).rejects.toMatchObject({ code: '0A000' });
      await expect(client.query(named)).rejects.toMatchObject({ code: '25P02' });
      await client.query('rollback');
      expect((await client.query(named)).fields).toHaveLength(2);
    });
    expect(pool.stats().totals.created).toBe(1);
  });

  it('since all were deallocated fails once, and works when it is repeated', async () => {
    const pool = poolOfOne();
    await pool.use(async client => {
      await client.query(named);
      await client.query('deallocate all');
      await expect(client.query(named)).rejects.toMatchObject({ code: '26000' });
      expect((await client.query(named)).rowCount).toBe(0);
    });
    expect(pool.stats().totals.created).toBe(1);
  });

  it('since there is one of that name already fails once, and works when it is repeated', async () => {
    const pool = poolOfOne();
    await pool.use(async client => {
      await client.query('prepare "all" as select 1');
      await expect(client.query(named)).rejects.toMatchObject({ code: '42P05' });
      expect((await client.query(named)).rowCount).toBe(0);
      expect((await client.query(named)).rowCount).toBe(0);
    });
    expect(pool.stats().totals.created).toBe(1);
  });

  it('is no reason to forget the others', async () => {
    const pool = poolOfOne();
    await pool.use(async client => {
      await client.query({ name: 'other', text: 'select 1' });
      await client.query(named);
      await watch.sql('alter table plans add b int');
      await failureOf(client.query(named));
      expect((client.connection as unknown as { parsedStatements: object }).parsedStatements).toEqual({
        other: 'select 1',
      });
      expect((await client.query({ name: 'other', text: 'select 1' })).rowCount).toBe(1);
    });
  });
});
