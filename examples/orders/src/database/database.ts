import { pgPool, type PgPool } from 'nestjs-pool/pg';
import { SCHEMA } from './schema.js';

/** Where the shop keeps its orders. */
export class Database {
  constructor(
    readonly url: string,
    /** Tells the shop's connections from others, in pg_stat_activity. */
    readonly application = 'orders',
  ) {}

  /** How the pool makes, checks, cleans and ends a connection. */
  connections(): PgPool {
    return pgPool({
      connectionString: this.url,
      application_name: this.application,
      options: `-c search_path=${SCHEMA}`,
      connectionTimeoutMillis: 5_000,
    });
  }

  /** Called at the end of the application, when nobody is connected any more. */
  async stop(): Promise<void> {
    // A database that others run goes on without us.
  }
}
