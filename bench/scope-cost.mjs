// What an application pays for PoolModule in requests that borrow nothing: `npm run bench:scope`; see SCOPE-COST.md.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Load } from './load.mjs';
import { interval, median, quartiles } from './statistics.mjs';

const BATCHES = Number(process.env.BENCH_BATCHES ?? 12);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 10);
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 2_000);
const WARM_UP = Number(process.env.BENCH_WARM_UP ?? 8_000);
const PLATFORMS = (process.env.BENCH_PLATFORMS ?? 'express,fastify').split(',');
const HANDLERS = (process.env.BENCH_HANDLERS ?? 'async,sync').split(',');
/** Without sockets: less of what has nothing to do with it, so that differences show. */
const DIRECT = process.env.BENCH_DIRECT === '1';
const CONNECTIONS = 16;
const VARIANTS = { none: 'nothing', als: 'one AsyncLocalStorage', pool: 'PoolModule' };

class Server {
  static async start(platform, variant, handler) {
    const server = new Server();
    const app = fileURLToPath(new URL('scope-cost-app.mjs', import.meta.url));
    server.child = fork(app, [platform, variant], { execArgv: ['--expose-gc'], env: {} });
    const [{ port }] = await once(server.child, 'message');
    server.path = `/${handler}`;
    if (DIRECT) {
      await server.ask({ moment: 'begin', direct: { path: server.path, requests: WARM_UP } });
      return server;
    }
    server.load = new Load(port, server.path, CONNECTIONS);
    await server.load.open();
    await server.load.send(WARM_UP);
    return server;
  }

  async ask(question) {
    this.child.send(question);
    const [usage] = await once(this.child, 'message');
    return usage;
  }

  /** Microseconds of CPU time of the server, for each request. */
  async round() {
    const spent = DIRECT ? await this.directly() : await this.overSockets();
    return { user: spent.user / REQUESTS, total: (spent.user + spent.system) / REQUESTS };
  }

  directly() {
    return this.ask({ moment: 'begin', direct: { path: this.path, requests: REQUESTS } });
  }

  async overSockets() {
    const before = await this.ask({ moment: 'begin' });
    await this.load.send(REQUESTS);
    const after = await this.ask({ moment: 'end' });
    return { user: after.user - before.user, system: after.system - before.system };
  }

  async stop() {
    this.load?.close();
    this.child.disconnect();
    await once(this.child, 'exit');
  }
}

/** New processes each time: two of the same code differ by more than what is measured here. */
async function batch(platform, handler, number) {
  const names = rotate(Object.keys(VARIANTS), number);
  const servers = {};
  const rounds = {};
  for (const name of names) servers[name] = await Server.start(platform, name, handler);
  for (let i = 0; i < ROUNDS; i++) {
    for (const name of rotate(names, i)) (rounds[name] ??= []).push(await servers[name].round());
  }
  for (const name of names) await servers[name].stop();
  return Object.fromEntries(
    names.map(name => [
      name,
      { user: median(rounds[name].map(r => r.user)), total: median(rounds[name].map(r => r.total)) },
    ]),
  );
}

const rotate = (list, by) => list.map((_, i) => list[(i + by) % list.length]);
const percent = ratio => `${ratio >= 1 ? '+' : '−'}${Math.abs((ratio - 1) * 100).toFixed(1)} %`;

console.log(
  `Node ${process.version}, ${cpus()[0].model} × ${availableParallelism()}, ${new Date().toISOString().slice(0, 10)}; ` +
    `${BATCHES} batches of ${ROUNDS} rounds of ${REQUESTS} requests` +
    (DIRECT ? ', without sockets' : ''),
);
for (const platform of PLATFORMS) {
  for (const handler of HANDLERS) {
    const batches = [];
    for (let i = 0; i < BATCHES; i++) batches.push(await batch(platform, handler, i));
    console.log(`\n${platform}, ${handler} handler`);
    for (const kind of ['total', 'user']) {
      console.log(`  CPU time, ${kind === 'user' ? 'user only' : 'user and system'}`);
      for (const [name, title] of Object.entries(VARIANTS)) {
        const all = batches.map(b => b[name][kind]);
        const [low, high] = quartiles(all);
        const text = `${median(all).toFixed(1)} µs, quartiles ${low.toFixed(1)}–${high.toFixed(1)}`;
        console.log(`    ${title.padEnd(22)} ${text}`);
      }
      for (const [a, b] of [
        ['pool', 'als'],
        ['pool', 'none'],
        ['als', 'none'],
      ]) {
        const ratios = batches.map(one => one[a][kind] / one[b][kind]);
        const [low, high] = interval(ratios);
        const text = `${percent(median(ratios))}, 95 % of it within ${percent(low)} … ${percent(high)}`;
        console.log(`    ${`${a} / ${b}`.padEnd(22)} ${text}`);
      }
    }
  }
}
