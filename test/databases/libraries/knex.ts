import knexOf, { type Knex } from 'knex';
import type pg from 'pg';
import type { Driver, Queries } from './suite.js';

interface User {
  id: number;
  name: string;
}

function queries(db: Knex): Queries {
  return {
    insert: name => Promise.resolve(db<User>('users').insert({ name })),
    names: async () => await db<User>('users').orderBy('name').pluck('name'),
    pid: async () => {
      const { rows } = await db.raw<{ rows: { pid: number }[] }>('select pg_backend_pid() as pid');
      return rows[0]!.pid;
    },
  };
}

export const knexDriver: Driver = {
  name: 'Knex',
  savepoints: true,
  streams: true,
  endsPool: false,
  async open(pool: pg.Pool) {
    const db = knexOf({ client: 'pg', connectionPool: pool });
    return {
      ...queries(db),
      find: async name => (await db<User>('users').where({ name }).first())?.name,
      transaction: work =>
        db.transaction(tx =>
          work({ ...queries(tx), nested: inner => tx.transaction(nested => inner(queries(nested))) }),
        ),
      // Outside a transaction, Knex 3.3 gives a connection back twice that a stream has used, and pg.Pool throws.
      async *stream() {
        const tx = await db.transaction();
        try {
          const rows: AsyncIterable<User> = tx<User>('users').orderBy('name').stream();
          for await (const { name } of rows) yield name;
        } finally {
          await tx.rollback();
        }
      },
      close: () => db.destroy(),
    };
  },
};
