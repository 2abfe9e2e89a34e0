import { startMariadb, type LocalMariadb } from 'local-mariadb';
import { MariadbDatabase } from './mariadb-database.js';

/** A MariaDB of the shop's own, which lives as long as the application. The system has to have one installed. */
export class LocalMariadbDatabase extends MariadbDatabase {
  private constructor(private readonly mariadb: LocalMariadb) {
    super(mariadb.url);
  }

  static async start(): Promise<LocalMariadbDatabase> {
    return new LocalMariadbDatabase(await startMariadb({ database: 'orders' }));
  }

  override async stop(): Promise<void> {
    await this.mariadb.close();
  }
}
