// HTTP/1.1 through a session, beside undici's own pool and agent, and beside the other way to have limits: permits of a
// pool in front of undici's agent. All in one run: `npm run build && node bench/http.mjs [ROUNDS]`.
//
// Rounds alternate, in an order that changes from round to round, and ratios are taken within a round: what the machine
// does meanwhile concerns all of them. Numbers are medians over the rounds.
import { Buffer } from 'node:buffer';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Agent, Pool, fetch } from 'undici';
import { KeyedPool } from '../dist/lib/engine/index.js';
import { HttpSession, PooledAgent } from '../dist/lib/resources/http.js';
import { rate } from './rate.mjs';
import { median } from './statistics.mjs';

const CONNECTIONS = 10;
const ROUND_MS = Number(process.env.ROUND_MS ?? 1_000);
const KINDS = process.env.KINDS?.split(',') ?? ['request', 'fetch'];
const CALLERS = process.env.CALLERS?.split(',').map(Number) ?? [1, CONNECTIONS, 50];

if (process.send) serve();
else await measure(Number(process.argv[2] ?? 15));

function serve() {
  const body = Buffer.alloc(1_024, 'x');
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length }).end(body);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
}

async function measure(rounds) {
  const child = fork(fileURLToPath(import.meta.url));
  const [port] = await once(child, 'message');
  const origin = `http://127.0.0.1:${port}`;

  const pool = new Pool(origin, { connections: CONNECTIONS });
  const agent = new Agent({ connections: CONNECTIONS });
  const pooled = new PooledAgent({ max: CONNECTIONS });
  const session = new HttpSession({ baseUrl: origin, max: CONNECTIONS, headers: { 'x-client': 'bench' } });
  const permits = new KeyedPool({ max: CONNECTIONS, maxTotal: 100, create: () => ({}) });

  const path = '/orders/1?full=1';
  const headers = { 'x-client': 'bench' };
  const ended = async ({ body }) => void (await body.arrayBuffer());
  const kinds = {
    request: {
      'undici Pool': async () => ended(await pool.request({ origin, path, method: 'GET', headers })),
      'undici Agent': async () => ended(await agent.request({ origin, path, method: 'GET', headers })),
      PooledAgent: async () => ended(await pooled.request({ origin, path, method: 'GET', headers })),
      'session.request': async () => ended(await session.request(path)),
      'permits before undici Agent': () =>
        permits.use(origin, async () => ended(await agent.request({ origin, path, method: 'GET', headers }))),
    },
    fetch: {
      'undici fetch, Pool': async () =>
        void (await (await fetch(origin + path, { dispatcher: pool, headers })).arrayBuffer()),
      'session.fetch': async () => void (await (await session.fetch(path)).arrayBuffer()),
    },
  };

  for (const [kind, ways] of Object.entries(kinds)) {
    if (!KINDS.includes(kind)) continue;
    for (const callers of CALLERS) {
      const rates = Object.fromEntries(Object.keys(ways).map(name => [name, []]));
      const names = Object.keys(ways);
      for (const name of names) await rate(ways[name], callers, 300);
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < names.length; i++) {
          const name = names[(i + round) % names.length];
          rates[name].push(await rate(ways[name], callers, ROUND_MS));
        }
      }
      const [reference] = names;
      console.log(`\n${kind}, ${callers} callers, ${CONNECTIONS} connections at most, ${rounds} rounds`);
      for (const name of names) {
        const ratio = of =>
          median(rates[name].map((value, i) => value[of] / rates[reference][i][of])).toFixed(3);
        const perSecond = Math.round(median(rates[name].map(value => value.perSecond))).toLocaleString('en');
        console.log(
          `  ${name.padEnd(28)} ${perSecond.padStart(7)}/s   ${ratio('perSecond')} of ${reference}, ${ratio('perCpuSecond')} by CPU time`,
        );
      }
    }
  }
  await Promise.all([pool.close(), agent.close(), pooled.close(), session.close(), permits.close()]);
  child.disconnect();
  child.kill();
}
