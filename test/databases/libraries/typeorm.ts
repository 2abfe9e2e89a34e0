import pg from 'pg';
import { DataSource, EntitySchema, type EntityManager } from 'typeorm';
import type { Driver, Queries } from './suite.js';

interface User {
  id?: number;
  name: string;
}

const users = new EntitySchema<User>({
  name: 'users',
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: String } },
});

/** What `typeormDriver` makes, but with the pool of the test. */
const typeormDriver = (pool: pg.Pool): object => ({
  ...pg,
  native: undefined,
  Pool: function () {
    return pool;
  },
});

function queries(manager: EntityManager): Queries {
  return {
    insert: name => manager.insert(users, { name }),
    names: async () => (await manager.find(users, { order: { name: 'asc' } })).map(({ name }) => name),
    pid: async () => (await manager.query<{ pid: number }[]>('select pg_backend_pid() as pid'))[0]!.pid,
  };
}

export const typeormLibrary: Driver = {
  name: 'TypeORM',
  savepoints: true,
  streams: true,
  endsPool: true,
  async open(pool: pg.Pool) {
    const source = new DataSource({ type: 'postgres', driver: typeormDriver(pool), entities: [users] });
    await source.initialize();
    const { manager } = source;
    return {
      ...queries(manager),
      find: async name => (await manager.findOneBy(users, { name }))?.name,
      transaction: work =>
        manager.transaction(tx =>
          work({ ...queries(tx), nested: inner => tx.transaction(nested => inner(queries(nested))) }),
        ),
      async *stream() {
        const rows = await manager.createQueryBuilder(users, 'u').orderBy('u.name').stream();
        for await (const row of rows as AsyncIterable<{ u_name: string }>) yield row.u_name;
      },
      close: () => source.destroy(),
    };
  },
};
