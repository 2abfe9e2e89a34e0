import { Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { getPoolToken, Pool, PoolModule } from 'nestjs-pool';
import { pgPool, typeormDriver } from 'nestjs-pool/pg';
import type { Client } from 'pg';
import { Product } from './product.js';
import { Sale } from './sale.js';

// From here on the compiler knows the pool's name and what it lends.
declare module 'nestjs-pool' {
  interface Pools {
    'shop-db': Client;
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
              name: 'shop-db',
              useFactory: () => pgPool({ connectionString, application_name: 'shop-typeorm' }),
              max: 10,
              acquireTimeout: 2_000,
              maxWaiting: 200,
              // A database that comes back after an outage is found again within a second.
              createBackoff: { max: 1_000 },
            },
          ],
        }),
        TypeOrmModule.forRootAsync({
          inject: [getPoolToken('shop-db')],
          useFactory: (pool: Pool<Client>) => ({
            type: 'postgres' as const,
            driver: typeormDriver(pool),
            entities: [Product, Sale],
            // Migrations are what an application in earnest has.
            synchronize: true,
          }),
        }),
      ],
    };
  }
}
