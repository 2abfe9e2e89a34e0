import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Global,
  Injectable,
  Module,
  type DynamicModule,
  type INestApplicationContext,
  type OnApplicationShutdown,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Borrow,
  InjectPool,
  Pool,
  PoolModule,
  PoolRegistry,
  PoolStartError,
  type PoolModuleOptions,
  type PoolModuleRootOptions,
  type PoolOptionsFactory,
} from '../../src/index.js';
import { get } from '../support/http-client.js';
import { LogBook, PLATFORMS, forgetLoggers, serve } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';

// What applications do that were written by somebody else.

let app: INestApplicationContext | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
  forgetLoggers();
});

async function context(...imports: NonNullable<Parameters<typeof Module>[0]['imports']>): Promise<LogBook> {
  const log = new LogBook();
  class AppModule {}
  app = await NestFactory.createApplicationContext(
    { module: AppModule, imports },
    { logger: log, abortOnError: false },
  );
  return log;
}

const limits = (name = 'items'): number => app!.get(PoolRegistry).get(name).stats().max;

@Injectable()
class Config {
  readonly max: number = 7;
}
@Module({ providers: [Config], exports: [Config] })
class ConfigModule {}

@Injectable()
class FromConfig implements PoolOptionsFactory {
  constructor(private readonly config: Config) {}

  createPoolOptions(): PoolModuleOptions {
    return { defaults: { max: this.config.max } };
  }
}
Reflect.defineMetadata('design:paramtypes', [Config], FromConfig);
@Module({ imports: [ConfigModule], providers: [FromConfig], exports: [FromConfig] })
class FactoryModule {}

const items = { name: 'items', create: () => ({}) };

describe('the providers that pools are made from', () => {
  it('come from the imports of forRoot', async () => {
    await context(
      PoolModule.forRoot({
        imports: [ConfigModule],
        pools: [
          {
            name: 'items',
            inject: [Config],
            useFactory: ({ max }: Config) => ({ create: () => ({}), max }),
          },
        ],
      }),
    );
    expect(limits()).toBe(7);
  });

  it.each([
    ['useClass', { imports: [ConfigModule], useClass: FromConfig }],
    ['useExisting', { imports: [FactoryModule], useExisting: FromConfig }],
    [
      'useFactory',
      {
        imports: [FactoryModule],
        inject: [FromConfig],
        useFactory: (from: FromConfig) => from.createPoolOptions(),
      },
    ],
  ])('make the options of forRootAsync, by %s', async (_, async) => {
    await context(PoolModule.forRootAsync({ ...async, pools: [items] }));
    expect(limits()).toBe(7);
  });

  it('are named once', () => {
    const message = 'takes exactly one of useFactory, useClass and useExisting';
    expect(() => PoolModule.forRootAsync({ pools: [items] })).toThrow(message);
    expect(() => PoolModule.forRootAsync({ useClass: FromConfig, useFactory: () => ({}) })).toThrow(message);
  });

  it.each([undefined, null, 'postgres://app:s3cret@db'])(
    'are told when they make nothing: %s',
    async made => {
      const pool = { name: 'items', useFactory: () => made as never };
      await expect(context(PoolModule.forRoot({ pools: [pool] }))).rejects.toThrow(
        made === undefined || made === null
          ? `Pool "items": its useFactory gave ${String(made)}`
          : 'its useFactory gave a string',
      );
      if (typeof made === 'string') return;
      await expect(context(PoolModule.forRootAsync({ useFactory: () => made as never }))).rejects.toThrow(
        'PoolModule: its options are null',
      );
    },
  );
});

describe('whoever flushes at the end of the application', () => {
  it.each(['before', 'behind'])(
    'finds its pools open, with a global module imported %s PoolModule',
    async order => {
      const flushed: string[] = [];
      @Injectable()
      class Outbox implements OnApplicationShutdown {
        constructor(private readonly pool: Pool<object>) {}

        async onApplicationShutdown(): Promise<void> {
          await this.pool.use(() => flushed.push('flushed'));
        }
      }
      Reflect.defineMetadata('design:paramtypes', [Object], Outbox);
      InjectPool('items')(Outbox, undefined, 0);
      @Global()
      @Module({ providers: [Outbox], exports: [Outbox] })
      class OutboxModule {}

      const pools = PoolModule.forRoot({ pools: [items] });
      const all: [Type | typeof pools, Type | typeof pools] = [OutboxModule, pools];
      await context(...(order === 'before' ? all : all.reverse()));
      await app!.close();
      // NestJS 11 would call the hooks once more.
      app = undefined;
      expect(flushed).toEqual(['flushed']);
    },
  );
});

describe('a pool that is started with the application', () => {
  const down = (start: 'warm' | 'required'): PoolModuleRootOptions => ({
    pools: [
      {
        name: 'items',
        create: () => {
          throw new Error('connection refused');
        },
        unavailableAfter: 1,
        start,
        startTimeout: 500,
      },
    ],
  });

  it('tries one resource also where none is kept, and is not started before there is one', async () => {
    const log = await context(PoolModule.forRoot(down('warm')));
    expect(log.lines.join()).toContain('The application goes on without it');
    const [entry] = app!.get(PoolRegistry).entries();
    expect(entry!.started).toBe(false);
  });

  let attempts = 0;
  const late = (failures: number, isRetryable: () => boolean): PoolModuleRootOptions => ({
    pools: [
      {
        name: 'items',
        create: () => {
          if (attempts++ < failures) throw new Error('connection refused');
          return {};
        },
        isRetryable,
        createBackoff: { initial: 1, max: 1 },
        start: 'required',
        startTimeout: 20_000,
      },
    ],
  });

  it('is waited for, when it is required, also after more failures than make it unavailable', async () => {
    attempts = 0;
    await context(PoolModule.forRoot(late(10, () => true)));
    expect(app!.get(PoolRegistry).get('items').stats()).toMatchObject({ state: 'ready', idle: 1 });
  });

  it('is not waited for when trying again is of no use', async () => {
    attempts = 0;
    const starting = context(PoolModule.forRoot(late(Infinity, () => false)));
    await expect(starting).rejects.toBeInstanceOf(PoolStartError);
    expect(attempts).toBe(1);
  });

  it('says nothing of trying again when the application does not start', async () => {
    const starting = context(PoolModule.forRoot(down('required')));
    await expect(starting).rejects.toBeInstanceOf(PoolStartError);
    await expect(starting).rejects.toThrow(/connection refused\.$/);
    await expect(starting).rejects.not.toThrow(/tries again/);
  });
});

