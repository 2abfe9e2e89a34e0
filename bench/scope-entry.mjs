// The part of scope-cost.mjs that PoolModule adds, alone: from the entry of a request to the end of a handler that
// borrows nothing, beside one AsyncLocalStorage around the same handler. Nanoseconds of CPU time for each request.
import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Get } from '@nestjs/common';
import { enterHttpScopes, wrapHandlers } from '../dist/lib/transports/index.js';
import { interval, median } from './statistics.mjs';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 60);
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 20_000);

class Plain {
  sync() {
    return { hello: 'world' };
  }
  async async() {
    return { hello: 'world' };
  }
}
class Wrapped {
  sync() {
    return { hello: 'world' };
  }
  async async() {
    return { hello: 'world' };
  }
}
for (const key of ['sync', 'async']) Get(key)(Wrapped.prototype, key, { value: Wrapped.prototype[key] });
wrapHandlers(Wrapped);
const plain = new Plain();
const wrapped = new Wrapped();

const host = { stopping: new AbortController().signal };
const scopes = {};
for (const platform of ['express', 'fastify']) {
  const entries = [];
  enterHttpScopes(
    {
      getType: () => platform,
      getInstance: () => ({
        addHook: (_, hook) =>
          entries.push((request, response, next) => hook({ raw: request }, { raw: response }, next)),
      }),
      use: entry => entries.push(entry),
    },
    host,
    false,
  );
  scopes[platform] = (request, response, work) => {
    const [first, second] = entries;
    if (second) first(request, response, () => second(request, response, work));
    else first(request, response, work);
  };
}
const storage = new AsyncLocalStorage();
const ways = {
  als: (_request, _response, work) => storage.run({}, work),
  ...scopes,
};

async function round(way, handler) {
  const enter = ways[way];
  const controller = way === 'als' ? plain : wrapped;
  const before = process.cpuUsage();
  for (let i = 0; i < REQUESTS; i++) {
    let result;
    enter({ url: '/' }, {}, () => (result = controller[handler]()));
    await result;
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / REQUESTS;
}

for (const handler of ['sync', 'async']) {
  const all = { als: [], express: [], fastify: [] };
  const names = Object.keys(all);
  for (let i = -10; i < ROUNDS; i++) {
    for (const [at] of names.entries()) {
      const name = names[(at + i + names.length * 10) % names.length];
      const spent = await round(name, handler);
      if (i >= 0) all[name].push(spent);
    }
  }
  console.log(`${handler} handler: one AsyncLocalStorage ${median(all.als).toFixed(0)} ns`);
  for (const platform of ['express', 'fastify']) {
    const more = all[platform].map((spent, i) => spent - all.als[i]);
    const [low, high] = interval(more).map(ns => ns.toFixed(0));
    console.log(`  scope on ${platform}: ${median(more).toFixed(0)} ns more, 95 % within ${low} … ${high}`);
  }
}
