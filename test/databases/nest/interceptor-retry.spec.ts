import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { concatMap, from, race, repeat, retry, throwError, type Observable } from 'rxjs';
import { Borrow, PoolModule, getPoolToken, type Pool } from '../../../src/index.js';
import { pgPool } from '../../../src/resources/pg.js';
import { assertNoLeases } from '../../../src/testing/index.js';
import { get } from '../../support/http-client.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { Stage } from '../../support/stage.js';

const WRITE = 'insert into notes values ($1)';

const retrying: NestInterceptor = {
  intercept: (_: ExecutionContext, next: CallHandler<unknown>) => next.handle().pipe(retry(1)),
};
const repeating: NestInterceptor = {
  intercept: (_: ExecutionContext, next: CallHandler<unknown>) => next.handle().pipe(repeat(2)),
};
/** Gives the first call up when that has come to a place of its own, and lets it go on when the next one waits. */
@Injectable()
class Impatient implements NestInterceptor {
  constructor(private readonly stage: Stage) {}

  intercept(_: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    const tooLate = from(this.stage.reached('first')).pipe(
      concatMap(() => {
        setImmediate(() => this.stage.open('first'));
        return throwError(() => new Error('too late'));
      }),
    );
    let calls = 0;
    return from([0]).pipe(
      concatMap(() => (calls++ === 0 ? race(next.handle(), tooLate) : next.handle())),
      retry(1),
    );
  }
}

@Controller()
class NotesController {
  private calls = 0;
  constructor(private readonly stage: Stage) {}

  @UseInterceptors(retrying)
  @Get('retried')
  async retried(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query(WRITE, [`call ${++this.calls}`]);
    if (this.calls === 1) throw new Error('once');
    return 'done';
  }

  @UseInterceptors(retrying)
  @Get('in-vain')
  async inVain(@Borrow('db', { transaction: true }) client: Client): Promise<void> {
    await client.query(WRITE, ['one']);
    await client.query('select nothing from nowhere');
  }

  @UseInterceptors(repeating)
  @Get('repeated')
  async repeated(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query(WRITE, [`call ${++this.calls}`]);
    return 'done';
  }

  @UseInterceptors(Impatient)
  @Get('overtaken')
  async overtaken(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    const call = ++this.calls;
    await client.query(WRITE, [`call ${call}`]);
    if (call === 1) await this.stage.pass('first');
    await client.query(WRITE, [`call ${call}, again`]);
    return 'done';
  }
}

let server: LocalPostgres;
let watch: PostgresWatch;
let running: RunningApp;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
  await watch.sql('drop table if exists notes');
  await watch.sql('create table notes (text text)');
  running = await serve('express', {
    imports: [PoolModule.forRoot({ pools: [{ ...pgPool({ ...watch.config, max: 1 }), name: 'db' }] })],
    controllers: [NotesController],
    providers: [{ provide: Stage, useValue: new Stage() }],
  });
});
afterEach(async () => {
  await assertNoLeases(running.app.get<Pool<Client>>(getPoolToken('db'), { strict: false }));
  await running.app.close();
  forgetLoggers();
  await watch[Symbol.asyncDispose]();
});

const written = async (): Promise<string[]> =>
  (await watch.sql<{ text: string }>('select text from notes order by text')).map(({ text }) => text);

it('a handler that an interceptor calls again after a failure has a transaction of its own each time', async () => {
  expect(await get(`${running.url}/retried`)).toMatchObject({ status: 200, body: 'done' });
  expect(await written()).toEqual(['call 2']);
});

it('a handler that fails as often as it is called leaves nothing, and its connection goes back', async () => {
  expect(await get(`${running.url}/in-vain`)).toMatchObject({ status: 500 });
  expect(await written()).toEqual([]);
});

it('a handler that an interceptor calls again after a success is in the same transaction', async () => {
  expect(await get(`${running.url}/repeated`)).toMatchObject({ status: 200, body: 'done' });
  expect(await written()).toEqual(['call 1', 'call 2']);
});

it('nothing stays of a call that was given up and is still at work when the handler is called again', async () => {
  expect(await get(`${running.url}/overtaken`)).toMatchObject({ status: 200, body: 'done' });
  expect(await written()).toEqual(['call 2', 'call 2, again']);
});
