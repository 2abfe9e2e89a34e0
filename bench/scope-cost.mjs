// What an application pays for PoolModule in requests that borrow nothing: `npm run bench:scope`; see SCOPE-COST.md.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Load } from './load.mjs';
import { interval, median, quartiles } from './statistics.mjs';

const BATCHES = Number(process.env.BENCH_BATCHES ?? 8);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 60);
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 400);
const WARM_UP = Number(process.env.BENCH_WARM_UP ?? 6_000);
const PLATFORMS = (process.env.BENCH_PLATFORMS ?? 'express,fastify').split(',');
const HANDLERS = (process.env.BENCH_HANDLERS ?? 'async').split(',');
/** Without sockets: less of what has nothing to do with it. */
const DIRECT = process.env.BENCH_DIRECT === '1';
const CONNECTIONS = 16;
/**
 * Each twice: how much two of the same differ tells what the difference to others is worth, and what V8 learns of the
 * objects that pass is not the majority's.
 */
const VARIANTS = {
  als: 'one AsyncLocalStorage',
  pool: 'PoolModule',
  alsAgain: 'AsyncLocalStorage again',
  poolAgain: 'PoolModule again',
};
const NAMES = Object.keys(VARIANTS);

/** A process with all the applications in it: two processes of the same code differ by more than is measured here. */
class Process {
  static async start(platform, handler, names) {
    const one = new Process();
    const app = fileURLToPath(new URL('scope-cost-app.mjs', import.meta.url));
    one.child = fork(app, [platform, ...names], { env: {} });
    const [{ ports }] = await once(one.child, 'message');
    one.path = `/${handler}`;
    one.loads = {};
    for (const [i, name] of names.entries()) {
      one.loads[name] = new Load(ports[i], one.path, CONNECTIONS);
      await one.loads[name].open();
    }
    // In turns, as they will be measured: what is optimised for the first must not be for the first alone.
    for (let warm = 0; warm < WARM_UP; warm += REQUESTS) for (const name of names) await one.spend(name);
    return one;
  }

  async ask(question) {
    this.child.send(question);
    const [usage] = await once(this.child, 'message');
    return usage;
  }

  /** Microseconds of CPU time of the server, for each request. */
  async spend(variant) {
    const { user, system } = await (DIRECT ? this.directly(variant) : this.overSockets(variant));
    return (user + system) / REQUESTS;
  }

  directly(variant) {
    return this.ask({ direct: { variant, path: this.path, requests: REQUESTS } });
  }

  async overSockets(variant) {
    const before = await this.ask({});
    await this.loads[variant].send(REQUESTS);
    const after = await this.ask({});
    return { user: after.user - before.user, system: after.system - before.system };
  }

  async stop() {
    for (const load of Object.values(this.loads)) load.close();
    this.child.disconnect();
    await once(this.child, 'exit');
  }
}

/** In one process: what each costs, and the ratio to the first within a round. */
async function batch(platform, handler, number) {
  const one = await Process.start(platform, handler, rotate(NAMES, number));
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) {
    const round = {};
    for (const name of rotate(NAMES, i)) round[name] = await one.spend(name);
    rounds.push(round);
  }
  await one.stop();
  return {
    spent: Object.fromEntries(NAMES.map(name => [name, median(rounds.map(round => round[name]))])),
    ratio: Object.fromEntries(
      NAMES.map(name => [name, median(rounds.map(round => round[name] / round.als))]),
    ),
    both: median(rounds.map(({ als, alsAgain, pool, poolAgain }) => (pool + poolAgain) / (als + alsAgain))),
  };
}

const rotate = (list, by) => list.map((_, i) => list[(i + by) % list.length]);
const percent = ratio => `${ratio >= 1 ? '+' : '−'}${Math.abs((ratio - 1) * 100).toFixed(1)} %`;

console.log(
  `Node ${process.version}, ${cpus()[0].model} × ${availableParallelism()}, ${new Date().toISOString().slice(0, 10)}; ` +
    `${BATCHES} processes, ${ROUNDS} rounds of ${REQUESTS} requests in each` +
    (DIRECT ? ', without sockets' : ''),
);
for (const platform of PLATFORMS) {
  for (const handler of HANDLERS) {
    const batches = [];
    for (let i = 0; i < BATCHES; i++) batches.push(await batch(platform, handler, i));
    console.log(`\n${platform}, ${handler} handler`);
    for (const [name, title] of Object.entries(VARIANTS)) {
      const spent = batches.map(one => one.spent[name]);
      const [from, to] = quartiles(spent);
      const ratios = batches.map(one => one.ratio[name]);
      const [low, high] = interval(ratios);
      console.log(
        `  ${title.padEnd(22)} ${median(spent).toFixed(1)} µs, quartiles ${from.toFixed(1)}–${to.toFixed(1)}` +
          (name === 'als'
            ? ''
            : `; ${percent(median(ratios))}, 95 % within ${percent(low)} … ${percent(high)}`),
      );
    }
    const both = batches.map(one => one.both);
    const [low, high] = interval(both).map(percent);
    console.log(
      `  Both with PoolModule against both without: ${percent(median(both))}, 95 % within ${low} … ${high}`,
    );
  }
}
