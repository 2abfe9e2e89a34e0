import { expect } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client, type ClientConfig } from 'pg';
import { Pool, type AcquireOptions, type Lease, type PoolSettings } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

/** Makes a pool of clients. */
export type MakePool = (config: Omit<ClientConfig, 'keepAlive'>, settings: PoolSettings) => Pool<Client>;

/** The factory of this package, which knows PostgreSQL well. */
export const withPgPool: MakePool = (config, settings) => new Pool(pgPool({ ...config, ...settings }));

/** The least that somebody would write who has only read how a pool is made. */
export const withBareClients: MakePool = (config, settings) =>
  new Pool<Client>({
    ...settings,
    create: async ({ invalidate }) => {
      const client = new pg.Client(config);
      client.on('error', invalidate);
      await client.connect();
      return client;
    },
    validate: client => client.query(''),
    reset: client => client.query('DISCARD ALL'),
    destroy: client => client.end(),
  });

/** What has to stand every fault. */
export const MAKERS: readonly [name: string, make: MakePool][] = [
  ['pgPool', withPgPool],
  ['a factory of bare Clients', withBareClients],
];

export const pidOf = (client: Client): number => (client as unknown as { processID: number }).processID;

/**
 * A pool whose connections go through a network that can fail, and what must be true of it whatever fails: nobody gets
 * what is somebody else's, the cap holds, and afterwards there is as much to be had as before.
 *
 * Stray rejections and exceptions need no watch here: Jest fails the test in which they happen (and hides them from
 * `process.on`, so that a watch of our own would hear nothing).
 */
export class FaultBench implements AsyncDisposable {
  private static count = 0;
  private readonly out = new Set<number>();
  private asked = 0;

  private constructor(
    readonly server: LocalPostgres,
    readonly proxy: TcpProxy,
    readonly pool: Pool<Client>,
    private readonly application: string,
    /**
     * Does a destroy end when the server has closed its end? That of a bare Client that was told of its end does not: pg
     * closes the socket then without waiting, and for a moment the server has one more.
     */
    private readonly exact: boolean,
  ) {}

  static async open(
    server: LocalPostgres,
    settings: PoolSettings,
    make: MakePool = withPgPool,
  ): Promise<FaultBench> {
    await server.start();
    const proxy = await TcpProxy.before(server.port, first => !isCancelRequest(first));
    const application = `bench-${process.pid}-${FaultBench.count++}`;
    const config = { host: '127.0.0.1', port: proxy.port, user: 'postgres', database: 'postgres' };
    const pool = make(
      { ...config, application_name: application },
      // Outages are over soon here.
      { createBackoff: { initial: 10, max: 50 }, ...settings },
    );
    return new FaultBench(server, proxy, pool, application, make === withPgPool);
  }

  /** Borrows, and sees that nobody else has the same connection. */
  async acquire(options?: AcquireOptions): Promise<Lease<Client>> {
    const lease = await this.pool.acquire(options);
    const pid = pidOf(lease.resource);
    if (this.out.has(pid)) throw new Error(`backend ${pid} is lent twice`);
    this.out.add(pid);
    return lease;
  }

  /** Gives back what {@link acquire} gave. */
  release(lease: Lease<Client>, error?: unknown): void {
    this.out.delete(pidOf(lease.resource));
    lease.release(error);
  }

  /** Borrows and asks; the error of whoever fails. */
  async visit(options?: AcquireOptions): Promise<number> {
    const lease = await this.acquire(options);
    try {
      const pid = await this.ask(lease.resource);
      this.release(lease);
      return pid;
    } catch (error) {
      this.release(lease, error);
      throw error;
    }
  }

  /** The backend that answers: it must be the client's own, and the answer one to this question. */
  async ask(client: Client): Promise<number> {
    const question = this.asked++;
    const { rows } = await client.query<{ pid: number; answer: number }>(
      'select pg_backend_pid() as pid, $1::int as answer',
      [question],
    );
    expect(rows).toEqual([{ pid: pidOf(client), answer: question }]);
    return pidOf(client);
  }

  /** After the fault: `max` can be had at once, each with a backend of its own, and the server has no others. */
  async expectWhole(): Promise<void> {
    const { pool, proxy } = this;
    const { max } = pool.stats();
    const leases = await Promise.all(Array.from({ length: max }, () => this.acquire()));
    const pids = await Promise.all(leases.map(lease => this.ask(lease.resource)));
    expect(new Set(pids).size).toBe(max);
    // What was cut off from its client ends when the server notices.
    await until(
      () => this.backends(),
      seen => seen.length === max && seen.every(pid => pids.includes(pid)),
    );
    expect(pool.stats()).toMatchObject({ total: max, leased: max, waiting: 0, abandoned: 0 });
    for (const lease of leases) this.release(lease);
    await until(
      () => pool.stats().idle,
      idle => idle === max,
    );
    expect(proxy.open).toBe(max);
    // At no moment has the server had more than that.
    if (this.exact) expect(proxy.peak).toBeLessThanOrEqual(max);
  }

  /** Past the pool and past the network. */
  async sql<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    const client = new pg.Client(this.server.url);
    await client.connect();
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  async backends(): Promise<number[]> {
    const rows = await this.sql<{ pid: number }>(
      'select pid from pg_stat_activity where application_name = $1',
      [this.application],
    );
    return rows.map(row => row.pid);
  }

  /** Resolves when so many of the pool's backends are in the middle of `pg_sleep`. */
  async untilAsleep(count: number): Promise<void> {
    await until(
      () =>
        this.sql(`select pid from pg_stat_activity where application_name = $1 and wait_event = 'PgSleep'`, [
          this.application,
        ]),
      rows => rows.length === count,
    );
  }

  /** The server ends these backends. */
  async kill(pids: number[]): Promise<void> {
    await this.sql('select pg_terminate_backend(pid) from unnest($1::int[]) as pid', [pids]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.restore();
    await this.pool.close({ timeout: 0 });
    await this.proxy[Symbol.asyncDispose]();
  }
}

/** The word that libpq's PQcancel begins a connection with; it never becomes a session. */
function isCancelRequest(first: Buffer): boolean {
  return first.length >= 8 && first.readInt32BE(4) === 80877102;
}
