import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { InjectPool, Pool } from 'nestjs-pool';
import type { Client } from 'pg';
import { Database } from './database.js';

/** Stops the database after its last connection. */
@Injectable()
export class DatabaseShutdown implements OnApplicationShutdown {
  constructor(
    @InjectPool('orders-db') private readonly pool: Pool<Client>,
    private readonly database: Database,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    // The pools are closed last of all, but close() may be called by anybody who has to wait for it.
    await this.pool.close();
    await this.database.stop();
  }
}
