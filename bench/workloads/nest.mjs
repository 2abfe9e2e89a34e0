import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Load } from '../load.mjs';
import { inTurns, times } from '../measure.mjs';
import { quantile } from '../statistics.mjs';

const REQUESTS = times(400);
const ROUNDS = times(30);
const WARM_UP = times(12);
const CONNECTIONS = 16;

const ROUTES = {
  'without a pool': 'bare/plain',
  'borrows nothing, one AsyncLocalStorage': 'als/plain',
  'borrows nothing, PoolModule': 'pool/plain',
  'try … finally by hand': 'hand/hand',
  '@Borrow': 'pool/borrow',
  'Borrowed in a service': 'pool/service',
  'REQUEST-scoped provider': 'hand/request',
};
const PLATFORMS = { fastify: 'Fastify', express: 'Express' };

export default {
  letter: 'k',
  name: 'nest',
  title: 'NestJS: a handler that borrows',
  settings:
    `10 resources that cost nothing, ${CONNECTIONS} connections that are kept alive, rounds of ${REQUESTS} requests; the CPU time of the ` +
    'server, as requests a second of it. The handlers by hand and REQUEST-scoped have an AsyncLocalStorage mounted too, as the scope of PoolModule is one',
  processes: times(3, 1),
  tables: Object.fromEntries(
    Object.entries(PLATFORMS).flatMap(([key, name]) => [
      [key, { title: name, unit: '1/s', more: true }],
      [`${key}P99`, { title: `${name}: 99 of 100 take no longer`, unit: 'ms' }],
    ]),
  ),

  async run() {
    const tables = {};
    for (const platform of Object.keys(PLATFORMS)) Object.assign(tables, await under(platform));
    return tables;
  },

  targets: results =>
    Object.entries(PLATFORMS).flatMap(([key, name]) => [
      {
        text: `${name}: \`@Borrow\` keeps 97 % of the throughput by hand`,
        least: 0.97,
        is: results.ratio(key, '@Borrow', 'try … finally by hand'),
      },
      {
        text: `${name}: \`@Borrow\` beats the REQUEST-scoped provider by 1.5 ×`,
        least: 1.5,
        is: results.ratio(key, '@Borrow', 'REQUEST-scoped provider'),
      },
      {
        text: `${name}: borrowing nothing keeps 99 % of the same with one AsyncLocalStorage`,
        least: 0.99,
        is: results.ratio(key, 'borrows nothing, PoolModule', 'borrows nothing, one AsyncLocalStorage'),
      },
    ]),
};

async function under(platform) {
  const app = fork(fileURLToPath(new URL('../nest-app.mjs', import.meta.url)), [platform], { env: {} });
  const [{ ports }] = await once(app, 'message');
  const usage = async () => {
    app.send({});
    const [{ user, system }] = await once(app, 'message');
    return user + system;
  };
  const p99 = {};
  const contenders = {};
  const loads = [];
  for (const [name, route] of Object.entries(ROUTES)) {
    const load = new Load(ports[route], `/${route.split('/')[1]}`, CONNECTIONS);
    await load.open();
    loads.push(load);
    p99[name] = [];
    contenders[name] = async () => {
      const latencies = [];
      const before = await usage();
      await load.send(REQUESTS, latencies);
      const spent = (await usage()) - before;
      p99[name].push(quantile(latencies, 0.99));
      return (REQUESTS * 1e6) / spent;
    };
  }
  const rates = await inTurns(contenders, ROUNDS, WARM_UP);
  for (const name of Object.keys(p99)) p99[name] = p99[name].slice(WARM_UP);
  for (const load of loads) load.close();
  app.disconnect();
  await once(app, 'exit');
  return { [platform]: rates, [`${platform}P99`]: p99 };
}
