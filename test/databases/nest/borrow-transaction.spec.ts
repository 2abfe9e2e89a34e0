import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  ConflictException,
  Controller,
  Get,
  Injectable,
  Sse,
  StreamableFile,
  UseFilters,
  UseInterceptors,
  Res,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { NEVER, catchError, concat, concatMap, from, map, of, race, throwError, type Observable } from 'rxjs';
import {
  Borrow,
  BorrowSignal,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  getPoolToken,
  type Pool,
} from '../../../src/index.js';
import { pgPool } from '../../../src/resources/pg.js';
import { assertNoLeases } from '../../../src/testing/index.js';
import { Call } from '../../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { Stage } from '../../support/stage.js';
import { until } from '../../support/until.js';

const WRITE = 'insert into notes values ($1)';

@Injectable()
class Notes {
  constructor(@InjectBorrowed('db') private readonly db: Borrowed<Client>) {}

  async write(text: string): Promise<void> {
    const client = await this.db.get();
    await client.query(WRITE, [text]);
  }
}

/** Answers in place of a handler that has failed, or takes too long. */
const fallback: NestInterceptor = {
  intercept: (_: ExecutionContext, next: CallHandler) => next.handle().pipe(catchError(() => of('fallback'))),
};
/** Gives up on a handler that has come to a place of its own. */
@Injectable()
class GivingUp implements NestInterceptor {
  constructor(private readonly stage: Stage) {}

  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    const tooLate = from(this.stage.reached('slow')).pipe(
      concatMap(() => throwError(() => new Error('too late'))),
    );
    return race(next.handle() as Observable<unknown>, tooLate);
  }
}
const spoiling: NestInterceptor = {
  intercept: (_: ExecutionContext, next: CallHandler) =>
    next.handle().pipe(
      map(() => {
        throw new ConflictException('spoilt');
      }),
    ),
};

@Injectable()
class Auditing implements NestInterceptor {
  constructor(private readonly notes: Notes) {}

  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      concatMap(async (value: unknown) => {
        await this.notes.write('audit');
        return value;
      }),
    );
  }
}

/** Writes down what has failed, when nothing of that is left. */
@Catch()
class Recording extends BaseExceptionFilter implements ExceptionFilter {
  constructor(private readonly notes: Notes) {
    super();
  }

  override catch(error: unknown, host: ArgumentsHost): void {
    void this.notes.write('failure').then(() => super.catch(error, host));
  }
}

@Controller()
class NotesController {
  constructor(
    private readonly notes: Notes,
    private readonly stage: Stage,
  ) {}

  @Get('value') async value(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query(WRITE, ['one']);
    await Promise.all([this.notes.write('two'), this.notes.write('three')]);
    return 'done';
  }

  @Get('throws') async throws(@Borrow('db', { transaction: true }) client: Client): Promise<never> {
    await client.query(WRITE, ['one']);
    throw new ConflictException('no');
  }

  /** Fails at COMMIT, and not before. */
  @Get('deferred') async deferred(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query('insert into uniques values (1), (1)');
    return 'done';
  }

  @Get('caught') async caught(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query(WRITE, ['one']);
    await client.query('select nothing from nowhere').catch(() => undefined);
    return 'done';
  }

  @UseInterceptors(spoiling)
  @Get('spoilt')
  async spoilt(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query(WRITE, ['one']);
    return 'done';
  }

  @UseInterceptors(fallback)
  @Get('fallback')
  async fallback(@Borrow('db', { transaction: true }) client: Client): Promise<never> {
    await client.query(WRITE, ['one']);
    throw new Error('no');
  }

  @UseInterceptors(fallback, GivingUp)
  @Get('slow')
  async slow(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query(WRITE, ['one']);
    await this.stage.pass('slow');
    await client.query(WRITE, ['two']);
    this.stage.note('written');
    return 'done';
  }

  @UseInterceptors(Auditing)
  @Get('audited')
  async audited(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query(WRITE, ['one']);
    return 'done';
  }

  @UseInterceptors(Auditing)
  @Get('audited-deferred')
  async auditedDeferred(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query('insert into uniques values (1), (1)');
    return 'done';
  }

  @UseFilters(Recording)
  @Get('recorded')
  async recorded(@Borrow('db', { transaction: true }) client: Client): Promise<never> {
    await client.query(WRITE, ['one']);
    throw new ConflictException('no');
  }

  @Get('left') async left(
    @Borrow('db', { transaction: true }) client: Client,
    @BorrowSignal() signal: AbortSignal,
  ): Promise<string> {
    await client.query(WRITE, ['one']);
    this.stage.note('left');
    if (!signal.aborted) await once(signal, 'abort');
    await client.query(WRITE, ['two']);
    this.stage.note('written');
    return 'done';
  }

  @Get('observable') observable(@Borrow('db', { transaction: true }) client: Client): Observable<unknown> {
    return from(client.query(WRITE, ['one'])).pipe(map(() => 'done'));
  }

