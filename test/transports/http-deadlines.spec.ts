import { afterEach, describe, expect, it } from '@jest/globals';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Controller,
  Get,
  Injectable,
  UseGuards,
  type CanActivate,
  type INestApplication,
} from '@nestjs/common';
import { GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { OutgoingHttpHeaders } from 'node:http';
import {
  Borrow,
  BorrowScopes,
  BorrowSignal,
  Borrowed,
  DeadlineExceededError,
  InjectBorrowed,
  PoolModule,
  PoolRegistry,
  getBorrowedToken,
  type PoolModuleRootOptions,
  type PoolStats,
  type RequestDeadline,
} from '../../src/index.js';
import { assertNoLeases } from '../../src/testing/index.js';
import { Call, type Answer } from '../support/http-client.js';
import { Http2Client } from '../support/http2-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

/** Is at work for longer than a deadline of a millisecond, and lets nothing else run meanwhile. */
@Injectable()
class SlowGuard implements CanActivate {
  canActivate(): boolean {
    const end = performance.now() + 3;
    while (performance.now() < end);
    return true;
  }
}

@Controller()
class Items {
  reason: unknown;

  constructor(
    private readonly stage: Stage,
    private readonly scopes: BorrowScopes,
    @InjectBorrowed('items') private readonly items: Borrowed<object>,
  ) {}

  @Get('hold')
  async hold(@Borrow('items') _item: object): Promise<string> {
    await this.stage.pass('holding');
    return 'lent';
  }

  @Get('lent')
  lent(@Borrow('items') _item: object): string {
    return 'lent';
  }

  @Get('late')
  @UseGuards(SlowGuard)
  late(@Borrow('items') _item: object): string {
    return 'lent';
  }

  @Get('all-the-same')
  @UseGuards(SlowGuard)
  allTheSame(): Promise<string> {
    return this.scopes.run(
      async () => {
        await this.items.get();
        return `lent, with ${this.scopes.remaining() ?? 'no'} deadline`;
      },
      { own: true },
    );
  }

  @Get('remaining')
  remaining(): object {
    return { left: this.scopes.remaining() ?? null };
  }

  @Get('nothing-remains')
  @UseGuards(SlowGuard)
  nothingRemains(): object {
    return { left: this.scopes.remaining() ?? null };
  }

  @Get('heeds')
  async heeds(@BorrowSignal() signal: AbortSignal): Promise<string> {
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve));
    this.reason = signal.reason;
    return 'stopped early';
  }
}

@Resolver()
class Answers {
  @Query(() => String)
  lent(@Borrow('items') _item: object): string {
    return 'lent';
  }
}

const HEADERS = ['X-Request-Timeout-Ms', 'x-envoy-expected-rq-timeout-ms', 'grpc-timeout'];
const AGES = '99999999999999999999';

let running: RunningApp;
let stage: Stage;
const stats = (): PoolStats => running.app.get(PoolRegistry).get('items').stats();
const call = (path: string, headers: OutgoingHttpHeaders = {}): Call =>
  new Call(`${running.url}/${path}`, { headers });
const ask = (path: string, headers: OutgoingHttpHeaders = {}): Promise<Answer> =>
  call(path, headers).answer();
const within = (ms: number | string): OutgoingHttpHeaders => ({ 'x-request-timeout-ms': ms });

const start = async (
  platform: Parameters<typeof serve>[0],
  deadline: RequestDeadline | null = HEADERS,
  {
    prepare,
    imports = [],
    ...settings
  }: {
    prepare?: (app: INestApplication) => unknown;
    imports?: NonNullable<PoolModuleRootOptions['imports']>;
    acquireTimeout?: number;
  } = {},
): Promise<void> => {
  stage = new Stage();
  const pools = [{ name: 'items', create: () => ({}), max: 1, acquireTimeout: 60_000, ...settings }];
  running = await serve(
    platform,
    {
      imports: [PoolModule.forRoot({ pools, ...(deadline && { deadline }) }), ...imports],
      controllers: [Items],
      providers: [{ provide: Stage, useValue: stage }, Answers],
    },
    prepare,
  );
};

/** Another request has the only item until it is told to go on. */
const holdIt = async (): Promise<() => Promise<void>> => {
  const holding = ask('hold');
  await stage.reached('holding');
  return async () => {
    stage.open('holding');
    expect(await holding).toMatchObject({ status: 200, body: 'lent' });
  };
};

const isDeadlineExceeded = (answer: Answer): void => {
  expect(answer.status).toBe(504);
  expect(answer.headers).not.toHaveProperty('retry-after');
  expect(JSON.parse(answer.body)).toEqual({
    statusCode: 504,
    error: 'Gateway Timeout',
    message: 'The deadline of the request has passed',
  });
};

