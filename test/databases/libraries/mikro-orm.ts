import { MikroORM, PostgreSqlDriver, defineEntity, p, type EntityManager } from '@mikro-orm/postgresql';
import { PostgresDialect, type PostgresCursorConstructor } from 'kysely';
import type pg from 'pg';
import { Cursor } from '../../support/pg-cursor.js';
import type { Driver, Queries } from './suite.js';

const User = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: { id: p.integer().primary(), name: p.string() },
});

function queries(em: EntityManager): Queries {
  return {
    insert: name => em.insert(User, { name }),
    names: async () =>
      (await em.fork({ keepTransactionContext: true }).find(User, {}, { orderBy: { name: 'asc' } })).map(
        ({ name }) => name,
      ),
    pid: async () => (await em.execute<{ pid: number }[]>('select pg_backend_pid() as pid'))[0]!.pid,
  };
}

export const mikroOrmDriver: Driver = {
  name: 'MikroORM',
  savepoints: true,
  streams: true,
  endsPool: true,
  leaks: {
    when: 'in a transaction',
    why: 'Kysely, below it, gives nothing back when BEGIN, COMMIT or ROLLBACK of a controlled transaction fails',
  },
  async open(pool: pg.Pool) {
    const orm = await MikroORM.init({
      driver: PostgreSqlDriver,
      driverOptions: new PostgresDialect({ pool, cursor: Cursor as unknown as PostgresCursorConstructor }),
      dbName: 'postgres',
      entities: [User],
      allowGlobalContext: true,
    });
    return {
      ...queries(orm.em),
      find: async name => (await orm.em.fork().findOne(User, { name }))?.name,
      transaction: work =>
        orm.em.transactional(tx =>
          work({ ...queries(tx), nested: inner => tx.transactional(nested => inner(queries(nested))) }),
        ),
      async *stream() {
        for await (const { name } of orm.em.fork().stream(User, { orderBy: { name: 'asc' } })) yield name;
      },
      close: () => orm.close(),
    };
  },
};
