import { Module, type DynamicModule } from '@nestjs/common';
import { KeyedPool, PoolModule } from 'nestjs-pool';
import { keyedPgPool } from 'nestjs-pool/pg';
import type { Client } from 'pg';
import { schemaOf, tenantOf } from './tenant.js';

// From here on the compiler knows that this pool has a key, and which.
declare module 'nestjs-pool' {
  interface Pools {
    tenants: KeyedPool<string, Client>;
  }
}

@Module({})
export class TenantsModule {
  static with(connectionString: string): DynamicModule {
    return {
      module: TenantsModule,
      imports: [
        PoolModule.forRoot({
          pools: [
            {
              name: 'tenants',
              key: tenantOf,
              useFactory: () =>
                keyedPgPool({
                  connectionString,
                  application_name: 'tenants',
                  connection: (tenant: string) => ({ options: `-c search_path=${schemaOf(tenant)}` }),
                  // What the database has for us, and how much of it one tenant may take.
                  maxTotal: 6,
                  max: 3,
                  acquireTimeout: 2_000,
                }),
            },
          ],
        }),
      ],
    };
  }
}
