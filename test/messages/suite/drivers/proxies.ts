import { expect } from '@jest/globals';
import type { INestApplicationContext, INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  Transport,
  type ClientProxy,
  type ClientOptions,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Subscription, lastValueFrom } from 'rxjs';
import { LogBook } from '../../../support/nest-app.js';
import { startMosquitto, whyNoMosquitto } from '../../../support/mosquitto.js';
import { startNats, whyNoNats } from '../../../support/nats.js';
import { NEST_VERSION } from '../../../support/nest-major.js';
import { LocalRedis, whyNoRedis } from '../../../support/redis.js';
import { shared } from '../application.js';
import { Reply, type Ability, type Client, type Driver, type Handler } from '../driver.js';
import type { Order } from '../order.js';
import { Inherited, Messages, Scoped } from './messages.js';

class ProxyClient implements Client {
  private readonly waiting = new Subscription();
  private gone: Promise<void> | undefined = undefined;

  constructor(
    private readonly proxy: ClientProxy,
    private readonly cut: (proxy: ClientProxy) => Promise<void>,
  ) {}

  send(handler: Handler, order: Order): Reply {
    const reply = new Reply();
    const subscription = this.proxy.send<unknown>(handler, order).subscribe({
      next: value => reply.next(value),
      error: (error: unknown) => reply.fail(error),
      complete: () => reply.end(),
    });
    this.waiting.add(subscription);
    return reply;
  }

  async tell(order: Order): Promise<void> {
    await lastValueFrom(this.proxy.emit<unknown>('event', order), { defaultValue: undefined });
  }

  leave(): void {
    this.waiting.unsubscribe();
    this.gone = this.cut(this.proxy);
  }

  async close(): Promise<void> {
    this.waiting.unsubscribe();
    // Some do not like to be closed twice.
    await (this.gone ?? this.proxy.close());
  }
}

interface Options {
  readonly name: string;
  readonly can: readonly Ability[];
  readonly missing?: string | undefined;
  readonly hybrid?: 'apart' | 'inheriting';
  readonly cut?: (proxy: ClientProxy) => Promise<void>;
  /** For both sides; of a server without a broker the port is 0 until it listens. */
  readonly transport: (port: number) => MicroserviceOptions;
  readonly broker?: () => Promise<AsyncDisposable & { readonly port: number }>;
}

function driverOf({ name, can, missing, hybrid, cut = close, transport, broker }: Options): Driver {
  return {
    name,
    can,
    missing,
    busy: code => ({
      status: 'error',
      message: 'The service is busy, try again later',
      code,
      retryAfter: expect.any(Number),
    }),
    told: message => ({ message }),
    async start(world) {
      const server = await broker?.();
      const log = new LogBook();
      const root = {
        module: class {},
        ...shared(world),
        controllers: [Messages, Inherited, Scoped],
      };
      const options = transport(server?.port ?? 0);
      let microservice: INestMicroservice;
      let app: INestApplicationContext;
      if (hybrid) {
        const whole = await NestFactory.create(root, { logger: log });
        microservice = whole.connectMicroservice(options, { inheritAppConfig: hybrid === 'inheriting' });
        await whole.startAllMicroservices();
        app = whole;
      } else {
        app = microservice = await NestFactory.createMicroservice(root, { ...options, logger: log });
        await microservice.listen();
      }
      const port = server?.port ?? (microservice.unwrap<Server>().address() as AddressInfo).port;
      return {
        app,
        log: log.lines,
        connect: async () => {
          const proxy = ClientProxyFactory.create(transport(port) as ClientOptions);
          await proxy.connect();
          return new ProxyClient(proxy, cut);
        },
        close: () => app.close(),
        dispose: async () => server?.[Symbol.asyncDispose](),
      };
    },
  };
}

async function close(proxy: ClientProxy): Promise<void> {
  await proxy.close();
}

/**
 * NestJS 11 publishes when it has subscribed to the answers, also when its client has left meanwhile, and catches nothing.
 * Once Redis answers again, that has been sent, and `quit` comes after it.
 */
async function closeRedis(proxy: ClientProxy): Promise<void> {
  const [, subscriber] = proxy.unwrap<[Redis, Redis]>();
  await subscriber.ping();
  await proxy.close();
}

const everywhere: readonly Ability[] = ['streams', 'tells', 'events', 'scoped'];

const tcp = {
  can: [...everywhere, 'leaving'],
  cut: async (proxy: ClientProxy) => void proxy.unwrap<Socket>().destroy(),
  transport: (port: number): MicroserviceOptions => ({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  }),
} satisfies Partial<Options>;

const TCP: readonly Driver[] = [
  driverOf({ name: 'TCP', ...tcp }),
  driverOf({ name: 'TCP, hybrid', ...tcp, hybrid: 'apart' }),
  driverOf({ name: 'TCP, hybrid, inheritAppConfig', ...tcp, hybrid: 'inheriting' }),
];

const BROKERS: readonly Driver[] = [
  driverOf({
    name: 'Redis',
    can: everywhere,
    missing: whyNoRedis(),
    cut: closeRedis,
    broker: () => LocalRedis.start(),
    transport: port => ({ transport: Transport.REDIS, options: { host: '127.0.0.1', port } }),
  }),
  driverOf({
    name: 'NATS',
    can: everywhere,
    missing: whyNoNats(),
    broker: startNats,
    transport: port => ({ transport: Transport.NATS, options: { servers: [`nats://127.0.0.1:${port}`] } }),
  }),
  driverOf({
    name: 'MQTT',
    can: everywhere,
    missing: whyNoMosquitto(),
    broker: startMosquitto,
    transport: port => ({ transport: Transport.MQTT, options: { url: `mqtt://127.0.0.1:${port}` } }),
  }),
];

/** The first NestJS 11 rejects where nobody can handle it when it takes leave of Redis. */
export const PROXIES: readonly Driver[] = NEST_VERSION === '11.0' ? TCP : [...TCP, ...BROKERS];
