import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Get,
  HttpException,
  UseFilters,
  type ArgumentsHost,
  type DynamicModule,
  type ExceptionFilter,
  type INestApplication,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { inspect } from 'node:util';
import {
  Borrow,
  PoolDeadlockError,
  PoolError,
  PoolExceptionFilter,
  PoolModule,
  PoolQueueFullError,
  PoolTimeoutError,
  PoolUnavailableError,
  describeCapacityError,
  toHttpException,
} from '../../src/index.js';
import { get } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';

const SECRET = 'postgres://admin:hunter2@db.internal';

@Controller()
class Items {
  @Get()
  find(@Borrow('down') _item: object): object {
    return {};
  }

  @Get('mine')
  mine(): never {
    throw new Error('mine');
  }
}

const seen: unknown[] = [];

/** As most applications have one. */
class CatchAll implements ExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost): void {
    seen.push(exception);
    const { httpAdapter } = adapters!;
    const status = exception instanceof HttpException ? exception.getStatus() : 500;
    const { name, message } = exception as Error;
    httpAdapter.reply(
      host.switchToHttp().getResponse(),
      { by: 'the application', status, name, message },
      status,
    );
  }
}
let adapters: HttpAdapterHost | undefined;

@Catch()
class CatchesAll extends CatchAll {}
@Catch(Error)
class CatchesErrors extends CatchAll {}
@Catch(HttpException)
class CatchesHttp extends CatchAll {}
@Catch(PoolUnavailableError)
class CatchesPools extends CatchAll {}
@Catch(PoolError)
class CatchesAllPools extends CatchAll {}

const pools = (): DynamicModule =>
  PoolModule.forRoot({
    pools: [
      {
        name: 'down',
        create: () => {
          throw new Error(`cannot connect to ${SECRET}`);
        },
        unavailableAfter: 1,
        createBackoff: { initial: 600_000, max: 600_000 },
      },
    ],
  });

const ROUTES = { controllers: [Items] };
const asProvider = (filter: Type) => ({ providers: [{ provide: APP_FILTER, useClass: filter }] });
class Common {}
class Bound extends Items {}

interface Row {
  readonly where: string;
  readonly app: (filter: Type<ExceptionFilter>) => ModuleMetadata;
  readonly prepare?: (app: INestApplication, filter: Type<ExceptionFilter>) => unknown;
}

const ROWS: readonly Row[] = [
  {
    where: 'as APP_FILTER in the root module',
    app: filter => ({ ...ROUTES, ...asProvider(filter), imports: [pools()] }),
  },
  {
    where: 'as APP_FILTER in a module imported before PoolModule',
    app: filter => ({ ...ROUTES, imports: [{ module: Common, ...asProvider(filter) }, pools()] }),
  },
  {
    where: 'as APP_FILTER in a module imported after PoolModule',
    app: filter => ({ ...ROUTES, imports: [pools(), { module: Common, ...asProvider(filter) }] }),
  },
  {
    where: 'with useGlobalFilters()',
    app: () => ({ ...ROUTES, imports: [pools()] }),
    prepare: (app, filter) => app.useGlobalFilters(new filter()),
  },
  {
    where: 'with @UseFilters() on the controller',
    app: filter => {
      @UseFilters(filter)
      @Controller()
      class Routes extends Bound {}
      return { controllers: [Routes], imports: [pools()] };
    },
  },
];

