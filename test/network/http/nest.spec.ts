import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { PoolClosedError } from '../../../src/engine/index.js';
import {
  HttpSession,
  HttpSessionModule,
  InjectHttp,
  getHttpToken,
  type HttpSessionDefinition,
} from '../../../src/http/index.js';
import { InjectPool, KeyedPool, PoolModule, PoolRegistry } from '../../../src/index.js';
import { LogBook } from '../../support/nest-app.js';
import { until } from '../../support/until.js';
import { deadOrigin, httpServer, type CountingServer } from './servers.js';

let upstream: CountingServer;
let answer: (() => void) | undefined;
let app: INestApplication | undefined;

beforeEach(async () => {
  log = new LogBook();
  upstream = await httpServer((request, response) => {
    if (request.url === '/slow') answer = () => void response.end('late');
    else response.end(`${String(request.headers['x-from'])} ${request.url}`);
  });
});

afterEach(async () => {
  await app?.close();
  app = undefined;
  // Nothing is left at the other side.
  await upstream.allClosed();
  await upstream.stop();
});

let log: LogBook;

async function started(
  ...imports: NonNullable<Parameters<typeof Module>[0]['imports']>
): Promise<INestApplication> {
  app = (await Test.createTestingModule({ imports }).compile()).createNestApplication({
    logger: log,
  });
  await app.listen(0, '127.0.0.1');
  return app;
}

function session(name: string): HttpSession {
  return app!.get<HttpSession>(getHttpToken(name), { strict: false });
}

