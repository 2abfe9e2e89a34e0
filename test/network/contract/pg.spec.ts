import { startPostgres, type LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { Pool, type PoolSettings } from '../../../src/engine/index.js';
import { pgPool } from '../../../src/resources/pg.js';
import { keepsTheContract } from './contract.js';
import type { Backend } from './subject.js';

const APPLICATION = 'contract';

class PostgresBackend implements Backend<Client> {
  constructor(private readonly local: LocalPostgres) {}

  get port(): number {
    return this.local.port;
  }

  pool(port: number, settings: PoolSettings): Pool<Client> {
    const config = { host: '127.0.0.1', port, user: 'postgres', database: 'postgres' };
    return new Pool(pgPool({ ...config, application_name: APPLICATION, ...settings }));
  }

  async session(client: Client): Promise<string> {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return String(rows[0]!.pid);
  }

  slow(client: Client, ms: number): Promise<unknown> {
    return client.query('select pg_sleep($1)', [ms / 1_000]);
  }

  async stain(client: Client): Promise<void> {
    await client.query(
      "set search_path to nowhere; prepare stain as select 1; select set_config('stain.it', '1', false)",
    );
    await client.query('begin');
  }

  async isStained(client: Client): Promise<boolean> {
    const { rows } = await client.query<{ stained: boolean }>(
      `select current_setting('search_path') = 'nowhere' or coalesce(current_setting('stain.it', true), '') <> ''
         or exists (select 1 from pg_prepared_statements where name = 'stain') as stained`,
    );
    return rows[0]!.stained;
  }

  async sessions(): Promise<string[]> {
    const rows = await this.look('select pid::text as pid from pg_stat_activity where application_name = $1');
    return rows.map(({ pid }) => String(pid));
  }

  async running(): Promise<number> {
    const rows = await this.look(
      "select pid from pg_stat_activity where application_name = $1 and state = 'active' and query like '%pg_sleep%'",
    );
    return rows.length;
  }

  async kill(session: string): Promise<void> {
    await this.look(`select pg_terminate_backend(${Number(session)}) from (select $1) as application`);
  }

  stop(): Promise<void> {
    return this.local.stop();
  }

  start(): Promise<void> {
    return this.local.start();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.local.close();
  }

  private async look(sql: string): Promise<Record<string, unknown>[]> {
    const observer = new pg.Client(this.local.url);
    await observer.connect();
    try {
      return (await observer.query<Record<string, unknown>>(sql, [APPLICATION])).rows;
    } finally {
      await observer.end();
    }
  }
}

keepsTheContract({
  name: 'a connection of pgPool',
  open: async () => new PostgresBackend(await startPostgres({ maxConnections: 30 })),
});
