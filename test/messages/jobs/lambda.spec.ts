import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Param, Query, Res, StreamableFile, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import serverlessExpress from '@codegenie/serverless-express';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { Borrow, BorrowScopes } from '../../../src/index.js';
import { Thing } from '../../support/borrowing/thing.js';
import { failureOf } from '../../support/follow.js';
import { JobBench, Labour } from '../../support/jobs.js';

@Controller()
class Orders {
  constructor(private readonly labour: Labour) {}

  @Get('value/:name') value(@Param('name') name: string): Promise<number> {
    return this.labour.do(name);
  }

  @Get('parameter') parameter(@Borrow('things') thing: Thing, @Query('n') n: string): string {
    return `${n} ${thing.use()}`;
  }

  @Get('stream') stream(@Borrow('things') thing: Thing): StreamableFile {
    const { stage } = this.labour;
    return new StreamableFile(
      Readable.from(
        (async function* () {
          yield `first ${thing.use()}`;
          await stage.pass('streaming');
          yield ` last ${thing.use()}`;
        })(),
      ),
    );
  }

  @Get('by-hand') async byHand(
    @Borrow('things') thing: Thing,
    @Res() response: ServerResponse,
  ): Promise<void> {
    await this.labour.stage.pass('by hand');
    response.end(String(thing.use()));
  }
}

/** Its types have the function that it is as a property only. */
const configure = serverlessExpress as unknown as (options: {
  app: unknown;
}) => (event: object, context: object, callback: unknown) => Promise<Reply>;

interface Reply {
  readonly statusCode: number;
  readonly body: string;
}

const event = (path: string, query: Record<string, string> = {}): object => ({
  version: '2.0',
  routeKey: '$default',
  rawPath: path,
  rawQueryString: new URLSearchParams(query).toString(),
  headers: { host: 'example.org', 'content-type': 'application/json' },
  queryStringParameters: query,
  requestContext: { http: { method: 'GET', path, sourceIp: '127.0.0.1' } },
  isBase64Encoded: false,
});

const behindLambda = async (root: object, { log }: JobBench): Promise<INestApplication> => {
  const app = await NestFactory.create(root as never, new ExpressAdapter(), {
    logger: log,
    abortOnError: false,
  });
  return app.init();
};

describe('a handler of AWS Lambda with @codegenie/serverless-express', () => {
  let bench: JobBench;
  let handler: (event: object) => Promise<Reply>;
  beforeEach(async () => {
    bench = await JobBench.start({ controllers: [Orders] }, {}, behindLambda);
    const app = (bench.app as INestApplication).getHttpAdapter().getInstance() as unknown;
    const proxied = configure({ app });
    handler = one => proxied(one, {}, undefined);
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it('has the scope of its request, invocation after invocation', async () => {
    bench.stage.openAll();
    for (let n = 1; n <= 20; n++) {
      const reply = await handler(event('/parameter', { n: String(n) }));
      expect(reply).toMatchObject({ statusCode: 200, body: `${n} 1` });
      await bench.allBack();
    }
    expect(await handler(event('/value/one'))).toMatchObject({ statusCode: 200, body: '1' });
    await bench.allBack();
  });

  it('gives back when it fails', async () => {
    bench.stage.open('fails');
    expect(await handler(event('/value/fails'))).toMatchObject({ statusCode: 500 });
    await bench.allBack();
    expect(Thing.reported).toMatchObject([{ message: 'fails' }]);
  });

  it('has what it has borrowed until its stream is over', async () => {
    const reply = handler(event('/stream'));
    await bench.stage.reached('streaming');
    expect(bench.leased()).toBe(1);
    bench.stage.open('streaming');
    expect(await reply).toMatchObject({ statusCode: 200, body: 'first 1 last 1' });
    await bench.allBack();
  });

  it('has what it has borrowed until it is answered by hand', async () => {
    const reply = handler(event('/by-hand'));
    await bench.stage.reached('by hand');
    expect(bench.leased()).toBe(1);
    bench.stage.open('by hand');
    expect(await reply).toMatchObject({ statusCode: 200, body: '1' });
    await bench.allBack();
  });
});

describe('a handler of AWS Lambda in a context that it keeps', () => {
  let bench: JobBench;
  let handler: (event: { name: string }) => Promise<number>;
  beforeEach(async () => {
    bench = await JobBench.start({});
    handler = ({ name }) => bench.app.get(BorrowScopes).run(() => bench.labour.do(name));
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it('has a scope of its own for each invocation', async () => {
    const both = [handler({ name: 'one' }), handler({ name: 'two' })];
    await Promise.all([bench.stage.reached('one'), bench.stage.reached('two')]);
    expect(bench.leased()).toBe(2);
    bench.stage.openAll();
    expect(new Set(await Promise.all(both)).size).toBe(2);
    expect(bench.leased()).toBe(0);
    for (const name of ['three', 'four']) {
      await handler({ name });
      expect(bench.leased()).toBe(0);
    }
    await failureOf(handler({ name: 'fails' }));
    expect(bench.leased()).toBe(0);
  });
});
