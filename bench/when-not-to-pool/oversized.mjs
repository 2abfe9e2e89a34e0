// A hundred connections where five are used: what the server pays, what the load gains, and what a second process gets.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Pool } from '../../dist/lib/engine/index.js';
import { pgPool } from '../../dist/lib/resources/pg.js';
import { inTurns } from '../measure.mjs';
import { launchPostgres } from '../postgres.mjs';
import { median, quantile, quartiles } from '../statistics.mjs';
import { table, told } from './print.mjs';

const MANY = 100;
const USED = 5;
const SIZES = [USED, 20, MANY];
const TABLES = 50;
const ROUND_MS = 700;
const ROUNDS = 5;
/** What is done with a connection, each a statement of its own. */
const LOADS = {
  'reads of 2,000 rows': () => [`select sum(value) from t${any(TABLES)} where id <= 2000`, []],
  'writes to 10 rows that all want': () => ['update hot set n = n + 1 where id = $1', [any(10)]],
  'writes to 10,000 rows': () => ['update cold set n = n + 1 where id = $1', [any(10_000)]],
  'waits of 10 ms (pg_sleep)': () => ['select pg_sleep(0.01)', []],
};

export default async function run() {
  const postgres = await launchPostgres();
  try {
    const connect = options => new Pool(pgPool({ connectionString: postgres.url, ...options }));
    await setUp(connect);
    await memory(connect);
    await needed(connect);
    await secondProcess(connect, postgres.url);
    await throughput(connect);
  } finally {
    await postgres.close();
  }
}

async function setUp(connect) {
  const pool = connect({ max: 1 });
  await pool.use(async client => {
    for (let i = 0; i < TABLES; i++) {
      await client.query(
        `create table t${i} as select id, id * 2 as value, 'text ' || id as text from generate_series(1, 5000) id`,
      );
      await client.query(`create unique index on t${i} (id)`);
    }
    for (const [name, rows] of Object.entries({ hot: 10, cold: 10_000 })) {
      await client.query(
        `create table ${name} with (fillfactor = 50) as select id, 0 as n from generate_series(0, ${rows}) id`,
      );
      await client.query(`create unique index on ${name} (id)`);
    }
    await client.query('vacuum analyze');
  });
  await pool.close();
}

async function memory(connect) {
  const rows = [];
  for (const [name, options] of Object.entries({
    [`${USED} connections`]: { min: USED, max: USED },
    [`${MANY} connections, order 'lifo'`]: { min: MANY, max: MANY },
    [`${MANY} connections, order 'fifo'`]: { min: MANY, max: MANY, order: 'fifo' },
  })) {
    const pool = connect(options);
    await pool.start();
    const began = await backends(pool);
    await callers(pool, USED, 3_000, LOADS['reads of 2,000 rows']);
    const after = await backends(pool);
    rows.push(
      [`${name}, just opened`, ...describe(began)],
      [`${name}, after ${USED} callers for 3 s`, ...describe(after)],
    );
    if (name.includes('lifo')) console.log(`\nstats() of ${name}: ${told(pool.stats())}.`);
    await pool.close();
  }
  console.log(
    process.platform === 'linux'
      ? `\nMemory of the server processes that serve connections, in MB (/proc), the load a read of one of ${TABLES} tables:`
      : '\nMemory of server processes is read from /proc, which only Linux has.',
  );
  table(['', 'processes', 'RSS, sum', 'PSS, sum', 'private, sum', 'private, each'], rows);
}

/** What the server's processes hold, where there is /proc to tell. Pages they share count in RSS for each, in PSS once. */
async function backends(pool) {
  const { rows } = await pool.use(client =>
    client.query(`select pid from pg_stat_activity where backend_type = 'client backend'`),
  );
  const sums = { processes: rows.length, Rss: 0, Pss: 0, Private: 0 };
  if (process.platform !== 'linux') return sums;
  for (const { pid } of rows) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    for (const [, name, kilobytes] of text.matchAll(/^(Rss|Pss|Private_Clean|Private_Dirty): +(\d+) kB/gm)) {
      sums[name.replace(/_.*/, '')] += Number(kilobytes) / 1_024;
    }
  }
  return sums;
}