  @Get('observable-fails') observableFails(
    @Borrow('db', { transaction: true }) client: Client,
  ): Observable<unknown> {
    return from(client.query(WRITE, ['one'])).pipe(
      concatMap(() => throwError(() => new ConflictException('no'))),
    );
  }

  @Get('observable-deferred') observableDeferred(
    @Borrow('db', { transaction: true }) client: Client,
  ): Observable<unknown> {
    return from(client.query('insert into uniques values (1), (1)')).pipe(map(() => 'done'));
  }

  @Get('stream') async stream(
    @Borrow('db', { transaction: true }) client: Client,
    @BorrowSignal() signal: AbortSignal,
  ): Promise<StreamableFile> {
    await client.query(WRITE, ['one']);
    const stage = this.stage;
    async function* lines(): AsyncGenerator<string> {
      yield 'first';
      await Promise.race([stage.pass('stream'), once(signal, 'abort')]);

      await client.query(WRITE, ['two']);
      yield 'last';
    }
    return new StreamableFile(Readable.from(lines(), { objectMode: false }));
  }

  @Get('by-hand') async byHand(
    @Borrow('db', { transaction: true }) client: Client,
    @Res() response: ServerResponse & { raw?: ServerResponse },
  ): Promise<void> {
    await client.query(WRITE, ['one']);
    (response.raw ?? response).end('done');
  }

  @Get('by-hand-deferred') async byHandDeferred(
    @Borrow('db', { transaction: true }) client: Client,
    @Res() response: ServerResponse & { raw?: ServerResponse },
  ): Promise<void> {
    await client.query('insert into uniques values (1), (1)');
    (response.raw ?? response).end('done');
  }

  @Sse('events') events(@Borrow('db', { transaction: true }) client: Client): Observable<{ data: string }> {
    return from(['one', 'two']).pipe(
      concatMap(async text => {
        await client.query(WRITE, [text]);
        return { data: text };
      }),
    );
  }

  @Sse('endless') endless(@Borrow('db', { transaction: true }) client: Client): Observable<{ data: string }> {
    return concat(from(client.query(WRITE, ['one'])).pipe(map(() => ({ data: 'one' }))), NEVER);
  }

  @UseFilters(Recording)
  @UseInterceptors(GivingUp)
  @Get('hurried')
  async hurried(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    await client.query(WRITE, ['one']);
    await this.stage.pass('slow');
    await client.query(WRITE, ['two']);
    this.stage.note('written');
    return 'done';
  }

  @Get('kind') async kind(
    @Borrow('db', { transaction: { isolation: 'serializable', readOnly: true, deferrable: true } })
    client: Client,
  ): Promise<unknown> {
    const { rows } = await client.query(
      "select current_setting('transaction_isolation') i, current_setting('transaction_read_only') r, current_setting('transaction_deferrable') d",
    );
    return rows[0];
  }

  @Get('begin') async begin(@Borrow('db', { transaction: true }) client: Client): Promise<void> {
    await client.query(WRITE, ['one']);
    await client.query('begin');
  }

  @Get('plain') async plain(@Borrow('db') client: Client): Promise<string> {
    await client.query(WRITE, ['one']);
    return 'done';
  }
}

let server: LocalPostgres;
let watch: PostgresWatch;
let running: RunningApp;
let pool: Pool<Client>;
let stage: Stage;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

const written = async (): Promise<string[]> =>
  (await watch.sql<{ text: string }>('select text from notes order by text')).map(({ text }) => text);
const get = (path: string): Promise<{ status: number; body: string }> =>
  new Call(`${running.url}/${path}`).answer();

