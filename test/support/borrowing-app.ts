import {
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Injectable,
  type MiddlewareConsumer,
  type NestInterceptor,
  type NestModule,
  Post,
  Res,
  Sse,
  StreamableFile,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type INestApplication,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { Observable, mergeMap, timeout, type Subscriber } from 'rxjs';
import { Borrow, Borrowed, InjectBorrowed, Pool, PoolModule, getPoolToken } from '../../src/index.js';
import { serve, type Platform, type RunningApp } from './nest-app.js';
import { Stage } from './stage.js';

/** What the test pool lends. Using one that is not lent is what these tests are about; a test counts it at its end. */
export class Thing {
  private lent = false;
  /** Errors that borrowers have reported, as isFatal saw them. */
  static readonly reported: unknown[] = [];
  static lentTwice = 0;
  static usedTooLate = 0;
  constructor(readonly id: number) {}

  lend(): void {
    if (this.lent) Thing.lentTwice++;
    this.lent = true;
  }

  takeBack(): void {
    this.lent = false;
  }

  use(): number {
    if (!this.lent) Thing.usedTooLate++;
    return this.id;
  }
}

/** A source whose closing is in the hands of the test: `destroy` is done only when the test opens "source". */
class StagedSource extends Readable {
  constructor(
    private readonly stage: Stage,
    private readonly chunks: number,
    private readonly thing: Thing,
  ) {
    super();
  }
  private sent = 0;

  override _read(): void {
    this.thing.use();
    this.push(this.sent++ < this.chunks ? Buffer.alloc(64 * 1024, 'x') : null);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    void this.stage.pass('source').then(() => {
      this.thing.use();
      done(error);
    });
  }
}

@Injectable()
class Repository {
  constructor(@InjectBorrowed('things') readonly things: Borrowed<Thing>) {}
  get(): Promise<Thing> {
    return this.things.get();
  }
}
@Injectable()
class Service {
  constructor(private readonly repository: Repository) {}
  get(): Promise<Thing> {
    return this.repository.get();
  }
}
@Injectable()
export class Facade {
  constructor(private readonly service: Service) {}
  get(): Promise<Thing> {
    return this.service.get();
  }
}

/** Uses the request's thing after the handler, as a transaction's commit would. */
@Injectable()
class CommitInterceptor implements NestInterceptor {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}
  async intercept(_context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const thing = await this.facade.get();
    return next.handle().pipe(
      mergeMap(async (value: unknown) => {
        await this.stage.pass('commit');
        thing.use();
        return { committed: thing.id, value };
      }),
    );
  }
}

@Injectable()
class BorrowingGuard implements CanActivate {
  constructor(private readonly facade: Facade) {}
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<{ guard?: number; headers: Record<string, unknown> }>();
    request.guard = (await this.facade.get()).use();
    if (request.headers['x-refuse']) throw new Error('refused by the guard');
    return true;
  }
}

@Catch()
class BorrowingFilter implements ExceptionFilter {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}
  async catch(error: Error, host: ArgumentsHost): Promise<void> {
    const thing = await this.facade.get();
    await this.stage.pass('filter');
    const http = host.switchToHttp();
    const response = http.getResponse<ServerResponse & { raw?: ServerResponse }>();
    const raw = response.raw ?? response;
    raw.statusCode = 500;
    raw.end(JSON.stringify({ filtered: error.message, thing: thing.use() }));
  }
}

/** Lets a request wait before anything of it has borrowed. */
@Injectable()
class LateGuard implements CanActivate {
  constructor(private readonly stage: Stage) {}
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, unknown> }>();
    if (headers['x-late']) await this.stage.pass('not-yet');
    return true;
  }
}

/** Every kind of answer, with the borrow three services below the handler. */
@Controller('deep')
class DeepController {
  constructor(
    protected readonly facade: Facade,
    protected readonly stage: Stage,
  ) {}

  protected thing(given?: Thing): Promise<Thing> {
    return given ? Promise.resolve(given) : this.facade.get();
  }

  @Get('json')
  async json(given?: Thing): Promise<object> {
    const thing = await this.thing(given);
    await this.stage.pass('handler');
    return { id: thing.use() };
  }

  @Get('big')
  async big(given?: Thing): Promise<object> {
    return { id: (await this.thing(given)).use(), padding: 'x'.repeat(20_000_000) };
  }

  @Get('commit')
  @UseInterceptors(CommitInterceptor)
  async commit(given?: Thing): Promise<number> {
    const thing = await this.thing(given);
    await this.stage.pass('handler');
    return thing.use();
  }

