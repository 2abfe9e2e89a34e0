import { startPostgres, type LocalPostgres } from 'local-postgres';
import { Database } from './database.js';

/** A PostgreSQL of the shop's own, which lives as long as the application. */
export class LocalDatabase extends Database {
  private constructor(private readonly postgres: LocalPostgres) {
    super(postgres.url);
  }

  static async start(): Promise<LocalDatabase> {
    return new LocalDatabase(await startPostgres({ database: 'orders' }));
  }

  /** Stops the server, and starts it again after so many milliseconds. */
  async interrupt(ms: number): Promise<void> {
    await this.postgres.stop();
    setTimeout(() => void this.postgres.start(), ms).unref();
  }

  override async stop(): Promise<void> {
    await this.postgres.close();
  }
}
