// The applications that workloads/nest.mjs sends requests to, all in this one process.
import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Get, Inject, Injectable, Module, Scope } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Borrow, PoolModule, getBorrowedToken } from '../dist/lib/index.js';
import { Pool } from '../dist/lib/engine/index.js';

const [platform] = process.argv.slice(2);
const MAX = 10;
/** What a handler does with its resource: something that has to be awaited. */
const use = async item => ({ hello: item.name });
const create = () => ({ name: 'world' });

/** Decorates without the syntax, which Node has not. */
function controller(type, dependencies, parameters = {}) {
  Get()(type.prototype, 'handle', Object.getOwnPropertyDescriptor(type.prototype, 'handle'));
  for (const [index, decorate] of Object.entries(parameters))
    decorate(type.prototype, 'handle', Number(index));
  dependencies.forEach((token, index) => Inject(token)(type, undefined, index));
  return type;
}
const at = (path, type, options = {}) => {
  Controller({ path, ...options })(type);
  return type;
};

class Plain {
  async handle() {
    return use({ name: 'world' });
  }
}

const POOL = 'by hand';
const poolByHand = { provide: POOL, useFactory: () => new Pool({ create, max: MAX }) };

class ByHand {
  constructor(pool) {
    this.pool = pool;
  }
  async handle() {
    const lease = await this.pool.acquire();
    try {
      return await use(lease.resource);
    } finally {
      lease.release();
    }
  }
}

/** One for each request, made by Nest. */
class RequestItem {
  constructor(pool) {
    this.pool = pool;
  }
  async get() {
    this.lease ??= await this.pool.acquire();
    return this.lease.resource;
  }
  release() {
    this.lease?.release();
  }
}
Inject(POOL)(RequestItem, undefined, 0);
Injectable({ scope: Scope.REQUEST })(RequestItem);

class RequestScoped {
  constructor(item) {
    this.item = item;
  }
  async handle() {
    try {
      return await use(await this.item.get());
    } finally {
      this.item.release();
    }
  }
}

class Borrowing {
  async handle(item) {
    return use(item);
  }
}

class Service {
  constructor(borrowed) {
    this.borrowed = borrowed;
  }
  async find() {
    return use(await this.borrowed.get());
  }
}
Inject(getBorrowedToken('items'))(Service, undefined, 0);
Injectable()(Service);

class InService {
  constructor(service) {
    this.service = service;
  }
  async handle() {
    return this.service.find();
  }
}

const storage = new AsyncLocalStorage();
const plain = () =>
  at(
    'plain',
    controller(
      class extends Plain {
        async handle() {
          return super.handle();
        }
      },
      [],
    ),
  );

const APPS = {
  bare: { module: { controllers: [plain()] }, paths: ['plain'] },
  als: {
    module: { controllers: [plain()] },
    paths: ['plain'],
    prepare: app => app.use((_request, _response, next) => storage.run({}, next)),
  },
  hand: {
    module: {
      controllers: [
        at('hand', controller(ByHand, [POOL])),
        at('request', controller(RequestScoped, [RequestItem])),
      ],
      providers: [poolByHand, RequestItem],
    },
    paths: ['hand', 'request'],
    prepare: app => app.use((_request, _response, next) => storage.run({}, next)),
  },
  pool: {
    module: {
      controllers: [
        plain(),
        at('borrow', controller(Borrowing, [], { 0: Borrow('items') })),
        at('service', controller(InService, [Service])),
      ],
      providers: [Service],
      imports: [PoolModule.forRoot({ pools: [{ name: 'items', create, max: MAX }], log: false })],
    },
    paths: ['plain', 'borrow', 'service'],
  },
};

const ports = {};
for (const [name, { module, paths, prepare }] of Object.entries(APPS)) {
  class App {}
  Module(module)(App);
  const app = await NestFactory.create(
    App,
    platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter(),
    {
      logger: false,
    },
  );
  prepare?.(app);
  // The connections have to last while others have their turn.
  app.getHttpServer().keepAliveTimeout = 0;
  await app.listen(0, '127.0.0.1');
  for (const path of paths) ports[`${name}/${path}`] = app.getHttpServer().address().port;
}

process.on('message', () => process.send(process.cpuUsage()));
process.on('disconnect', () => process.exit());
process.send({ ports });