  @Get('throw')
  @UseFilters(BorrowingFilter)
  async throw(given?: Thing): Promise<never> {
    await this.thing(given);
    await this.stage.pass('handler');
    throw new Error('from the handler');
  }

  @Get('file')
  async file(given?: Thing): Promise<StreamableFile> {
    return new StreamableFile(new StagedSource(this.stage, 200, await this.thing(given)));
  }

  @Get('small-file')
  async smallFile(given?: Thing): Promise<StreamableFile> {
    return new StreamableFile(new StagedSource(this.stage, 1, await this.thing(given)));
  }

  @Get('readable')
  async readable(given?: Thing): Promise<Readable> {
    return new StagedSource(this.stage, 200, await this.thing(given));
  }

  @Get('generator')
  async generator(given?: Thing): Promise<AsyncGenerator<Buffer>> {
    const thing = await this.thing(given);
    const { stage } = this;
    return (async function* () {
      try {
        for (let i = 0; i < 200; i++) {
          thing.use();
          yield Buffer.alloc(64 * 1024, 'x');
          await new Promise(resolve => setImmediate(resolve));
        }
      } finally {
        await stage.pass('source');
        thing.use();
      }
    })();
  }

  @Get('iterable')
  async iterable(given?: Thing): Promise<AsyncIterable<Buffer>> {
    const generator = await DeepController.prototype.generator.call(this, given);
    return { [Symbol.asyncIterator]: () => generator };
  }

  @Get('web-stream')
  async webStream(given?: Thing): Promise<ReadableStream<Uint8Array>> {
    const thing = await this.thing(given);
    let sent = 0;
    const end = async (): Promise<void> => {
      await this.stage.pass('source');
      thing.use();
    };
    return new ReadableStream({
      pull: async controller => {
        thing.use();
        await new Promise(resolve => setImmediate(resolve));
        if (sent++ < 200) controller.enqueue(new Uint8Array(64 * 1024).fill(120));
        else await end().then(() => controller.close());
      },
      cancel: end,
    });
  }

  @Get('late-generator')
  async lateGenerator(given?: Thing): Promise<AsyncGenerator<string>> {
    await this.thing(given);
    await this.stage.pass('handler');
    return (async function* () {
      yield await Promise.resolve('never read');
    })();
  }

  @Get('by-hand')
  async byHand(@Res() response: Response & { raw?: ServerResponse }, given?: Thing): Promise<void> {
    const thing = await this.thing(given);
    const raw = response.raw ?? response;
    raw.writeHead(200);
    raw.write('begun');
    void this.stage.pass('by-hand').then(() => {
      if (!raw.destroyed) thing.use();
      raw.end('done');
    });
  }

  @Get('big-by-hand')
  async bigByHand(@Res() response: Response & { raw?: ServerResponse }, given?: Thing): Promise<void> {
    await this.thing(given);
    (response.raw ?? response).end('x'.repeat(20_000_000));
  }

  @Get('timeout')
  @UseInterceptors({ intercept: (_: ExecutionContext, next: CallHandler) => next.handle().pipe(timeout(20)) })
  async timeout(given?: Thing): Promise<number> {
    const thing = await this.thing(given);
    await this.stage.pass('handler');
    return thing.use();
  }

  @Sse('sse')
  async sse(given?: Thing): Promise<Observable<{ data: string }>> {
    const thing = await this.thing(given);
    await this.stage.pass('setup');
    return new Observable((subscriber: Subscriber<{ data: string }>) => {
      subscriber.next({ data: String(thing.use()) });
      this.stage.note('subscribed');
      void this.stage.pass('complete').then(() => {
        subscriber.complete();
      });
      return () => {
        thing.use();
        this.stage.note('unsubscribed');
      };
    });
  }

  @Post('post')
  @UseGuards(BorrowingGuard)
  async post(@Body() body: { n: number }, given?: Thing): Promise<object> {
    const thing = await this.thing(given);
    return { n: body.n, id: thing.use() };
  }

  @Get('guarded')
  @UseGuards(BorrowingGuard)
  async guarded(given?: Thing): Promise<object> {
    return { id: (await this.thing(given)).use() };
  }

  @Get('twice')
  async twice(given?: Thing): Promise<object> {
    const thing = await this.thing(given);
    const [a, b] = await Promise.all([this.facade.get(), this.facade.get()]);
    return { same: a === b && b === thing };
  }

  @Get('unawaited')
  async unawaited(given?: Thing): Promise<object> {
    await this.thing(given);
    void this.stage.pass('afterwards').then(async () => {
      const error: unknown = await this.facade.get().catch((e: unknown) => e);
      this.stage.note((error as Error).name);
    });
    return {};
  }
}

