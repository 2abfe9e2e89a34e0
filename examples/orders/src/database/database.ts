import type { Provider } from '@nestjs/common';
import { pgPool, type PgPool } from 'nestjs-pool/pg';
import { prepareDatabase } from './prepare-database.js';
import { SCHEMA } from './schema.js';

/** Where the shop keeps its orders: a PostgreSQL. */
export class Database {
  /** For another kind of database: what takes the place of the shop's providers of the same names. */
  readonly substitutes: Provider[] = [];

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

  /** Sees to its tables. Resolves with what it has found and done, for a human reader. */
  prepare(): Promise<string> {
    return prepareDatabase(this.url);
  }

  /** Called at the end of the application, when nobody is connected any more. */
  async stop(): Promise<void> {
    // A database that others run goes on without us.
  }
}
