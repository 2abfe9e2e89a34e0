// What the compiler must accept and refuse of pools of PostgreSQL connections. Checked by `npm run typecheck`, never run.
import { expectTypeOf } from 'expect-type';
import pg, { type Client } from 'pg';
import type { Db } from 'pg-boss';
import { Pool } from '../../src/index.js';
import {
  InjectPgPool,
  PgPoolModule,
  pgBossDatabase,
  pgFacade,
  pgPool,
  typeormDriver,
} from '../../src/pg/index.js';

const pool = new Pool(
  pgPool({ connectionString: 'postgres://db', max: 10, binary: true, allowExitOnIdle: true }),
);
expectTypeOf(pool).toEqualTypeOf<Pool<Client>>();
expectTypeOf(pgFacade(pool)).toEqualTypeOf<pg.Pool>();
expectTypeOf(pgBossDatabase(pool)).toExtend<Db>();
expectTypeOf(new (typeormDriver(pool).Pool)()).toEqualTypeOf<pg.Pool>();
pgFacade(pool, { Pool: class extends pg.Pool {}, end: 'close' });
pgPool({ Client: class extends pg.Client {}, replication: 'database', scramMaxIterations: 4_096 });
PgPoolModule.forFeature(['orders-db', { name: 'users-db', end: 'close' }]);

export class Users {
  constructor(@InjectPgPool('users-db') readonly db: pg.Pool) {}
}

// @ts-expect-error -- no such end
pgFacade(pool, { end: 'sometimes' });
// @ts-expect-error -- not a pool of pg's clients
pgFacade(new Pool({ create: () => 1 }));
// @ts-expect-error -- an instance, which not all connections can have in common
pgPool({ connection: {} });
