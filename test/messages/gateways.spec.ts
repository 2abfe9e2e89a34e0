import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Scope, type INestApplication, type INestMicroservice, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { io } from 'socket.io-client';
import { getPoolToken, type Pool } from '../../src/index.js';
import { Facade } from '../support/borrowing/services.js';
import { Thing } from '../support/borrowing/thing.js';
import { jobModule } from '../support/jobs.js';
import { LogBook, forgetLoggers } from '../support/nest-app.js';
import { NEST_MAJOR } from '../support/nest-major.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

/** What it does with a thing when clients come and go. */
@Injectable()
class Porter {
  constructor(
    readonly facade: Facade,
    readonly stage: Stage,
  ) {}

  async handleConnection(): Promise<void> {
    const thing = await this.facade.get();
    await this.stage.pass('comes');
    if ((await this.facade.get()) === thing) this.stage.note(`came in ${thing.use()}`);
  }

  async handleDisconnect(): Promise<void> {
    this.stage.note(`left ${(await this.facade.get()).use()}`);
  }
}

@WebSocketGateway({ transports: ['websocket'] })
@Injectable()
class Plain extends Porter {}

@Injectable({ scope: Scope.REQUEST })
class OfClient {}

@WebSocketGateway({ transports: ['websocket'] })
@Injectable()
class MadeForEach extends Porter {
  constructor(facade: Facade, stage: Stage, _own: OfClient) {
    super(facade, stage);
  }
}

/** Says first which of them it is, with what the one above has as well. */
@WebSocketGateway({ transports: ['websocket'] })
@Injectable()
class Above extends Plain {
  override async handleConnection(): Promise<void> {
    (await this.facade.get()).use();
    await super.handleConnection();
  }
}

@WebSocketGateway({ transports: ['websocket'] })
@Injectable()
class InFields {
  constructor(
    readonly facade: Facade,
    readonly stage: Stage,
  ) {}
  handleConnection = (): Promise<void> => Porter.prototype.handleConnection.call(this as never);
  handleDisconnect = (): Promise<void> => Porter.prototype.handleDisconnect.call(this as never);
}

/** NestJS 11 makes none for each client. */
const GATEWAYS: readonly Type[] = [Plain, Above, InFields, ...(NEST_MAJOR >= 12 ? [MadeForEach] : [])];

describe('hooks of gateways', () => {
  let stage: Stage;
  let app: INestApplication | INestMicroservice;
  beforeEach(() => {
    stage = new Stage();
    Thing.startCounting();
  });
  afterEach(async () => {
    await app.close();
    forgetLoggers();
    expect(Thing.usedTooLate + Thing.lentTwice).toBe(0);
  });

  const moduleOf = (gateway: Type): object => ({
    module: class {},
    ...jobModule(stage, { providers: [OfClient, gateway] }, { max: 1 }),
  });
  const options = { logger: new LogBook(), abortOnError: false };
  const leased = (): number => app.get<Pool<Thing>>(getPoolToken('things')).stats().leased;

  async function comesAndGoes(port: number): Promise<void> {
    const client = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
    await stage.reached('comes');
    expect(leased()).toBe(1);
    stage.open('comes');
    await stage.reached('came in 1');
    client.close();
    await stage.reached('left 1');
    await until(leased, n => n === 0);
  }

  it.each(GATEWAYS.map(gateway => [gateway.name, gateway] as const))(
    'have a scope of their own each: %s',
    async (_, gateway) => {
      const made: INestApplication = await NestFactory.create(moduleOf(gateway), options);
      app = made;
      made.useWebSocketAdapter(new IoAdapter(made));
      await made.listen(0, '127.0.0.1');
      await comesAndGoes(((made.getHttpServer() as Server).address() as AddressInfo).port);
    },
  );

  it('have a scope of their own each in a microservice', async () => {
    const made = await NestFactory.createMicroservice(moduleOf(Plain), {
      ...options,
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: 0 },
    });
    app = made;
    // A gateway has a server of its own there.
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    made.useWebSocketAdapter(new IoAdapter(server));
    await made.listen();
    await comesAndGoes((server.address() as AddressInfo).port);
  });
});
