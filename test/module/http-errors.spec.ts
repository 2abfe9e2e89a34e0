import { afterEach, describe, expect, it } from '@jest/globals';
import { Catch, Controller, Get, Post, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import {
  Borrow,
  PoolModule,
  PoolDeadlockError,
  PoolRegistry,
  PoolShedError,
  PoolTimeoutError,
  TransactionOutcomeUnknownError,
  toHttpException,
} from '../../src/index.js';
import { Call, get } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';

const SECRET = 'postgres://admin:hunter2@db.internal';

@Controller()
class Items {
  constructor(private readonly stage: Stage) {}

  @Get('hold')
  async hold(@Borrow('items') _item: object): Promise<object> {
    await this.stage.pass('holding');
    return {};
  }

  @Post('unknown')
  unknown(): never {
    throw new TransactionOutcomeUnknownError('PG_TRANSACTION_OUTCOME_UNKNOWN', new Error(SECRET));
  }

  @Get('broken')
  broken(@Borrow('broken') _item: object): object {
    return {};
  }
}

describe.each(PLATFORMS)('pool errors over HTTP on %s', platform => {
  let running: RunningApp;
  const stage = new Stage();

  const start = async (prepare?: Parameters<typeof serve>[2]): Promise<RunningApp> => {
    running = await serve(
      platform,
      {
        imports: [
          PoolModule.forRoot({
            pools: [
              { name: 'items', create: () => ({}), max: 1, acquireTimeout: 0 },
              {
                name: 'broken',
                create: () => {
                  throw new Error(`cannot connect to ${SECRET}`);
                },
                unavailableAfter: 1,
                createBackoff: { initial: 600_000, max: 600_000 },
              },
            ],
          }),
        ],
        controllers: [Items],
        providers: [{ provide: Stage, useValue: stage }],
      },
      prepare,
    );
    return running;
  };

  afterEach(async () => {
    stage.openAll();
    await running.app.close();
    forgetLoggers();
  });

  it('are 503 with Retry-After when the pool is exhausted', async () => {
    const { url, app } = await start();
    app.get(PoolRegistry).get('items').tryAcquire();
    const lease = app.get(PoolRegistry).get('items').tryAcquire();
    const answer = await get(`${url}/hold`);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 503,
      error: 'Service Unavailable',
      message: 'The service is busy, try again later',
    });
    lease?.release();
  });

  it('tell nothing of the backend when it is unavailable, and when to come back', async () => {
    const { url } = await start();
    const answer = await get(`${url}/broken`);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(JSON.stringify(answer)).not.toMatch(/hunter2|db\.internal|cannot connect|broken"/);
  });

  it('are 500 with a code when nobody knows whether it was committed, and nothing invites to repeat it', async () => {
    const { url } = await start();
    const answer = await new Call(`${url}/unknown`, { method: 'POST' }).answer();
    expect(answer.status).toBe(500);
    expect(answer.headers).not.toHaveProperty('retry-after');
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 500,
      error: 'Internal Server Error',
      code: 'TRANSACTION_OUTCOME_UNKNOWN',
      message: 'It is not known whether this was done: find out before you repeat it',
    });
  });

  it('can be answered by a catch-all filter of the application with toHttpException()', async () => {
    @Catch()
    class Everything implements ExceptionFilter {
      catch(error: unknown, host: ArgumentsHost): void {
        const known = toHttpException(error);
        const response = host.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
        const raw = response.raw ?? response;
        raw.statusCode = known?.exception.getStatus() ?? 500;
        if (known?.retryAfter !== undefined) raw.setHeader('Retry-After', known.retryAfter);
        raw.end('mine');
      }
    }
    const { url } = await start(app => app.useGlobalFilters(new Everything()));
    const answer = await get(`${url}/broken`);
    expect(answer).toMatchObject({ status: 503, body: 'mine' });
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
  });

  it('leave everything else alone', async () => {
    const { url } = await start();
    expect((await get(`${url}/nowhere`)).status).toBe(404);
    expect(toHttpException(new Error('mine'))).toBeUndefined();
    expect(toHttpException(new PoolTimeoutError('x', 'late'))?.retryAfter).toBe(1);
    stage.open('holding');
    expect((await new Call(`${url}/hold`).answer()).status).toBe(503);
  });
});

describe('toHttpException', () => {
  it('says 503 when a borrow was shed', () => {
    const error = new PoolShedError('items', 'shed after 100 ms in the queue');
    const answer = toHttpException(error);
    expect(answer).toMatchObject({ retryAfter: 1 });
    expect(answer?.exception.getStatus()).toBe(503);
    expect(JSON.stringify(answer?.exception.getResponse())).not.toContain('shed');
  });

  it('says 503 when two requests wait for each other: one of them can be served again at once', () => {
    const error = new PoolDeadlockError('items', 'deadlock', undefined as never, []);
    expect(toHttpException(error)).toMatchObject({ retryAfter: 1 });
  });
});