describe.each(PLATFORMS)('the errors of pools and the filters of an application on %s', platform => {
  let running: RunningApp;

  const ask = async ({ app, prepare }: Row, filter: Type<ExceptionFilter>, path = '/') => {
    running = await serve(platform, app(filter), made => {
      adapters = made.get(HttpAdapterHost);
      return prepare?.(made, filter);
    });
    const { status, headers, body } = await get(running.url + path);
    return {
      status,
      retryAfter: Number(headers['retry-after']),
      body: JSON.parse(body) as object,
      text: body,
    };
  };

  afterEach(async () => {
    seen.length = 0;
    await running.app.close();
    forgetLoggers();
  });

  describe.each(ROWS)('$where', row => {
    it.each([CatchesAll, CatchesErrors])(
      'are 503 with Retry-After by a filter that knows nothing of pools: %p',
      async filter => {
        const { status, retryAfter, body } = await ask(row, filter);
        expect(status).toBe(503);
        expect(retryAfter).toBeGreaterThanOrEqual(1);
        expect(body).toEqual({
          by: 'the application',
          status: 503,
          name: 'ServiceUnavailableException',
          message: 'The service is busy, try again later',
        });
      },
    );

    it('are its own answer by a filter that catches them by their class, which is given the error itself', async () => {
      const { status, body } = await ask(row, CatchesPools);
      expect(status).toBe(500);
      expect(body).toMatchObject({ by: 'the application', name: 'PoolUnavailableError' });
      expect(seen).toEqual([expect.any(PoolUnavailableError)]);
      expect(seen[0]).not.toBeInstanceOf(HttpException);
    });

    it('are its own answer by a filter that catches the class of them all', async () => {
      expect(await ask(row, CatchesAllPools)).toMatchObject({
        status: 500,
        body: { name: 'PoolUnavailableError' },
      });
    });

    it('are 503 with Retry-After of PoolModule by a filter for an HttpException, which they are not', async () => {
      const { status, retryAfter, body } = await ask(row, CatchesHttp);
      expect({ status, body }).toEqual({
        status: 503,
        body: {
          statusCode: 503,
          error: 'Service Unavailable',
          message: 'The service is busy, try again later',
        },
      });
      expect(retryAfter).toBeGreaterThanOrEqual(1);
      expect(seen).toEqual([]);
    });

    it('leave other errors to it as they are', async () => {
      const { status } = await ask(row, CatchesAll, '/mine');
      expect(status).toBe(500);
      expect(seen).toEqual([new Error('mine')]);
    });
  });

  it('are for a log what they are, in a filter that catches everything', async () => {
    const { text } = await ask(ROWS[3]!, CatchesAll);
    const [error] = seen as [PoolUnavailableError];
    expect(error).toBeInstanceOf(PoolUnavailableError);
    expect(error).toBeInstanceOf(PoolError);
    expect(error).not.toBeInstanceOf(PoolQueueFullError);
    expect(error).not.toBeInstanceOf(PoolTimeoutError);
    expect(error).toMatchObject({ code: 'POOL_UNAVAILABLE', pool: 'down', retryInMs: expect.any(Number) });
    expect(error.stats).toMatchObject({ leased: 0 });
    expect(error.stack).toMatch(/^PoolUnavailableError: Pool "down"/);
    expect(error.cause).toMatchObject({ name: 'PoolUnavailableError' });
    expect(inspect(error)).toContain('cannot connect');
    expect(describeCapacityError(error)?.retryAfter).toBe(toHttpException(error.cause)?.retryAfter);
    expect(text).not.toMatch(/hunter2|db\.internal|cannot connect|down/);
  });

  it('are 503 where the filter leaves the answer to that of Nest', async () => {
    @Catch()
    class Logging extends BaseExceptionFilter {
      override catch(exception: unknown, host: ArgumentsHost): void {
        seen.push(exception);
        super.catch(exception, host);
      }
    }
    expect(await ask(ROWS[2]!, Logging)).toMatchObject({
      status: 503,
      retryAfter: expect.any(Number),
      body: {
        statusCode: 503,
        error: 'Service Unavailable',
        message: 'The service is busy, try again later',
      },
    });
    expect(seen).toHaveLength(1);
  });

  /** Thrown by middleware. */
  const throwing = (error: Error): Row => ({
    ...ROWS[1]!,
    prepare: app =>
      app.use((_request: unknown, _response: unknown, next: (error: Error) => void) => next(error)),
  });

  it('are those of middleware, too', async () => {
    const row = throwing(new PoolTimeoutError('down', SECRET));
    expect(await ask(row, CatchesAll)).toMatchObject({
      status: 503,
      retryAfter: 1,
      body: { by: 'the application' },
    });
  });

  it('are logged by PoolModule where the application can do something about them', async () => {
    await ask(throwing(new PoolDeadlockError('down', 'Pool "down": deadlock', {} as never, [])), CatchesAll);
    expect(running.log.lines).toContain('error: Pool "down": deadlock');
  });

  it('are those of PoolExceptionFilter first, where it is bound to a controller', async () => {
    @UseFilters(PoolExceptionFilter)
    @Controller()
    class Routes extends Bound {}
    const row = { ...ROWS[3]!, app: () => ({ controllers: [Routes], imports: [pools()] }) };
    expect(await ask(row, CatchesAll)).toMatchObject({ status: 503, body: { statusCode: 503 } });
    expect(seen).toEqual([]);
  });
});
