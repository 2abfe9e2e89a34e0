import type { Client } from 'pg';
import type { LocalPostgres } from 'local-postgres';
import { Pool, type Lease } from '../../src/engine/index.js';
import { pgPool, type PgPoolOptions } from '../../src/resources/pg.js';
import { PostgresWatch } from './postgres.js';

/** One connection that several share, as those of one request do, and the table `notes (n int)`. */
export class SharedConnection {
  private constructor(
    readonly watch: PostgresWatch,
    readonly pool: Pool<Client>,
    readonly lease: Lease<Client>,
    /** What the server was sent as simple queries. */
    readonly sent: string[],
  ) {}

  static async open(server: LocalPostgres, options: Partial<PgPoolOptions> = {}): Promise<SharedConnection> {
    const watch = await PostgresWatch.open(server);
    await watch.sql('drop table if exists notes');
    await watch.sql('create table notes (n int)');
    const pool = new Pool(pgPool({ ...watch.config, max: 1, ...options }));
    const lease = await pool.acquire();
    const sent: string[] = [];
    const { connection } = lease.resource;
    const query = connection.query.bind(connection);
    connection.query = text => {
      sent.push(text);
      query(text);
    };
    return new SharedConnection(watch, pool, lease, sent);
  }

  /** As `await this.db.get()` of each service gives it: a handle of its own. */
  readonly get = (): Promise<Client> => Promise.resolve(this.lease.share());

  /** Those that are there for everybody. */
  async notes(): Promise<number[]> {
    return (await this.watch.sql<{ n: number }>('select n from notes order by n')).map(row => row.n);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close({ timeout: 0 });
    await this.watch[Symbol.asyncDispose]();
  }
}