afterEach(async () => {
  stage.openAll();
  await assertNoLeases(running.app);
  await running.app.close();
  forgetLoggers();
});

describe.each(PLATFORMS)('the deadline of a request on %s', platform => {
  it('ends its wait, which is nothing against the pool, and leaves the next one its place', async () => {
    await start(platform);
    const giveBack = await holdIt();
    const patient = ask('lent');
    await until(stats, ({ waiting }) => waiting === 1);
    // On a slow day it has used up its time before it gets to the queue.
    while (stats().totals.aborted === 0) isDeadlineExceeded(await ask('lent', within(50)));
    expect(stats()).toMatchObject({ waiting: 1, totals: { timedOut: 0, aborted: 1 } });
    await giveBack();
    expect(await patient).toMatchObject({ status: 200, body: 'lent' });
    expect(stats().totals).toMatchObject({ acquired: 2, released: 2, destroyed: 0 });
    expect(running.log.ofPools).toEqual([]);
  });

  it('refuses it when that was used up before the borrow, although something is idle', async () => {
    await start(platform);
    await ask('lent');
    const { totals } = stats();
    isDeadlineExceeded(await ask('late', within(1)));
    expect(stats()).toMatchObject({ idle: 1, totals });
    expect(await ask('late', within(60_000))).toMatchObject({ status: 200, body: 'lent' });
  });

  it('holds for middleware', async () => {
    await start(platform, HEADERS, {
      prepare: app => {
        const items = app.get<Borrowed<object>>(getBorrowedToken('items'));
        app.use((_: unknown, __: unknown, next: (error?: unknown) => void) => {
          new SlowGuard().canActivate();
          void items.get().then(() => {
            next();
          }, next);
        });
      },
    });
    expect((await ask('lent', within(1))).status).toBeGreaterThanOrEqual(500);
    expect(stats().totals).toMatchObject({ waited: 0, created: 0 });
    expect(await ask('lent', within(60_000))).toMatchObject({ status: 200 });
  });

  it('holds for GraphQL, and is an error of its own there', async () => {
    const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true });
    await start(platform, HEADERS, { imports: [graphql] });
    const giveBack = await holdIt();
    const query = { method: 'POST', body: { query: '{ lent }' }, headers: within(30) };
    const { body } = await new Call(`${running.url}/graphql`, query).answer();
    const { errors } = JSON.parse(body) as { errors: unknown[] };
    expect(errors).toEqual([
      expect.objectContaining({
        message: 'The deadline of the request has passed',
        extensions: expect.objectContaining({ code: 'DEADLINE_EXCEEDED' }),
      }),
    ]);
    expect(body).not.toMatch(/items|Pool/);
    expect(stats()).toMatchObject({ waiting: 0, totals: { timedOut: 0 } });
    await giveBack();
  });

  it('never makes a wait longer: acquireTimeout is told as ever', async () => {
    await start(platform, HEADERS, { acquireTimeout: 20 });
    const giveBack = await holdIt();
    expect(await ask('lent', within(AGES))).toMatchObject({ status: 503 });
    expect(stats().totals).toMatchObject({ timedOut: 1, aborted: 0 });
    await giveBack();
  });

  it('aborts its signal, and lets the handler answer as it likes', async () => {
    await start(platform);
    expect(await ask('heeds', within(20))).toMatchObject({ status: 200, body: 'stopped early' });
    expect(running.app.get(Items).reason).toBeInstanceOf(DeadlineExceededError);
  });

  it('is none of a scope of its own that is begun for what has to be done all the same', async () => {
    await start(platform);
    expect(await ask('all-the-same', within(1))).toMatchObject({ body: 'lent, with no deadline' });
  });

  it('is not asked for unless the application wants it', async () => {
    await start(platform, null);
    expect(await ask('late', within(1))).toMatchObject({ status: 200 });
    expect(await ask('remaining', within(1))).toMatchObject({ body: '{"left":null}' });
  });

  it('is refused to be passed on when nothing is left of it', async () => {
    await start(platform);
    isDeadlineExceeded(await ask('nothing-remains', within(1)));
  });

  const left = async (headers: OutgoingHttpHeaders): Promise<number | null> => {
    const { status, body } = await ask('remaining', headers);
    expect(status).toBe(200);
    return (JSON.parse(body) as { left: number | null }).left;
  };

  it('is what can be understood of its headers, and the least of it', async () => {
    await start(platform);
    const told: [OutgoingHttpHeaders, number][] = [
      [within('50000'), 50_000],
      [within(' 50000.75 '), 50_000],
      [{ 'x-envoy-expected-rq-timeout-ms': '40000', 'x-request-timeout-ms': '50000' }, 40_000],
      [{ 'X-REQUEST-TIMEOUT-MS': ['50000', '30000', '40000'] }, 30_000],
      [within('50000, 30000,garbage,-1,0'), 30_000],
      [{ 'grpc-timeout': '25S' }, 25_000],
      [{ 'grpc-timeout': '1M', 'x-request-timeout-ms': '70000' }, 60_000],
      [{ ...within(AGES), 'grpc-timeout': '1H' }, 3_600_000],
    ];
    for (const [headers, most] of told) {
      const found = (await left(headers))!;
      expect({ headers, found: found <= most && found > most - 15_000 }).toEqual({ headers, found: true });
      expect(Number.isInteger(found)).toBe(true);
    }
  });

  it.each([
    ...[
      '',
      ' ',
      '0',
      '0.0',
      '-5',
      '-0',
      '+5',
      'NaN',
      'Infinity',
      '1e3',
      '1e999',
      '0x10',
      '0b1',
      '5ms',
      '1_000',
    ],
    ...['5 5', '5;5', '.5', '5.', '1.2.3', 'null', '[]', '\u00b2', '"5"', ',', ',,,', '9'.repeat(400)],
    ...['Wed, 21 Oct 2026 07:28:00 GMT', '__proto__'],
  ])('is not what nobody can have meant: %j', async value => {
    await start(platform);
    expect(await left({ 'x-request-timeout-ms': value })).toBeNull();
    expect(await left({ 'grpc-timeout': value })).toBeNull();
  });

  it.each(['1', '123456789m', 's', '-1S', '1.5S', '1Sm', '1s', '1h', '1 S'])(
    'is not what gRPC would not write: grpc-timeout %j',
    async value => {
      await start(platform);
      expect(await left({ 'grpc-timeout': value })).toBeNull();
    },
  );

  it('has passed when gRPC says 0: its clients send that then', async () => {
    await start(platform);
    isDeadlineExceeded(await ask('lent', { 'grpc-timeout': '0m' }));
  });

  it('may be so far away that no timer can be set for it', async () => {
    await start(platform);
    const giveBack = await holdIt();
    const answers = [within(AGES), within(2 ** 31), { 'grpc-timeout': '99999999H' }].map(headers =>
      ask('lent', headers),
    );
    await until(stats, ({ waiting }) => waiting === 3);
    await giveBack();
    for (const answer of answers) expect(await answer).toMatchObject({ status: 200 });
  });

  describe('found by a function', () => {
    it('is what that returns when the request arrives, also less than nothing', async () => {
      await start(platform, ({ headers }) => Number(headers['x-until']) - Date.now());
      expect(await left({ 'x-until': Date.now() + 50_000 })).toBeGreaterThan(30_000);
      expect(await left({})).toBeNull();
      isDeadlineExceeded(await ask('lent', { 'x-until': Date.now() - 1 }));
      isDeadlineExceeded(await ask('lent', { 'x-until': -Infinity }));
      expect(await left({ 'x-until': Infinity })).toBeNull();
      expect(running.log.lines.filter(line => line.startsWith('error'))).toEqual([]);
    });

    it.each([
      [
        'throws',
        (): never => {
          throw new TypeError('secret of the request');
        },
        /has thrown TypeError\./,
      ],
      ['returns a promise that rejects', () => Promise.reject(new Error('secret')), /has returned a promise/],
      ['returns a text', () => '100', /has returned a text/],
      ['returns an object', () => ({}), /has returned an object/],
    ])('that %s is ignored, and said once', async (_, deadline, complaint) => {
      await start(platform, deadline as never);
      for (let i = 0; i < 3; i++) expect(await ask('lent')).toMatchObject({ status: 200, body: 'lent' });
      const errors = running.log.lines.filter(line => line.startsWith('error'));
      expect(errors).toEqual([expect.stringMatching(complaint)]);
      expect(errors.join()).not.toContain('secret');
    });
  });
});

describe('the deadline of a request on Fastify', () => {
  it('is found over HTTP/2', async () => {
    await start(new FastifyAdapter({ http2: true } as object));
    const client = await Http2Client.connect(running.url);
    const hold = client.call('/hold');
    await stage.reached('holding');
    const answer = client.call('/lent', { 'x-request-timeout-ms': '30' });
    expect(await answer.status).toBe(504);
    expect(stats()).toMatchObject({ waiting: 0, totals: { timedOut: 0 } });
    stage.open('holding');
    expect(await hold.status).toBe(200);
    client.lose();
  });

  it('is found without the plugin for middleware', async () => {
    await start(new FastifyAdapter({ skipMiddie: true } as object));
    isDeadlineExceeded(await ask('late', within(1)));
  });
});
