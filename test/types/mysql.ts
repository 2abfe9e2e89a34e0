// What the compiler must accept and refuse of pools of MySQL connections. Checked by `npm run typecheck`, never run.
import { expectTypeOf } from 'expect-type';
import type { Pool as CorePool } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { KeyedPool, Pool, PoolModule, type Lease } from '../../src/index.js';
import { keyedMysqlPool, mysqlFacade, mysqlPool, type SessionReset } from '../../src/resources/mysql.js';

declare module '../../src/index.js' {
  interface Pools {
    'shop-mysql': Connection;
  }
}

const pool = new Pool(mysqlPool({ uri: 'mysql://db', max: 10, namedPlaceholders: true }));
expectTypeOf(pool).toEqualTypeOf<Pool<Connection>>();
expectTypeOf(pool.acquire()).toEqualTypeOf<Promise<Lease<Connection>>>();
expectTypeOf(mysqlFacade(pool)).toEqualTypeOf<CorePool>();
expectTypeOf<SessionReset>().toEqualTypeOf<'auto' | 'always' | 'never'>();

expectTypeOf(mysqlPool({ name: 'orders' }).name).toEqualTypeOf<'orders'>();
PoolModule.forRoot({ pools: [mysqlPool({ name: 'shop-mysql', host: 'db' })] });

const tenants = new KeyedPool(
  keyedMysqlPool({ maxTotal: 5, connection: (tenant: number) => ({ database: `tenant_${tenant}` }) }),
);
expectTypeOf(tenants).toEqualTypeOf<KeyedPool<number, Connection>>();

// @ts-expect-error -- an option of mysql2's own pool
mysqlPool({ connectionLimit: 10 });
// @ts-expect-error -- no such mode
mysqlPool({ sessionReset: 'sometimes' });
// @ts-expect-error -- an option of mysql2's own pool, for a key
keyedMysqlPool({ maxTotal: 5, connection: (_: string) => ({ queueLimit: 3 }) });
// @ts-expect-error -- the cap of all keys together is missing
keyedMysqlPool({ connection: (_: string) => ({}) });
// @ts-expect-error -- not a pool of mysql2's connections
mysqlFacade(new Pool({ create: () => 1 }));