describe.each(PLATFORMS)('@Borrow with a transaction, on %s', platform => {
  beforeEach(async () => {
    watch = await PostgresWatch.open(server);
    await watch.sql('drop table if exists notes, uniques');
    await watch.sql('create table notes (text text)');
    await watch.sql('create table uniques (n int unique deferrable initially deferred)');
    stage = new Stage();
    running = await serve(platform, {
      imports: [PoolModule.forRoot({ pools: [{ ...pgPool({ ...watch.config, max: 2 }), name: 'db' }] })],
      controllers: [NotesController],
      providers: [Notes, { provide: Stage, useFactory: () => stage }],
    });
    pool = running.app.get<Pool<Client>>(getPoolToken('db'), { strict: false });
  });
  afterEach(async () => {
    await assertNoLeases(pool);
    expect(await watch.sql("select 1 from pg_stat_activity where state like 'idle in%'")).toEqual([]);
    await running.app.close();
    forgetLoggers();
    await watch[Symbol.asyncDispose]();
  });

  it('is committed when the handler has succeeded, with all that its services have done', async () => {
    expect(await get('value')).toMatchObject({ status: 200, body: 'done' });
    expect(await written()).toEqual(['one', 'three', 'two']);
  });

  it('is rolled back when the handler fails', async () => {
    expect(await get('throws')).toMatchObject({ status: 409 });
    expect(await written()).toEqual([]);
  });

  it.each(['deferred', 'observable-deferred', 'audited-deferred', 'caught'])(
    'is committed before anything is sent: a commit that fails is an error response (%s)',
    async path => {
      expect(await get(path)).toMatchObject({ status: 500 });
      expect(await written()).toEqual([]);
      expect(await watch.sql('select * from uniques')).toEqual([]);
    },
  );

  it('is rolled back when an interceptor fails after the handler', async () => {
    expect(await get('spoilt')).toMatchObject({ status: 409 });
    expect(await written()).toEqual([]);
  });

  it('is rolled back when the handler fails, also if somebody else answers well in its place', async () => {
    expect(await get('fallback')).toMatchObject({ status: 200, body: 'fallback' });
    expect(await written()).toEqual([]);
  });

  it('is rolled back when the answer does not wait for the handler, with what that does afterwards', async () => {
    expect(await get('slow')).toMatchObject({ status: 200, body: 'fallback' });
    stage.open('slow');
    await stage.reached('written');
    await until(
      () => pool.stats().leased,
      leased => leased === 0,
    );
    expect(await written()).toEqual([]);
  });

  it('is rolled back when the client leaves, with what the handler does afterwards', async () => {
    const call = new Call(`${running.url}/left`);
    await stage.reached('left');
    call.leave();
    await stage.reached('written');
    await until(
      () => pool.stats().leased,
      leased => leased === 0,
    );
    expect(await written()).toEqual([]);
  });

  it('has what interceptors do after the handler in it', async () => {
    expect(await get('audited')).toMatchObject({ status: 200 });
    expect(await written()).toEqual(['audit', 'one']);
  });

  it('is over when an exception filter runs, which can write on', async () => {
    expect(await get('recorded')).toMatchObject({ status: 409 });
    expect(await written()).toEqual(['failure']);
  });

  it('is committed when an Observable completes, and rolled back when it fails', async () => {
    expect(await get('observable')).toMatchObject({ status: 200, body: 'done' });
    expect(await written()).toEqual(['one']);
    expect(await get('observable-fails')).toMatchObject({ status: 409 });
    expect(await written()).toEqual(['one']);
  });

  it('is committed at the end of a stream, and rolled back when its reader leaves before that', async () => {
    const call = new Call(`${running.url}/stream`);
    await stage.reached('stream');
    expect(await written()).toEqual([]);
    stage.open('stream');
    expect(await call.answer()).toMatchObject({ status: 200, body: 'firstlast' });
    await until(written, texts => texts.length === 2);

    stage.reset();
    const leaver = new Call(`${running.url}/stream`);
    await leaver.firstBytes();
    leaver.leave();
    await until(
      () => pool.stats().leased,
      leased => leased === 0,
    );
    expect(await written()).toHaveLength(2);
  });

  it('is committed at the end of the scope where the handler answers by itself, and the log has it when that fails', async () => {
    expect(await get('by-hand')).toMatchObject({ body: 'done' });
    await until(written, texts => texts.length === 1);
    expect(await get('by-hand-deferred')).toMatchObject({ body: 'done' });
    await until(
      () => running.log.lines,
      lines =>
        lines.some(line =>
          line.includes('GET /by-hand-deferred: answered, but its transaction was not committed'),
        ),
    );
    expect(await watch.sql('select * from uniques')).toEqual([]);
  });

  it('is nothing to an exception filter that runs while the handler still does', async () => {
    expect(await get('hurried')).toMatchObject({ status: 500 });
    expect(await written()).toEqual(['failure']);
    stage.open('slow');
    await stage.reached('written');
    await until(
      () => pool.stats().leased,
      leased => leased === 0,
    );
    expect(await written()).toEqual(['failure']);
  });

  it('is rolled back when the reader of an event stream leaves', async () => {
    const call = new Call(`${running.url}/endless`);
    const response = (await call.response).setEncoding('utf8');
    // Who reads no further has left.
    for await (const chunk of response) if (String(chunk).includes('data: one')) break;
    await until(
      () => pool.stats().leased,
      leased => leased === 0,
    );
    expect(await written()).toEqual([]);
  });

  it('is committed when an event stream has completed', async () => {
    expect((await get('events')).body).toContain('data: two');
    await until(written, texts => texts.length === 2);
  });

  it('is of the kind that is asked for', async () => {
    expect(JSON.parse((await get('kind')).body)).toEqual({ i: 'serializable', r: 'on', d: 'on' });
  });

  it('is nobody else’s to begin', async () => {
    expect(await get('begin')).toMatchObject({ status: 500 });
    expect(await written()).toEqual([]);
  });

  it('is not there for handlers that ask for none', async () => {
    await get('throws');
    expect(await get('plain')).toMatchObject({ status: 200 });
    expect(await written()).toEqual(['one']);
  });
});
