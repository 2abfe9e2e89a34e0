// Borrow, one query, return: our pool beside mysql2's own, on a MariaDB of our own. Both in one run, in turns, since a machine
// is not as fast at one moment as at another; what counts is the median of the ratios.
//
//   npm run build && node bench/mysql.mjs [rounds]
import { startMariadb, whyNoMariadb } from 'local-mariadb';
import mysql from 'mysql2/promise';
import { Pool } from '../dist/lib/engine/index.js';
import { mysqlPool } from '../dist/lib/resources/mysql.js';

const ROUNDS = Number(process.argv[2] ?? 21);
const BORROWS = 3_000;
const CONNECTIONS = 4;
const CASES = [
  { name: 'one borrower', borrowers: 1 },
  { name: 'as many borrowers as connections', borrowers: CONNECTIONS },
  { name: 'four times as many', borrowers: CONNECTIONS * 4 },
];

const missing = whyNoMariadb();
if (missing) {
  console.error(`Not measured: ${missing}`);
  process.exit(1);
}

const server = await startMariadb();
const { port, database } = server;
const config = { host: '127.0.0.1', port, user: 'root', database };
const theirs = mysql.createPool({ ...config, connectionLimit: CONNECTIONS });
const ours = new Pool(mysqlPool({ ...config, max: CONNECTIONS }));

const contestants = {
  mysql2: async () => {
    const connection = await theirs.getConnection();
    try {
      await connection.query('select 1');
    } finally {
      connection.release();
    }
  },
  ours: async () => {
    const lease = await ours.acquire();
    try {
      await lease.resource.query('select 1');
    } finally {
      lease.release();
    }
  },
};

/** @param {() => Promise<void>} borrow @param {number} borrowers */
async function perSecond(borrow, borrowers) {
  let left = BORROWS;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: borrowers }, async () => {
      while (left-- > 0) await borrow();
    }),
  );
  return (BORROWS / (performance.now() - start)) * 1000;
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

for (const { name, borrowers } of CASES) {
  /** @type {{ mysql2: number[], ours: number[] }} */
  const seen = { mysql2: [], ours: [] };
  for (let round = -2; round < ROUNDS; round++) {
    // Who comes second finds the machine as the first has left it.
    const order = round % 2 === 0 ? ['mysql2', 'ours'] : ['ours', 'mysql2'];
    for (const who of order) {
      const rate = await perSecond(contestants[who], borrowers);
      if (round >= 0) seen[who].push(rate);
    }
  }
  const ratios = seen.ours.map((rate, round) => rate / seen.mysql2[round]);
  const low = Math.min(...ratios);
  const high = Math.max(...ratios);
  console.log(
    `${name}: mysql2 ${Math.round(median(seen.mysql2))}/s, ours ${Math.round(median(seen.ours))}/s, ` +
      `ratio ${median(ratios).toFixed(3)} (${low.toFixed(2)}–${high.toFixed(2)} of ${ROUNDS} rounds)`,
  );
}

await Promise.all([theirs.end(), ours.close()]);
await server.close();
