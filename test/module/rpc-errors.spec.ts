import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  Payload,
  Transport,
  type ClientProxy,
  type TcpOptions,
} from '@nestjs/microservices';
import type { AddressInfo, Server } from 'node:net';
import { defer, firstValueFrom, lastValueFrom, type Observable } from 'rxjs';
import { BACKEND_TEXT, BACKSTAGE, InVain, failingPools } from '../support/failing-pools.js';
import { LogBook, forgetLoggers } from '../support/nest-app.js';
import { until } from '../support/until.js';

@Controller()
class Messages {
  constructor(private readonly inVain: InVain) {}

  @MessagePattern('promise')
  promise(@Payload() pool: 'full' | 'down'): Promise<string> {
    return this.inVain.borrow(pool);
  }

  @MessagePattern('observable')
  observable(@Payload() pool: 'full' | 'down'): Observable<string> {
    return defer(() => this.inVain.borrow(pool));
  }

  @EventPattern('event')
  async event(@Payload() pool: 'full' | 'down'): Promise<void> {
    await this.inVain.borrow(pool);
  }

  @MessagePattern('well')
  well(): string {
    return 'well';
  }
}

const module = { module: class {}, imports: [failingPools()], controllers: [Messages], providers: [InVain] };
const tcp: TcpOptions = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } };

type Kind = 'a microservice' | 'a hybrid application' | 'a hybrid application with inheritAppConfig';

/** An application on a real port, and its client. */
class Running {
  private constructor(
    readonly log: LogBook,
    private readonly client: ClientProxy,
    private readonly end: () => Promise<void>,
  ) {}

  static async start(kind: Kind): Promise<Running> {
    const log = new LogBook();
    let microservice: INestMicroservice;
    let end: () => Promise<void>;
    if (kind === 'a microservice') {
      microservice = await NestFactory.createMicroservice(module, { ...tcp, logger: log });
      await microservice.listen();
      end = () => microservice.close();
    } else {
      const app = await NestFactory.create(module, { logger: log });
      const inheritAppConfig = kind === 'a hybrid application with inheritAppConfig';
      microservice = app.connectMicroservice(tcp, { inheritAppConfig });
      await app.startAllMicroservices();
      end = () => app.close();
    }
    const { port } = microservice.unwrap<Server>().address() as AddressInfo;
    const client = ClientProxyFactory.create({ ...tcp, options: { host: '127.0.0.1', port } });
    return new Running(log, client, end);
  }

  /** What the client gets, an error included. */
  ask(pattern: string, pool?: 'full' | 'down'): Promise<unknown> {
    return firstValueFrom(this.client.send<unknown>(pattern, pool ?? '')).catch((error: unknown) => error);
  }

  async tell(pattern: string, pool: 'full' | 'down'): Promise<void> {
    await lastValueFrom(this.client.emit(pattern, pool), { defaultValue: undefined });
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.end();
  }
}

describe('pool errors in', () => {
  let running: Running;

  afterEach(async () => {
    await running.stop();
    forgetLoggers();
  });

  describe.each([
    'a microservice',
    'a hybrid application',
    'a hybrid application with inheritAppConfig',
  ] as const)('%s', kind => {
    it.each(['promise', 'observable'])(
      'are answered as errors of a service that is busy: %s',
      async pattern => {
        running = await Running.start(kind);
        const down = await running.ask(pattern, 'down');
        expect(down).toEqual({
          status: 'error',
          message: 'The service is busy, try again later',
          code: 14,
          retryAfter: expect.any(Number),
        });
        expect(await running.ask(pattern, 'full')).toMatchObject({ status: 'error', code: 8, retryAfter: 1 });
        expect(JSON.stringify(down)).not.toMatch(BACKSTAGE);
      },
    );

    it('are logged, as an event has nobody else who would be told, and break nothing', async () => {
      running = await Running.start(kind);
      await running.tell('event', 'down');
      await until(
        () => running.log.ofPools.filter(line => line.startsWith('warn: Pool "down"')).join(),
        said => said.includes(BACKEND_TEXT) && said.includes('unavailable'),
      );
      expect(await running.ask('well')).toBe('well');
    });
  });
});
