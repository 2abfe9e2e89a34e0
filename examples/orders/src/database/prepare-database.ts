import pg from 'pg';
import { CREATE_SCHEMA, SCHEMA, SEED } from './schema.js';

/**
 * Creates the tables unless they are there, and fills them when they are empty. Before the application starts, as
 * migrations should: an application that cannot work had better not answer.
 *
 * @returns what it has found and done, for a human reader
 */
export async function prepareDatabase(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // The query that fails tells; without a listener the event would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('begin');
    // Two instances may start at the same time, and "if not exists" does not save them from each other.
    await client.query('select pg_advisory_xact_lock(hashtext($1))', [SCHEMA]);
    await client.query(CREATE_SCHEMA);
    const { rows } = await client.query<{ orders: number }>(SEED);
    await client.query('commit');
    const orders = rows[0]?.orders ?? 0;
    const found = orders > 0 ? `now filled with ${orders} orders` : 'which has orders already';
    return `database ${client.database} at ${client.host}:${client.port}, schema ${SCHEMA}, ${found}`;
  } finally {
    await client.end();
  }
}
