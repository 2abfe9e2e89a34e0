// What another process gets that wants one connection: node second-process.mjs URL client|pool
import pg from 'pg';
import { Pool } from '../../dist/lib/engine/index.js';
import { pgPool } from '../../dist/lib/resources/pg.js';

const [connectionString, kind] = process.argv.slice(2);
console.log(await (kind === 'pool' ? withPool() : withClient()));

async function withClient() {
  const client = new pg.Client({ connectionString });
  try {
    await client.connect();
    await client.end();
    return 'is connected.';
  } catch (error) {
    return `${error.code} ${error.message}`;
  }
}

async function withPool() {
  const pool = new Pool(pgPool({ name: 'second', connectionString, max: 1, acquireTimeout: 1_000 }));
  const began = performance.now();
  const after = () => `after ${(performance.now() - began).toFixed(0)} ms`;
  try {
    await pool.use(client => client.query('select 1'));
    return `is served ${after()}.`;
  } catch (error) {
    const { failing } = pool.stats();
    return `${error.name} ${after()}; stats().failing.error is ${JSON.stringify(failing?.error)}.`;
  } finally {
    await pool.close();
  }
}
