import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  HostParam,
  Injectable,
  Module,
  RequestMethod,
  VERSION_NEUTRAL,
  Version,
  VersioningType,
  type MiddlewareConsumer,
  type NestModule,
  type VersioningOptions,
} from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { Borrow, type Borrowed, InjectBorrowed, PoolModule, PoolRegistry } from '../../src/index.js';
import { Call, type Answer } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

interface Thing {
  readonly id: number;
}

const stage = new Stage();

@Injectable()
class Below {
  constructor(@InjectBorrowed('things') readonly things: Borrowed<Thing>) {}
  async answer(route: string, thing: Thing): Promise<object> {
    await stage.pass('handler');
    return { route, same: (await this.things.get()) === thing };
  }
}

@Controller({ path: 'orders', version: '1' })
class OrdersController {
  constructor(private readonly below: Below) {}

  @Get()
  find(@Borrow('things') thing: Thing): Promise<object> {
    return this.below.answer('first', thing);
  }

  @Version('2')
  @Get()
  find2(@Borrow('things') thing: Thing): Promise<object> {
    return this.below.answer('second', thing);
  }
}

@Controller({ path: 'files' })
class FilesController {
  constructor(private readonly below: Below) {}

  @Get('*')
  file(@Borrow('things') thing: Thing): Promise<object> {
    return this.below.answer('file', thing);
  }
}

@Controller({ path: 'shop', host: ':tenant.example.test' })
class TenantController {
  constructor(private readonly below: Below) {}

  @Get()
  shop(@HostParam('tenant') tenant: string, @Borrow('things') thing: Thing): Promise<object> {
    return this.below.answer(`shop of ${tenant}`, thing);
  }
}

@Controller('bare')
class BareController {
  constructor(private readonly below: Below) {}

  @Get()
  bare(@Borrow('things') thing: Thing): Promise<object> {
    return this.below.answer('bare', thing);
  }
}

@Controller('nested')
class NestedController {
  constructor(private readonly below: Below) {}

  @Get()
  nested(@Borrow('things') thing: Thing): Promise<object> {
    return this.below.answer('nested', thing);
  }
}
@Module({ controllers: [NestedController], providers: [Below] })
class NestedModule {}

@Module({})
class Middlewares implements NestModule {
  constructor(@InjectBorrowed('things') private readonly things: Borrowed<Thing>) {}

  configure(consumer: MiddlewareConsumer): void {
    // The request's own thing, before its handler has it.
    consumer
      .apply((_request: unknown, response: ServerResponse, next: (error?: unknown) => void) => {
        void this.things.get().then(({ id }) => {
          response.setHeader('x-thing', String(id));
          next();
        }, next);
      })
      .forRoutes({ path: '*all', method: RequestMethod.ALL });
  }
}

const VERSIONING: Record<string, { options: VersioningOptions; second: [string, Record<string, string>] }> = {
  'the address': { options: { type: VersioningType.URI }, second: ['api/v2/orders', {}] },
  'a header': {
    options: { type: VersioningType.HEADER, header: 'x-version' },
    second: ['api/orders', { 'x-version': '2' }],
  },
  'the media type': {
    options: { type: VersioningType.MEDIA_TYPE, key: 'v=' },
    second: ['api/orders', { accept: 'application/json;v=2' }],
  },
  'a rule of the application': {
    options: {
      type: VersioningType.CUSTOM,
      extractor: request =>
        String((request as { headers: Record<string, string> }).headers['x-year']).slice(-1),
    },
    second: ['api/orders', { 'x-year': '2022' }],
  },
};

describe.each(PLATFORMS)('on %s, a borrowed resource', platform => {
  let running: RunningApp;

  const start = async (versioning?: VersioningOptions): Promise<void> => {
    let made = 0;
    running = await serve(
      platform,
      {
        imports: [
          PoolModule.forRoot({ pools: [{ name: 'things', max: 1, create: () => ({ id: ++made }) }] }),
          RouterModule.register([{ path: 'outer', children: [{ path: 'inner', module: NestedModule }] }]),
          NestedModule,
          Middlewares,
        ],
        controllers: [
          ...(versioning ? [OrdersController] : []),
          FilesController,
          TenantController,
          BareController,
        ],
        providers: [Below],
      },
      app => {
        app.setGlobalPrefix('api', { exclude: ['bare'] });
        if (versioning) app.enableVersioning({ defaultVersion: VERSION_NEUTRAL, ...versioning });
      },
    );
  };
  const leased = (): number => running.app.get(PoolRegistry).get('things').stats().leased;
  const back = (): Promise<number> => until(leased, n => n === 0);
  /** Asks, and looks who has what while the handler runs. */
  const ask = async (path: string, headers: Record<string, string> = {}): Promise<Answer> => {
    stage.reset();
    const answer = new Call(`${running.url}/${path}`, { headers }).answer();
    await stage.reached('handler');
    expect(leased()).toBe(1);
    stage.open('handler');
    const answered = await answer;
    await back();
    return answered;
  };
  const answers = (route: string): object => ({
    status: 200,
    body: JSON.stringify({ route, same: true }),
    headers: expect.objectContaining({ 'x-thing': '1' }) as unknown,
  });

  beforeEach(() => stage.reset());
  afterEach(async () => {
    stage.openAll();
    await back();
    // Each request has borrowed once, in middleware, guards and handler together.
    const { acquired, released } = running.app.get(PoolRegistry).get('things').stats().totals;
    expect(released).toBe(acquired);
    await running.app.close();
    forgetLoggers();
  });

  it.each(Object.keys(VERSIONING))('is the request’s under versions by %s', async by => {
    const { options, second } = VERSIONING[by]!;
    await start(options);
    expect(await ask(...second)).toMatchObject(answers('second'));
    expect(await ask('bare')).toMatchObject(answers('bare'));
    expect(running.app.get(PoolRegistry).get('things').stats().totals.acquired).toBe(2);
  });

  it('is the request’s under a global prefix, beside it, under modules’ paths, wildcards and hosts', async () => {
    await start();
    expect(await ask('bare')).toMatchObject(answers('bare'));
    expect(await ask('api/outer/inner/nested')).toMatchObject(answers('nested'));
    expect(await ask('api/files/a/b.txt')).toMatchObject(answers('file'));
    expect(await ask('api/shop', { host: 'ada.example.test' })).toMatchObject(answers('shop of ada'));
    expect(running.app.get(PoolRegistry).get('things').stats().totals.acquired).toBe(4);
  });

  it('comes back from a request that has no route, or whose host has none', async () => {
    await start();
    expect((await new Call(`${running.url}/api/nowhere`).answer()).status).toBe(404);
    await back();
    expect((await new Call(`${running.url}/api/shop`).answer()).status).toBe(404);
    await back();
  });
});
