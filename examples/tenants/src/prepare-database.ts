import pg from 'pg';
import { TENANTS, schemaOf } from './tenants/tenant.js';

/** Gives each tenant its schema, unless it is there. Before the application starts, as migrations should. */
export async function prepareDatabase(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  // The query that fails tells; without a listener the event would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    for (const tenant of TENANTS) {
      await client.query(`
        create schema if not exists ${schemaOf(tenant)};
        create table if not exists ${schemaOf(tenant)}.notes (
          id bigint generated always as identity primary key,
          text text not null
        )`);
    }
  } finally {
    await client.end();
  }
}