function describe({ processes, Rss, Pss, Private }) {
  if (Rss === 0) return [processes, '–', '–', '–', '–'];
  return [processes, ...[Rss, Pss, Private].map(mb => mb.toFixed(0)), (Private / processes).toFixed(1)];
}

/** How many are opened when `max` allows a hundred, and none has to be there. */
async function needed(connect) {
  console.log(`\nmax: ${MANY}, min: 0, and ${USED} callers for 2 s:`);
  const pool = connect({ max: MANY });
  let peak = 0;
  const sampler = setInterval(() => (peak = Math.max(peak, pool.stats().leased)), 5);
  await callers(pool, USED, 2_000, LOADS['reads of 2,000 rows']);
  clearInterval(sampler);
  console.log(`peak of leased, looked at every 5 ms: ${peak}; ${told(pool.stats())}.`);
  await pool.close();
}

/** A second process that wants one connection, while the first has all of them, and none in use. */
async function secondProcess(connect, connectionString) {
  const pool = connect({ min: MANY, max: MANY });
  await pool.start();
  const { rows } = await pool.use(client =>
    client.query(
      `select count(*)::int as taken, current_setting('max_connections')::int as of,
              count(*) filter (where state = 'idle')::int as idle
       from pg_stat_activity where backend_type = 'client backend'`,
    ),
  );
  const [{ taken, of, idle }] = rows;
  console.log(`\nOf max_connections ${of}, the pool has ${taken}; ${idle} of them do nothing.`);
  console.log(`A second process, with pg: ${await elsewhere(connectionString, 'client')}`);
  console.log(`A second process, with a pool: ${await elsewhere(connectionString, 'pool')}`);
  pool.resize({ min: USED, max: USED });
  while (pool.stats().total > USED) await setTimeout(10);
  console.log(
    `After resize({ min: ${USED}, max: ${USED} }), with a pool: ${await elsewhere(connectionString, 'pool')}`,
  );
  await pool.close();
}

async function elsewhere(connectionString, kind) {
  const script = fileURLToPath(new URL('second-process.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, connectionString, kind]);
  return stdout.trim();
}

async function throughput(connect) {
  console.log(
    `\n${MANY} callers who do nothing else; medians of ${ROUNDS} rounds of ${ROUND_MS} ms in turns.`,
  );
  for (const [name, load] of Object.entries(LOADS)) {
    const waits = {};
    const rates = await inTurns(
      Object.fromEntries(
        // Pools of their own in each round: the server has no room for all of them at once.
        SIZES.map(max => [
          max,
          async () => {
            const pool = connect({ min: max, max, acquireTimeout: 60_000 });
            await pool.start();
            await callers(pool, MANY, 100, load);
            const { rate, latencies } = await callers(pool, MANY, ROUND_MS, load);
            await pool.close();
            (waits[max] ??= []).push(latencies);
            return rate;
          },
        ]),
      ),
      ROUNDS,
      0,
    );
    const base = rates[USED];
    table(
      [name, 'a second', `÷ ${USED} connections`, 'half take, ms', '99 of 100 take, ms'],
      Object.entries(rates).map(([max, values]) => [
        `${max} connections`,
        Math.round(median(values)).toLocaleString('en'),
        ratio(values, base),
        ...[0.5, 0.99].map(q => median(waits[max].map(all => quantile(all, q))).toFixed(0)),
      ]),
    );
  }
}

function ratio(values, base) {
  const ratios = values.map((value, i) => value / base[i]);
  const [low, high] = quartiles(ratios).map(each => each.toFixed(2));
  return `${median(ratios).toFixed(2)} (${low} to ${high})`;
}

/** So many at once, each with one borrow after the other. */
async function callers(pool, many, ms, load) {
  const latencies = [];
  const began = performance.now();
  const caller = async () => {
    for (let from = performance.now(); from - began < ms;) {
      await pool.use(client => client.query(...load()));
      const now = performance.now();
      latencies.push(now - from);
      from = now;
    }
  };
  await Promise.all(Array.from({ length: many }, caller));
  return { rate: (latencies.length * 1_000) / (performance.now() - began), latencies };
}

function any(below) {
  return Math.floor(Math.random() * below);
}
