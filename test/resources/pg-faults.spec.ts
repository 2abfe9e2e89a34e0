import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import QueryStream from 'pg-query-stream';
import { Pool } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;
let watch: PostgresWatch;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  await server.start();
  watch = await PostgresWatch.open(server);
});
afterEach(() => watch[Symbol.asyncDispose]());

const pidOf = (client: Client): number => (client as unknown as { processID: number }).processID;

describe('a connection that goes', () => {
  it('while idle is replaced, and the process goes on', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    const pid = await pool.use(async client => pidOf(client));

    await watch.terminate(pid);
    await until(
      () => pool.stats().idle,
      seen => seen === 0,
    );

    expect(await pool.use(async client => pidOf(client))).not.toBe(pid);
    expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
  });

  it('while leased and idle is not lent again', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const ended = new Promise<void>(resolve => lease.resource.on('end', resolve));
    await watch.terminate(pidOf(lease.resource));
    await ended;
    expect(await failureOf(lease.resource.query('select 1'))).toMatchObject({
      message: expect.stringContaining('this query was not sent: terminating connection'),
      cause: { code: '57P01' },
    });
    lease.release();

    expect((await pool.use(client => client.query('select 1'))).rowCount).toBe(1);
    expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
  });

  it('and was announced to go keeps its place until the server has closed its end', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const { connection } = lease.resource;
    const next = pool.acquire();
    const left = new Promise<boolean>(resolve => {
      // This message is there before the end of the socket is.
      connection.once('errorMessage', () => {
        lease.release();
        resolve(connection.stream.destroyed);
      });
    });
    await watch.terminate(pidOf(lease.resource));
    expect(await left).toBe(false);
    (await next).release();
  });

  it('in the middle of a query fails the query, and is not lent again even if nobody tells the pool', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const query = failureOf(lease.resource.query('select pg_sleep(3600)'));
    await watch.untilRunning('pg_sleep');
    await watch.terminate(pidOf(lease.resource));
    expect(await query).toMatchObject({ code: '57P01' });
    // The socket is still open here: the server has only announced the end.
    lease.release();

    expect((await pool.use(client => client.query('select 1'))).rowCount).toBe(1);
    expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
  });

  it('under a stream fails the stream, and those that are closed later close', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const { resource: client } = lease;
    const rows = client.query(new QueryStream('select pg_sleep(0.001) from generate_series(1, 100000)'));
    const reading = failureOf(rows.toArray());
    await watch.untilRunning('generate_series');
    await watch.terminate(pidOf(client));
    expect(await reading).toMatchObject({ code: '57P01' });
    lease.release();
    await pool.use(async client => {
      const left = client.query(new QueryStream('select generate_series(1, 100000)'));
      await once(left, 'readable');
      client.connection.stream.destroy();
      await once(client.connection.stream, 'close');
      left.destroy();
      await once(left, 'close');
    });
    expect((await pool.use(client => client.query('select 1'))).rowCount).toBe(1);
  });

  it('between the last row of a stream and its end fails the stream', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const { resource: client } = lease;
    const rows = client.query(new QueryStream('select generate_series(1, 3)'));
    // The word that follows is the one that cursors wait for.
    client.connection.once('commandComplete', () => client.connection.stream.destroy());
    expect(await failureOf(rows.toArray())).toMatchObject({
      message: expect.stringContaining('Connection terminated'),
    });
    lease.release();
    expect((await pool.use(other => other.query('select 1'))).rowCount).toBe(1);
  });

  it('only in the eyes of pg, which is confused, is not lent again either', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    lease.resource.connection.emit('rowDescription', {});
    lease.release();

    expect((await pool.use(client => client.query('select 1'))).rowCount).toBe(1);
    expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
  });

  it('under the unfinished queries of a borrower who has left is replaced at once', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1, resetTimeout: Infinity }));
    const lease = await pool.acquire();
    const { resource: client } = lease;
    const queries = [client.query('select pg_sleep(3600)'), client.query('select 1')].map(failureOf);
    lease.release();
    await watch.untilRunning('pg_sleep');
    await watch.terminate(pidOf(client));

    expect((await pool.use(client => client.query('select 1'))).rowCount).toBe(1);
    expect(await Promise.all(queries)).toEqual([
      expect.objectContaining({ code: '57P01' }),
      expect.objectContaining({ code: 'POOL_LEASE_RELEASED' }),
    ]);
  });

  it('is recognised by the error of its borrower, unlike a failed statement', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    await watch.sql('create table if not exists uniques (id int primary key)');
    const insert = (client: Client): Promise<unknown> => client.query('insert into uniques values (1), (1)');
    expect(await failureOf(pool.use(insert))).toMatchObject({ code: '23505' });
    await until(
      () => pool.stats().idle,
      seen => seen === 1,
    );
    expect(pool.stats().totals.destroyed).toBe(0);

    const gone = pool.use(client => client.query('select pg_terminate_backend(pg_backend_pid())'));
    expect(await failureOf(gone)).toMatchObject({ code: '57P01' });
    expect((await pool.use(client => client.query('select 1'))).rowCount).toBe(1);
    expect(pool.stats().totals.destroyedBy).toEqual({ fatal: 1 });
  });

  it('with the whole server is noticed while idle; borrows are served again when it is back', async () => {
    await using pool = new Pool(pgPool({ ...watch.config, min: 3, max: 3, unavailableAfter: 2 }));
    await pool.start();

    await server.stop();
    await until(
      () => pool.stats().idle,
      seen => seen === 0,
    );
    expect(await failureOf(pool.acquire())).toMatchObject({ code: 'POOL_UNAVAILABLE' });
    await server.start();

    await until(
      () => pool.stats().idle,
      seen => seen === 3,
    );
    expect((await pool.use(client => client.query('select 1'))).rowCount).toBe(1);
  });

  it('is validated away when nothing says that it has gone', async () => {
    await using net = await BlackHole.before(server.port);
    const { connectionString, ...config } = watch.config;
    await using pool = new Pool(
      pgPool({
        ...config,
        connectionString: connectionString.replace(`:${server.port}`, `:${net.port}`),
        ...{ max: 1, validateAfterIdle: 0, validateTimeout: 50, destroyTimeout: 1_000 },
      }),
    );
    const [pid, { stream }] = await pool.use(async client => [pidOf(client), client.connection]);

    net.swallow();
    const next = pool.use(async client => pidOf(client));

    expect(await next).not.toBe(pid);
    // Its socket was destroyed, not abandoned.
    expect(pool.stats()).toMatchObject({ abandoned: 0, totals: { destroyedBy: { invalid: 1 } } });
    expect(stream.closed).toBe(true);
  });

  it('in a black hole does not keep close() waiting, whatever it was doing', async () => {
    await using net = await BlackHole.before(server.port);
    const pool = new Pool(
      pgPool({ host: '127.0.0.1', port: net.port, user: 'postgres', min: 2, max: 2, destroyTimeout: 1_000 }),
    );
    await pool.start();
    const { resource: client } = await pool.acquire();
    const query = failureOf(client.query('select pg_sleep(0)'));
    net.swallow();
    const stuck = failureOf(client.query('select 1'));

    await pool.close({ timeout: 0 });

    expect(pool.stats()).toMatchObject({ abandoned: 0, totals: { destroyed: 2 } });
    await Promise.all([query, stuck]);
  });
});

/** A network between the pool and the server that can fall silent without anybody being told. */
class BlackHole {
  readonly sockets: Socket[] = [];
  private readonly silenced = new WeakSet<Socket>();
  private readonly listener = createServer({ allowHalfOpen: true }, inner => {
    const outer = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    this.sockets.push(inner);
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      from.on('data', data => this.silenced.has(inner) || to.write(data));
      from.on('end', () => this.silenced.has(inner) || to.end());
      from.on('error', () => {});
    }
    inner.on('close', () => outer.destroy());
  });

  private constructor(private readonly target: number) {}

  static async before(target: number): Promise<BlackHole> {
    const net = new BlackHole(target);
    net.listener.listen(0, '127.0.0.1');
    await once(net.listener, 'listening');
    return net;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** The connections that there are fall silent; new ones are not concerned. */
  swallow(): void {
    for (const socket of this.sockets) this.silenced.add(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.listener.close();
    await once(this.listener, 'close');
  }
}