/** The same answers, with the borrow as a parameter of the handler. */
@Controller('parameter')
class ParameterController extends DeepController {
  @Get('json') override json(@Borrow('things') thing: Thing) {
    return super.json(thing);
  }
  @Get('big') override big(@Borrow('things') thing: Thing) {
    return super.big(thing);
  }
  @Get('commit')
  @UseInterceptors(CommitInterceptor)
  override commit(@Borrow('things') thing: Thing) {
    return super.commit(thing);
  }
  @Get('throw')
  @UseFilters(BorrowingFilter)
  override throw(@Borrow('things') thing: Thing) {
    return super.throw(thing);
  }
  @Get('file') override file(@Borrow('things') thing: Thing) {
    return super.file(thing);
  }
  @Get('small-file') override smallFile(@Borrow('things') thing: Thing) {
    return super.smallFile(thing);
  }
  @Get('readable') override readable(@Borrow('things') thing: Thing) {
    return super.readable(thing);
  }
  @Get('generator') override generator(@Borrow('things') thing: Thing) {
    return super.generator(thing);
  }
  @Get('late-generator') override lateGenerator(@Borrow('things') thing: Thing) {
    return super.lateGenerator(thing);
  }
  @Get('by-hand') override byHand(@Res() response: Response, @Borrow('things') thing: Thing) {
    return super.byHand(response, thing);
  }
  @Get('big-by-hand')
  override bigByHand(@Res() response: Response, @Borrow('things') thing: Thing) {
    return super.bigByHand(response, thing);
  }
  @Get('timeout')
  @UseInterceptors({ intercept: (_: ExecutionContext, next: CallHandler) => next.handle().pipe(timeout(20)) })
  override timeout(@Borrow('things') thing: Thing) {
    return super.timeout(thing);
  }
  @Sse('sse') override sse(@Borrow('things') thing: Thing) {
    return super.sse(thing);
  }
  @Post('post')
  @UseGuards(BorrowingGuard)
  override post(@Body() body: { n: number }, @Borrow('things') thing: Thing) {
    return super.post(body, thing);
  }
  @Get('guarded')
  @UseGuards(BorrowingGuard)
  override guarded(@Borrow('things') thing: Thing) {
    return super.guarded(thing);
  }
  @Get('twice') override twice(@Borrow('things') thing: Thing) {
    return super.twice(thing);
  }
  @Get('unawaited') override unawaited(@Borrow('things') thing: Thing) {
    return super.unawaited(thing);
  }
}

@Controller('plain')
class PlainController {
  @Get() plain(): object {
    return {};
  }
}

export interface BorrowingApp extends RunningApp {
  readonly pool: Pool<Thing>;
  readonly stage: Stage;
}

/** The application above on one platform, with a pool of one thing. */
export async function borrowingApp(
  platform: Platform,
  max = 1,
  prepare?: (app: INestApplication) => void,
): Promise<BorrowingApp> {
  const stage = new Stage();
  const made: Thing[] = [];
  const things = PoolModule.forRoot({
    pools: [
      {
        name: 'things',
        max,
        create: () => {
          const thing = new Thing(made.length + 1);
          made.push(thing);
          return thing;
        },
        // A pool numbers its resources as they are created.
        listeners: [
          {
            onAcquire: ({ slot }) => made[slot - 1]?.lend(),
            onRelease: ({ slot }) => made[slot - 1]?.takeBack(),
          },
        ],
        isFatal: error => {
          Thing.reported.push(error);
          return false;
        },
      },
    ],
  });
  class Middlewares implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      consumer
        .apply((request: Request, response: ServerResponse, next: NextFunction) => {
          if (request.headers['x-middleware']) {
            void facade()
              .get()
              .then(thing => {
                response.setHeader('x-middleware', String(thing.use()));
                next();
              }, next);
          } else next();
        })
        .forRoutes('*path');
    }
  }
  const running = await serve(
    platform,
    {
      imports: [things, { module: Middlewares }],
      controllers: [DeepController, ParameterController, PlainController],
      providers: [
        { provide: Stage, useValue: stage },
        Repository,
        Service,
        Facade,
        CommitInterceptor,
        BorrowingGuard,
        BorrowingFilter,
        { provide: APP_GUARD, useClass: LateGuard },
      ],
    },
    prepare,
  );
  const facade = (): Facade => running.app.get(Facade);
  return { ...running, stage, pool: running.app.get<Pool<Thing>>(getPoolToken('things')) };
}
