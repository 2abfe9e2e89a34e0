import { Module, type DynamicModule } from '@nestjs/common';
import { PoolModule } from 'nestjs-pool';
import { pgPool } from 'nestjs-pool/pg';
import type { Client } from 'pg';
import { SCHEMA } from './prepare-database.js';

// From here on the compiler knows the pool's name and what it lends.
declare module 'nestjs-pool' {
  interface Pools {
    'chat-db': Client;
  }
}

@Module({})
export class DatabaseModule {
  static with(connectionString: string): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        PoolModule.forRoot({
          pools: [
            {
              name: 'chat-db',
              useFactory: () =>
                pgPool({
                  connectionString,
                  application_name: 'chat',
                  options: `-c search_path=${SCHEMA}`,
                }),
              // For all clients together, whatever they connect by: none has a connection while it says nothing.
              max: 5,
              acquireTimeout: 5_000,
              maxWaiting: 50,
            },
          ],
        }),
      ],
    };
  }
}
