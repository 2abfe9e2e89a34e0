import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Param,
  StreamableFile,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
} from '@nestjs/common';
import { Readable } from 'node:stream';
import { map } from 'rxjs';
import { Borrow, PoolModule, PoolRegistry, type Pool } from '../../src/index.js';
import { get } from '../support/http-client.js';
import { NEST_MAJOR } from '../support/nest-major.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { until } from '../support/until.js';

async function* generator(): AsyncGenerator<string> {
  yield await Promise.resolve('from the generator');
}

const SOURCES = {
  file: () => new StreamableFile(Readable.from(['from the file'])),
  readable: () => Readable.from(['from the stream']),
  generator,
  iterable: () => ({ [Symbol.asyncIterator]: generator }),
  'web-stream': () => new Blob(['from the web']).stream(),
  response: () => new Response('from the response'),
};
type Kind = keyof typeof SOURCES;
const KINDS = Object.keys(SOURCES) as Kind[];

@Controller()
class Streams {
  @Get('streamed/:kind')
  streamed(@Param('kind') kind: Kind, @Borrow('things') _thing: object): unknown {
    return SOURCES[kind]();
  }

  @Get('put-aside/:kind')
  @UseInterceptors({
    intercept: (_: ExecutionContext, next: CallHandler) => next.handle().pipe(map(() => 'something else')),
  })
  putAside(@Param('kind') kind: Kind, @Borrow('things') _thing: object): unknown {
    return SOURCES[kind]();
  }
}

describe.each(PLATFORMS)('a borrowed resource behind a streamed body on %s', platform => {
  let running: RunningApp;
  let pool: Pool<unknown>;
  const allBack = (): Promise<number> =>
    until(
      () => pool.stats().leased,
      n => n === 0,
      2_000,
    );

  beforeEach(async () => {
    running = await serve(platform, {
      imports: [PoolModule.forRoot({ shutdownTimeout: 0, pools: [{ name: 'things', create: () => ({}) }] })],
      controllers: [Streams],
    });
    pool = running.app.get(PoolRegistry).get('things');
  });
  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  it.each(KINDS)('comes back when an interceptor has put the %s aside', async kind => {
    expect((await get(`${running.url}/put-aside/${kind}`)).body).toBe('something else');
    await allBack();
    expect(pool.stats().totals).toMatchObject({ acquired: 1, released: 1 });
  });

  it.each(KINDS)('comes back from a %s, whether or not this NestJS streams it', async kind => {
    const { body } = await get(`${running.url}/streamed/${kind}`);
    const streams =
      NEST_MAJOR >= 12 || kind === 'file' || (platform === 'fastify' && !/iter|gener/.test(kind));
    if (streams) expect(body).toMatch(/^from the/);
    else expect(body).toMatch(/^\{/);
    await allBack();
  });
});
