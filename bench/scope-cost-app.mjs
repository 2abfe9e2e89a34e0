// One of the applications that scope-cost.mjs compares, in a process of its own.
import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { PoolModule } from 'nestjs-pool';
import { sendDirectly } from './direct.mjs';

const [platform, variant] = process.argv.slice(2);

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

const pools = [{ name: 'things', create: () => ({}) }];
class App {}
Module({
  controllers: [Hello],
  imports: variant === 'pool' ? [PoolModule.forRoot({ pools, log: false })] : [],
})(App);

const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
const app = await NestFactory.create(App, adapter, { logger: false });
if (variant === 'als') {
  const storage = new AsyncLocalStorage();
  app.use((_request, _response, next) => storage.run({}, next));
}
// The connections have to last while others have their turn.
app.getHttpServer().keepAliveTimeout = 0;
await app.listen(0, '127.0.0.1');

process.on('message', async ({ moment, direct }) => {
  // What others have left behind is not collected on this round's account.
  if (moment === 'begin') globalThis.gc();
  const before = process.cpuUsage();
  if (direct) await sendDirectly(app.getHttpServer(), direct.path, direct.requests);
  process.send(direct ? process.cpuUsage(before) : before);
});
process.on('disconnect', () => process.exit());
process.send({ port: app.getHttpServer().address().port });
