// The applications that scope-cost.mjs compares, all in this one process.
import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { PoolModule } from '../dist/lib/index.js';
import { sendDirectly } from './direct.mjs';

const [platform, ...variants] = process.argv.slice(2);

// One for both applications that have one: a third would make every promise of all three more expensive.
const storage = new AsyncLocalStorage();
const pools = [{ name: 'things', create: () => ({}) }];

async function start(variant) {
  // A class for each, as PoolModule wraps the handlers of a class.
  class Hello {
    sync() {
      return { hello: 'world' };
    }
    async async() {
      return { hello: 'world' };
    }
  }
  for (const key of ['sync', 'async']) {
    Get(key)(Hello.prototype, key, Object.getOwnPropertyDescriptor(Hello.prototype, key));
  }
  Controller()(Hello);
  class App {}
  Module({
    controllers: [Hello],
    imports: variant.startsWith('pool') ? [PoolModule.forRoot({ pools, log: false })] : [],
  })(App);

  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(App, adapter, { logger: false });
  if (!variant.startsWith('pool')) {
    app.use((_request, _response, next) => storage.run({}, next));
  }
  // The connections have to last while others have their turn.
  app.getHttpServer().keepAliveTimeout = 0;
  await app.listen(0, '127.0.0.1');
  return app.getHttpServer();
}

const servers = {};
for (const variant of variants) servers[variant] = await start(variant);

process.on('message', async ({ direct }) => {
  const before = process.cpuUsage();
  if (direct) await sendDirectly(servers[direct.variant], direct.path, direct.requests);
  process.send(direct ? process.cpuUsage(before) : before);
});
process.on('disconnect', () => process.exit());
process.send({ ports: variants.map(variant => servers[variant].address().port) });