describe('a script, which closes its context itself', () => {
  it('is not warned of signals that it does not listen for', async () => {
    const log = await context(PoolModule.forRoot({ pools: [items] }));
    expect(log.lines.join()).not.toContain('SIGTERM');
  });
});

describe('options of the module that are not what they look like', () => {
  const pools = [items];
  it.each<[string, () => DynamicModule, string]>([
    [
      'pools that a factory returns',
      () => PoolModule.forRootAsync({ useFactory: () => ({ pools }) as never }),
      'PoolModule: pools cannot come from a factory: write forRootAsync({ pools: …, useFactory: … }).',
    ],
    [
      'an option that there is none of',
      () => PoolModule.forRoot({ default: { max: 3 } } as never),
      'PoolModule: unknown option "default"; known are pools, imports, isGlobal, defaults,',
    ],
    [
      'definitions in place of options',
      () => PoolModule.forRoot(pools as never),
      'PoolModule: unknown option "0"',
    ],
    [
      'one definition in place of a list',
      () => PoolModule.forRoot({ pools: items as never }),
      'PoolModule: pools is no array; it must be one of definitions',
    ],
  ])('are refused: %s', async (_, make, message) => {
    await expect(Promise.resolve().then(() => context(make()))).rejects.toThrow(message);
  });

  it('are refused where two pools of one module have the same name', async () => {
    const twice = context(PoolModule.forRoot({ pools: [items, { ...items }] }));
    await expect(twice).rejects.toThrow('"items" is defined twice: in PoolModule.forRoot(). Give');
  });
});

describe('a pool that is exhausted', () => {
  it('says who holds its resources, where a request has borrowed by its parameter', async () => {
    const stage = new Stage();
    @Controller()
    class Items {
      @Get('slow')
      async find(@Borrow('items') item: object): Promise<object> {
        await stage.pass('handler');
        return item;
      }
    }
    const running = await serve('express', {
      imports: [
        PoolModule.forRoot({
          pools: [{ name: 'items', create: () => ({}), max: 1, acquireTimeout: 5, leakThreshold: 60_000 }],
        }),
      ],
      controllers: [Items],
    });
    const slow = get(`${running.url}/slow?secret=1`);
    await stage.reached('handler');
    expect((await get(`${running.url}/slow`)).status).toBe(503);
    expect(running.log.ofPools[0]).toMatch(/Held longest: resource 1 for \d+ ms, borrowed by GET \/slow$/);
    stage.open('handler');
    await slow;
    await running.app.close();
    forgetLoggers();
  });

  it('says so once in a while, with who holds its resources and where they were borrowed', async () => {
    const log = await context(
      PoolModule.forRoot({
        pools: [{ name: 'items', create: () => ({}), max: 2, maxWaiting: 1, leakThreshold: 60_000 }],
      }),
    );
    const pool = app!.get(PoolRegistry).get('items') as unknown as Pool<object>;
    const leases = [await pool.acquire(), await pool.acquire()];
    for (let i = 0; i < 5; i++)
      await expect(pool.acquire({ timeout: 5 })).rejects.toThrow('no resource within');
    const [line, ...others] = log.ofPools;
    expect(others).toEqual([]);
    expect(line).toMatch(
      /^warn: Pool "items": a borrow has timed out after \d+ ms \(2 leased, 0 idle of max 2, \d waiting\)/,
    );
    expect(line).toMatch(/Held longest: resource 1 for \d+ ms, borrowed at .*strangers\.spec/);
    for (const lease of leases) lease.release();
  });

  it('says so also when borrows are refused at once, and how to learn who holds', async () => {
    const log = await context(
      PoolModule.forRoot({ pools: [{ name: 'items', create: () => ({}), max: 1, maxWaiting: 0 }] }),
    );
    const pool = app!.get(PoolRegistry).get('items') as unknown as Pool<object>;
    for (let i = 0; i < 100; i++) (await pool.acquire()).release();
    const lease = await pool.acquire();
    await expect(pool.acquire()).rejects.toThrow();
    expect(log.ofPools).toHaveLength(1);
    expect(log.ofPools[0]).toMatch(
      /^warn: Pool "items": a borrow was refused, as the queue is full \(1 leased, 0 idle of max 1, 0 waiting\)\. Held longest: resource \d+ for \d+ ms\. Set leakThreshold to learn who holds them\.$/,
    );
    lease.release();
  });
});

describe.each(PLATFORMS)('@Borrow without PoolModule on %s', platform => {
  it('says what is missing', async () => {
    @Controller()
    class Items {
      @Get()
      find(@Borrow('items') item: object): object {
        return item;
      }
    }
    const running = await serve(platform, { controllers: [Items] });
    app = running.app;
    expect((await fetch(running.url)).status).toBe(500);
    expect(running.log.lines.join()).toContain(
      'Pool "items": this request has no borrow scope. Is PoolModule.forRoot({ pools: […] }) among the imports',
    );
  });
});
