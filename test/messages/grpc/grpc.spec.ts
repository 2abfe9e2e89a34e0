import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Metadata, credentials, loadPackageDefinition, type Client, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Controller, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, Transport } from '@nestjs/microservices';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { defer, type Observable } from 'rxjs';
import {
  BorrowKeyError,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  PoolRegistry,
  type Pool,
} from '../../../src/index.js';
import { BACKSTAGE, InVain, FAILING_POOLS } from '../../support/failing-pools.js';
import { LogBook, forgetLoggers } from '../../support/nest-app.js';
import { until } from '../../support/until.js';

interface Question {
  text: string;
}
interface Tenant {
  tenant: string;
}

@Controller()
class Tenants {
  constructor(
    private readonly inVain: InVain,
    @InjectBorrowed('tenants') private readonly tenants: Borrowed<Tenant>,
    @InjectBorrowed('single') private readonly single: Borrowed<object>,
  ) {}

  @GrpcMethod('Tenants', 'Borrow')
  async borrow({ text }: Question): Promise<Question> {
    return { text: await this.inVain.borrow(text as 'full' | 'down') };
  }

  @GrpcMethod('Tenants', 'Follow')
  follow(question: Question): Observable<Question> {
    return defer(() => this.borrow(question));
  }

  @GrpcMethod('Tenants', 'Which')
  async which(): Promise<Question> {
    const { tenant } = await this.tenants.get();
    return { text: tenant };
  }

  @GrpcMethod('Tenants', 'Wait')
  async wait(): Promise<Question> {
    await this.single.get();
    return { text: 'served' };
  }
}

type Unary = (
  question: Question,
  metadata: Metadata,
  options: { deadline?: number },
  done: (error: ServiceError | null, answer?: Question) => void,
) => { cancel(): void };

type Stub = Client & Record<'Borrow' | 'Which' | 'Wait', Unary>;

/** The messages of googleapis that an application decodes the details of an error with. */
const google = protobuf.parse(`
  syntax = "proto3";
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }`).root;

describe('over gRPC', () => {
  let app: INestMicroservice;
  let client: Stub;
  const log = new LogBook();

  beforeAll(async () => {
    const url = `127.0.0.1:${await freePort()}`;
    const protoPath = fileURLToPath(new URL('tenants.proto', import.meta.url));
    const pools = [
      ...FAILING_POOLS,
      {
        name: 'tenants',
        max: 2,
        maxTotal: 4,
        key: ({ headers }: { headers: Record<string, unknown> }) => headers['x-tenant'] as string,
        create: ({ key }: { key: string }) => ({ tenant: key }),
      },
      { name: 'single', create: () => ({}), max: 1 },
    ];
    const module = {
      module: class {},
      imports: [PoolModule.forRoot({ pools } as never)],
      controllers: [Tenants],
      providers: [InVain],
    };
    app = await NestFactory.createMicroservice(module, {
      transport: Transport.GRPC,
      options: { url, package: 'tenants', protoPath },
      logger: log,
    });
    await app.listen();
    const { tenants } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
      tenants: { Tenants: new (url: string, how: unknown) => Stub };
    };
    client = new tenants.Tenants(url, credentials.createInsecure());
  });

  afterAll(async () => {
    client.close();
    await app.close();
    forgetLoggers();
  });

  const ask = (
    method: 'Borrow' | 'Which' | 'Wait',
    text = '',
    headers: Record<string, string> = {},
    options: { deadline?: number } = {},
  ): Promise<Question | ServiceError> => {
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
    return new Promise(resolve => {
      client[method]({ text }, metadata, options, (error, answer) => resolve(error ?? answer!));
    });
  };

  const follow = (text: string): Promise<ServiceError> =>
    new Promise(resolve => {
      const call = client.makeServerStreamRequest(
        '/tenants.Tenants/Follow',
        () => Buffer.concat([Buffer.from([10, text.length]), Buffer.from(text)]),
        (bytes: Buffer) => bytes,
        {},
      );
      call.on('error', error => resolve(error as ServiceError));
      call.resume();
    });

  it.each([
    ['a call', (pool: string) => ask('Borrow', pool)],
    ['a stream', follow],
  ])(
    '%s that no pool can serve is UNAVAILABLE or RESOURCE_EXHAUSTED, with the delay of a retry',
    async (_, call) => {
      const down = (await call('down')) as ServiceError;
      expect(down).toMatchObject({ code: 14, details: 'The service is busy, try again later' });
      expect(`${down.message} ${JSON.stringify(down.metadata.getMap())}`).not.toMatch(BACKSTAGE);
      const pushback = Number(down.metadata.get('grpc-retry-pushback-ms')[0]);
      expect(pushback).toBeGreaterThanOrEqual(1_000);
      const [details] = down.metadata.get('grpc-status-details-bin');
      const status = google.lookupType('Status').decode(details as Buffer) as unknown as {
        code: number;
        message: string;
        details: { typeUrl: string; value: Buffer }[];
      };
      expect(status).toMatchObject({ code: 14, message: down.details });
      expect(status.details[0]?.typeUrl).toBe('type.googleapis.com/google.rpc.RetryInfo');
      const info = google.lookupType('RetryInfo').decode(status.details[0]!.value);
      expect(info.toJSON()).toEqual({ retryDelay: { seconds: String(pushback / 1_000) } });
      expect(await call('full')).toMatchObject({ code: 8 });
    },
  );

  it('the key of a keyed pool is found in the metadata', async () => {
    expect(await ask('Which', '', { 'x-tenant': 'acme' })).toEqual({ text: 'acme' });
    expect(await ask('Which', '', { 'x-tenant': 'other' })).toEqual({ text: 'other' });
    expect(await ask('Which')).toMatchObject({ code: 2, details: 'Internal server error' });
    expect(log.lines.join()).toContain(BorrowKeyError.name);
  });

  it('a call whose deadline passes while it is waiting leaves the queue', async () => {
    const single = app.get(PoolRegistry).find('single') as Pool<object>;
    const lease = await single.acquire();
    const late = await ask('Wait', '', {}, { deadline: Date.now() + 100 });
    expect(late).toMatchObject({ code: 4 });
    await until(
      () => single.stats().waiting,
      waiting => waiting === 0,
    );
    lease.release();
    expect(await ask('Wait')).toEqual({ text: 'served' });
    await until(
      () => single.stats().leased,
      leased => leased === 0,
    );
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