describe('HttpSessionModule', () => {
  it('registers sessions, whose pools are those of the application', async () => {
    @Injectable()
    class Repositories {
      constructor(
        @InjectHttp('github') readonly github: HttpSession,
        @InjectPool('github') readonly pool: KeyedPool<string, unknown>,
      ) {}
    }
    @Module({ providers: [Repositories] })
    class Feature {}
    await started(
      PoolModule.forRoot({ defaults: { acquireTimeout: 1_234, max: 3 } }),
      HttpSessionModule.forRoot({
        sessions: [{ name: 'github', baseUrl: upstream.origin, headers: { 'x-from': 'us' } }],
      }),
      Feature,
    );
    const { github, pool } = app!.get(Repositories, { strict: false });
    expect(await (await github.fetch('/users')).text()).toBe('us /users');
    expect(github.pool).toBe(pool);
    expect(app!.get(PoolRegistry).names()).toEqual(['github']);
    // The defaults of the application hold for it as for any pool.
    expect(github.stats()).toMatchObject({ name: 'github', max: 3, idle: 1 });
  });

  it('logs no idle connections that close, and an outage once for all requests that see it', async () => {
    const dead = await deadOrigin();
    await started(
      HttpSessionModule.forRoot({
        sessions: [
          { name: 'github', baseUrl: upstream.origin },
          { name: 'billing', baseUrl: dead, unavailableAfter: 1 },
        ],
      }),
    );
    await (await session('github').fetch('/users')).text();
    for (const socket of upstream.sockets) socket.end();
    await until(
      () => session('github').stats(),
      ({ totals }) => totals.destroyedBy.invalid === 1,
    );
    let times = 0;
    session('billing').addListener({
      onStateChange: ({ to }) => {
        if (to === 'unavailable') times++;
      },
    });
    // The pool of its only key ends between two requests, and finds out anew.
    while (times < 3) {
      await session('billing')
        .fetch('/')
        .catch(() => undefined);
    }
    expect(log.lines.filter(line => line.includes('destroyed'))).toEqual([]);
    expect(log.lines.filter(line => line.includes('is unavailable'))).toHaveLength(1);
  });

  it('takes options from other providers, and works without PoolModule.forRoot', async () => {
    class Config {
      readonly url = upstream.origin;
    }
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}
    await started(
      HttpSessionModule.forRoot({
        imports: [ConfigModule],
        sessions: [
          {
            name: 'billing',
            inject: [Config],
            useFactory: (config: Config) =>
              Promise.resolve({ baseUrl: config.url, headers: { 'x-from': 'config' } }),
          },
        ],
      }),
    );
    expect(await (await session('billing').request('/x')).body.text()).toBe('config /x');
  });

  it('has one pool for one definition, wherever it is imported', async () => {
    const shared: HttpSessionDefinition = { name: 'shared', baseUrl: upstream.origin };
    @Module({ imports: [HttpSessionModule.forFeature([shared])] })
    class One {}
    @Module({ imports: [HttpSessionModule.forFeature([shared])] })
    class Two {}
    await started(One, Two);
    expect(app!.get(PoolRegistry).names()).toEqual(['shared']);
    for (const module of [One, Two]) {
      await (
        await app!.select(module).get<HttpSession>(getHttpToken('shared'), { strict: false }).request('/')
      ).body.dump();
    }
    expect(upstream.connections).toBe(1);
  });

  it('refuses two sessions of one name, and what is no definition', async () => {
    const twice = [
      HttpSessionModule.forFeature([{ name: 'x', baseUrl: upstream.origin }]),
      HttpSessionModule.forFeature([{ name: 'x', baseUrl: upstream.origin }]),
    ];
    await expect(started(...twice)).rejects.toThrow('Pool "x" is defined twice');
    expect(() => HttpSessionModule.forFeature([{ name: '' }])).toThrow('name must be a non-empty string');
    expect(() => HttpSessionModule.forRoot({ sessions: undefined! })).toThrow('sessions must be an array');
    const nothing = { name: 'y', useFactory: () => undefined! };
    await expect(started(HttpSessionModule.forFeature([nothing]))).rejects.toThrow(
      'useFactory of session "y"',
    );
  });

  it('closes sessions when the requests of the application are answered', async () => {
    @Controller()
    class Proxy {
      constructor(@InjectHttp('github') private readonly github: HttpSession) {}
      @Get()
      async proxy(): Promise<string> {
        return (await this.github.request('/slow')).body.text();
      }
    }
    @Module({ controllers: [Proxy] })
    class Feature {}
    await started(
      HttpSessionModule.forRoot({ sessions: [{ name: 'github', baseUrl: upstream.origin }] }),
      Feature,
    );
    const github = session('github');
    await using client = new HttpSession({ baseUrl: await app!.getUrl() });
    const call = client.request('/', { reset: true });
    await until(
      () => upstream.requests.length,
      length => length === 1,
    );
    const closed = app!.close();
    await until(
      () => app!.get(PoolRegistry).shuttingDown,
      down => down,
    );
    answer!();
    expect(await (await call).body.text()).toBe('late');
    await closed;
    app = undefined;
    await expect(github.request('/')).rejects.toBeInstanceOf(PoolClosedError);
  });

  it('answers 503 where the upstream has no connection in time', async () => {
    @Controller()
    class Proxy {
      constructor(@InjectHttp('github') private readonly github: HttpSession) {}
      @Get()
      async proxy(): Promise<string> {
        return (await this.github.fetch('/')).text();
      }
    }
    @Module({ controllers: [Proxy] })
    class Feature {}
    await started(
      HttpSessionModule.forRoot({
        sessions: [{ name: 'github', baseUrl: await deadOrigin(), createBackoff: { initial: 1, max: 1 } }],
      }),
      Feature,
    );
    await using client = new HttpSession({ baseUrl: await app!.getUrl() });
    const response = await client.fetch('/');
    expect(response.status).toBe(503);
    expect(response.headers.has('retry-after')).toBe(true);
    expect(await response.text()).not.toContain('127.0.0.1');
  });

  it('lets tests put another session in place', async () => {
    @Injectable()
    class Repositories {
      constructor(@InjectHttp('github') readonly github: HttpSession) {}
    }
    const fake = { fetch: () => Promise.resolve('fake') };
    const module = await Test.createTestingModule({
      imports: [HttpSessionModule.forRoot({ sessions: [{ name: 'github', baseUrl: upstream.origin }] })],
      providers: [Repositories],
    })
      .overrideProvider(getHttpToken('github'))
      .useValue(fake)
      .compile();
    expect(module.get(Repositories).github).toBe(fake);
    await module.close();
  });
});
