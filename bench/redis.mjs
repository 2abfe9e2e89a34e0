// What borrowing a Redis connection for a single command costs, beside one client for each caller and beside one that all
// share. Needs a build, the packages ioredis and redis, and redis-server: `npm run build && node bench/redis.mjs`.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Pool } from '../dist/lib/engine/index.js';
import { ioredisPool, nodeRedisPool } from '../dist/lib/resources/redis.js';
import { cost, inTurns, times } from './measure.mjs';
import { interval, median } from './statistics.mjs';

const CALLERS = [1, 16, 64];
const ROUNDS = times(15, 3);
const OPERATIONS = times(20_000, 2_000);

const port = randomInt(20_000, 32_000);
const host = '127.0.0.1';
const server = spawn(
  'sh',
  ['-c', '"$@" <&- & s=$!; cat >/dev/null; kill $s', 'sh', 'redis-server', '--port', port, '--save', ''],
  { stdio: ['pipe', 'pipe', 'inherit'] },
);
await new Promise((resolve, reject) => {
  server.once('error', reject);
  server.stdout.on('data', chunk => String(chunk).includes('Ready to accept') && resolve());
});

const libraries = {
  ioredis: {
    pool: max => new Pool(ioredisPool({ host, port, max, min: max })),
    client: async () => new Redis({ host, port }),
    close: client => client.quit(),
  },
  'node-redis': {
    pool: max => new Pool(nodeRedisPool({ socket: { host, port }, max, min: max })),
    client: () => createClient({ socket: { host, port } }).connect(),
    close: client => client.close(),
  },
};

/** So many callers, each of whom goes on with the next command when it has the answer to the last. */
async function run(callers, one) {
  const each = Math.round(OPERATIONS / callers);
  const caller = async (_, me) => {
    for (let i = 0; i < each; i++) await one(me);
  };
  const began = performance.now();
  const cpu = await cost(each * callers, () => Promise.all(Array.from({ length: callers }, caller)));
  return { rate: (each * callers * 1000) / (performance.now() - began), cpu };
}

const percent = ratio => `${(100 * ratio).toFixed(1)} %`;

for (const [library, { pool: open, client, close }] of Object.entries(libraries)) {
  for (const callers of CALLERS) {
    const pool = open(callers);
    await pool.start();
    const own = await Promise.all(Array.from({ length: callers }, client));
    const shared = await client();
    await shared.set('key', 'value');
    const measured = await inTurns(
      {
        pool: () =>
          run(callers, async () => {
            const lease = await pool.acquire();
            await lease.resource.get('key');
            lease.release();
          }),
        own: () => run(callers, me => own[me].get('key')),
        shared: () => run(callers, () => shared.get('key')),
      },
      ROUNDS,
      3,
    );
    const compare = (what, other) => {
      const ratios = measured.pool.map((one, i) => what(one) / what(measured[other][i]));
      const [low, high] = interval(ratios);
      return `${percent(median(ratios))} (${percent(low)} to ${percent(high)})`;
    };
    const rate = one => one.rate;
    const cpu = one => one.cpu;
    const all = Object.entries(measured).map(
      ([name, many]) => `${name} ${Math.round(median(many.map(rate)))}/s`,
    );
    console.log(`${library}, ${callers} callers: ${all.join(', ')}`);
    for (const other of ['own', 'shared']) {
      console.log(
        `  the pool has ${compare(rate, other)} of the rate of ${other}, for ${compare(cpu, other)} of its CPU time`,
      );
    }
    await pool.close();
    await Promise.all([...own, shared].map(close));
  }
}
server.stdin.end();
