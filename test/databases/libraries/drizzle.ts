import { asc, eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { pgTable, serial, text, type PgDatabase, type PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type pg from 'pg';
import type { Driver, Queries } from './suite.js';

const users = pgTable('users', { id: serial().primaryKey(), name: text().notNull() });

function queries(db: PgDatabase<PgQueryResultHKT>): Queries {
  return {
    insert: name => db.insert(users).values({ name }).execute(),
    names: async () => {
      const rows = await db.select().from(users).orderBy(asc(users.name));
      return rows.map(({ name }) => name);
    },
    pid: async () => {
      const { rows } = (await db.execute(sql`select pg_backend_pid() as pid`)) as { rows: { pid: number }[] };
      return rows[0]!.pid;
    },
  };
}

export const drizzleDriver: Driver = {
  name: 'Drizzle',
  savepoints: true,
  streams: false,
  endsPool: false,
  leaks: {
    when: 'before BEGIN',
    why: 'it sends BEGIN before the try whose finally gives the connection back',
  },
  async open(pool: pg.Pool) {
    const db = drizzle({ client: pool });
    return {
      ...queries(db),
      find: async name => (await db.select().from(users).where(eq(users.name, name)))[0]?.name,
      transaction: work =>
        db.transaction(tx =>
          work({ ...queries(tx), nested: inner => tx.transaction(nested => inner(queries(nested))) }),
        ),
      close: async () => undefined,
    };
  },
};
