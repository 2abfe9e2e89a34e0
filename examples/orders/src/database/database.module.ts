import { Module, type DynamicModule } from '@nestjs/common';
import { PoolModule } from 'nestjs-pool';
import type { Client } from 'pg';
import { DatabaseShutdown } from './database-shutdown.js';
import { Database } from './database.js';

// From here on the compiler knows the pool's name and what it lends.
declare module 'nestjs-pool' {
  interface Pools {
    'orders-db': Client;
  }
}

@Module({})
export class DatabaseModule {
  static with(database: Database): DynamicModule {
    return {
      module: DatabaseModule,
      // The factory of the pool gets the Database injected.
      global: true,
      imports: [
        PoolModule.forRoot({
          pools: [
            {
              name: 'orders-db',
              inject: [Database],
              useFactory: (database: Database) => database.connections(),
              start: 'warm',
              min: 2,
              max: 10,
              acquireTimeout: 2_000,
              maxWaiting: 200,
              // A database that comes back after an outage is found again within a second.
              createBackoff: { max: 1_000 },
              // Longer than any request takes. A live subscriber may well stay longer, and is then reported, once.
              leakThreshold: 15 * 60_000,
            },
          ],
        }),
      ],
      providers: [{ provide: Database, useValue: database }, DatabaseShutdown],
      exports: [Database],
    };
  }
}
