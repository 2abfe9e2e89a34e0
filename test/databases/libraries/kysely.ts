import { Kysely, PostgresDialect, sql, type PostgresCursorConstructor } from 'kysely';
import type pg from 'pg';
import { Cursor } from '../../support/pg-cursor.js';
import type { Driver, Queries } from './suite.js';

interface Database {
  users: { id?: number; name: string };
}

function queries(db: Kysely<Database>): Queries {
  return {
    insert: name => db.insertInto('users').values({ name }).execute(),
    names: async () => {
      const rows = await db.selectFrom('users').select('name').orderBy('name').execute();
      return rows.map(({ name }) => name);
    },
    pid: async () => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
      return rows[0]!.pid;
    },
  };
}

export const kyselyDriver: Driver = {
  name: 'Kysely',
  savepoints: false,
  streams: true,
  endsPool: true,
  async open(pool: pg.Pool) {
    const db = new Kysely<Database>({
      dialect: new PostgresDialect({ pool, cursor: Cursor as unknown as PostgresCursorConstructor }),
    });
    return {
      ...queries(db),
      find: async name =>
        (await db.selectFrom('users').select('name').where('name', '=', name).executeTakeFirst())?.name,
      transaction: work => db.transaction().execute(tx => work(queries(tx))),
      async *stream() {
        for await (const { name } of db.selectFrom('users').select('name').orderBy('name').stream(50))
          yield name;
      },
      close: () => db.destroy(),
    };
  },
};
