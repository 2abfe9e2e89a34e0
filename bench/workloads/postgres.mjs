import { createRequire } from 'node:module';
import { inTurns, times } from '../measure.mjs';
import { launchPostgres } from '../postgres.mjs';
import { quantile } from '../statistics.mjs';

const CALLERS = 64;
const MAX = 10;
const QUERIES = { select: 'SELECT 1', sleep: 'SELECT pg_sleep(0.01)' };
const ROUND_MS = times(1_200, 200);

export default {
  letter: 'j',
  name: 'postgres',
  title: `${CALLERS} callers on ${MAX} connections to PostgreSQL`,
  settings: `\`SELECT 1\`, and a query of 10 ms; rounds of ${ROUND_MS} ms; nestjs-pool with \`pgPool\`, all defaults but \`max\`; pg-pool with \`max\``,
  processes: 1,
  tables: Object.fromEntries(
    Object.entries(QUERIES).flatMap(([key, sql]) => [
      [`${key}Rate`, { title: `\`${sql}\`: queries a second`, unit: '1/s', more: true }],
      [`${key}P50`, { title: `\`${sql}\`: half take no longer`, unit: 'ms' }],
      [`${key}P99`, { title: `\`${sql}\`: 99 of 100 take no longer`, unit: 'ms' }],
    ]),
  ),

  async run() {
    const postgres = await launchPostgres();
    try {
      const tables = {};
      for (const [key, sql] of Object.entries(QUERIES))
        Object.assign(tables, await compare(postgres, key, sql));
      return tables;
    } finally {
      await postgres.close();
    }
  },

  targets: results =>
    Object.entries(QUERIES).flatMap(([key, sql]) => [
      {
        text: `\`${sql}\`: at least pg-pool's throughput, within noise`,
        least: 0.97,
        is: results.ratio(`${key}Rate`, 'nestjs-pool', 'pg-pool'),
      },
      {
        text: `\`${sql}\`: no worse p99, within noise`,
        most: 1.05,
        is: results.ratio(`${key}P99`, 'nestjs-pool', 'pg-pool'),
      },
    ]),
};

async function compare({ url: connectionString }, key, sql) {
  const { Pool } = await import('../../dist/lib/engine/index.js');
  const { pgPool } = await import('../../dist/lib/resources/pg.js');
  const pg = (await import('pg')).default;
  const PgPool = createRequire(import.meta.url)('pg-pool');
  const ours = new Pool({ ...pgPool({ connectionString }), max: MAX });
  const theirs = new PgPool({ connectionString, max: MAX, Client: pg.Client });
  // Its `end()` does not wait for its connections, which the server then ends.
  theirs.on('error', () => undefined);
  const query = {
    'nestjs-pool': () => ours.use(client => client.query(sql)),
    'pg-pool': async () => {
      const client = await theirs.connect();
      try {
        return await client.query(sql);
      } finally {
        client.release();
      }
    },
  };
  const table = kind => Object.fromEntries(Object.keys(query).map(name => [name, kind[name] ?? []]));
  const p50 = {};
  const p99 = {};
  const contenders = Object.fromEntries(
    Object.entries(query).map(([name, ask]) => [
      name,
      async () => {
        const { rate, latencies } = await underLoad(ask);
        (p50[name] ??= []).push(quantile(latencies, 0.5));
        (p99[name] ??= []).push(quantile(latencies, 0.99));
        return rate;
      },
    ]),
  );
  const rate = await inTurns(contenders, times(9), 0);
  await Promise.all([ours.close(), theirs.end()]);
  return { [`${key}Rate`]: rate, [`${key}P50`]: table(p50), [`${key}P99`]: table(p99) };
}

async function underLoad(ask) {
  const latencies = [];
  const until = performance.now() + ROUND_MS;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (let now = performance.now(); now < until;) {
        await ask();
        const done = performance.now();
        latencies.push(done - now);
        now = done;
      }
    }),
  );
  return { rate: (latencies.length * 1_000) / (performance.now() - began), latencies };
}
