import {
  Catch,
  Controller,
  Get,
  Injectable,
  Module,
  Res,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type MiddlewareConsumer,
  type NestInterceptor,
  type NestMiddleware,
  type NestModule,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express } from 'express';
import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { NEVER, catchError, concat, from, mergeMap, of, throwError, type Observable } from 'rxjs';
import { NEST_MAJOR } from '../nest-major.js';
import { Stage } from '../stage.js';
import { Facade } from './services.js';

/** Parts of an application that work on with the request's thing, whether its client is still there or not. */

type Answer = ServerResponse & { raw?: ServerResponse };
const nodes = (response: Answer): ServerResponse => response.raw ?? response;
const answerOf = (host: ArgumentsHost): ServerResponse => nodes(host.switchToHttp().getResponse<Answer>());

/** Fastify of NestJS 11 cannot answer when the head has been written by hand. */
function begin(context: ExecutionContext): void {
  const response = context.switchToHttp().getResponse<Answer>();
  if (NEST_MAJOR >= 12 || !response.raw) nodes(response).write('begun');
}

/** Work that takes until the test opens "work". */
@Injectable()
export class Export {
  constructor(
    readonly facade: Facade,
    readonly stage: Stage,
  ) {}

  async write(response: ServerResponse): Promise<void> {
    const thing = await this.facade.get();
    response.writeHead(200);
    response.write('begun');
    await this.stage.pass('work');
    thing.use();
    response.end('done');
  }

  /** In callbacks: nobody gets a promise. */
  start(response: ServerResponse): void {
    void this.write(response);
  }

  /** Its callbacks forget the response when the client has left. */
  async forget(response: ServerResponse): Promise<void> {
    (await this.facade.get()).use();
    response.writeHead(200);
    response.write('begun');
  }

  async work(): Promise<void> {
    const thing = await this.facade.get();
    await this.stage.pass('work');
    thing.use();
  }
}

@Injectable()
class ExportMiddleware implements NestMiddleware {
  constructor(private readonly modules: ModuleRef) {}
  use(_request: unknown, response: ServerResponse): Promise<void> {
    return this.modules.get(Export, { strict: false }).write(response);
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedMiddleware extends ExportMiddleware {}

@Module({})
export class MiddlewareModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(ExportMiddleware).forRoutes('class-middleware');
    consumer.apply(ScopedMiddleware).forRoutes('scoped-middleware');
  }
}

@Injectable()
class SlowGuard implements CanActivate {
  constructor(private readonly work: Export) {}
  async canActivate(): Promise<boolean> {
    await this.work.work();
    return false;
  }
}

/** As those that wrap a strategy of callbacks. */
@Injectable()
class CallbackGuard implements CanActivate {
  constructor(private readonly work: Export) {}
  canActivate(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.work.work().then(() => {
        resolve(false);
      }, reject);
    });
  }
}

/** Its client gets the head before the transaction that is around the handler ends. */
@Injectable()
class TransactionInterceptor implements NestInterceptor {
  constructor(private readonly work: Export) {}
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    await this.work.facade.get();
    begin(context);
    return next.handle().pipe(
      mergeMap(async (value: unknown) => {
        await this.work.work();
        return value;
      }),
    );
  }
}

/** Gives its transaction up when the resource is taken away. */
@Injectable()
class CarefulInterceptor implements NestInterceptor {
  constructor(private readonly work: Export) {}
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    await this.work.facade.get();
    begin(context);
    const commit = async (): Promise<void> => {
      await this.work.stage.pass('work');
    };
    return next.handle().pipe(
      catchError(() => of(0)),
      mergeMap(commit),
    );
  }
}

@Catch()
class WritingFilter implements ExceptionFilter {
  constructor(private readonly work: Export) {}
  catch(_: Error, host: ArgumentsHost): Promise<void> {
    return this.work.write(answerOf(host));
  }
}

@Catch()
class CallbackFilter implements ExceptionFilter {
  constructor(private readonly work: Export) {}
  catch(_: Error, host: ArgumentsHost): void {
    this.work.start(answerOf(host));
  }
}

@Catch()
class ForgettingFilter implements ExceptionFilter {
  constructor(private readonly work: Export) {}
  catch(_: Error, host: ArgumentsHost): void {
    void this.work.forget(answerOf(host));
  }
}

/** Has a row to write for the audit after the answer. */
@Catch()
class AuditingFilter implements ExceptionFilter {
  constructor(private readonly work: Export) {}
  async catch(_: Error, host: ArgumentsHost): Promise<void> {
    await this.work.facade.get();
    answerOf(host).end('sorry');
    await this.work.work();
  }
}

@Controller()
class WorkingController {
  constructor(private readonly work: Export) {}

  @Get(['value', 'logged/value', 'watched/value']) async value(): Promise<string> {
    await this.work.work();
    return 'done';
  }
  @Get(['audited', 'hooked']) answer(): string {
    return 'done';
  }

  @Get('guard') @UseGuards(SlowGuard) guarded(): string {
    return 'never';
  }
  @Get('callback-guard') @UseGuards(CallbackGuard) guardedByCallbacks(): string {
    return 'never';
  }

  @Get('transaction/value') @UseInterceptors(TransactionInterceptor) plain(): number {
    return 1;
  }
  @Get('transaction/promise') @UseInterceptors(TransactionInterceptor) async promise(): Promise<number> {
    return 1;
  }
  @Get('transaction/completed') @UseInterceptors(CarefulInterceptor) completed(): Observable<number> {
    return of(1);
  }
  @Get('transaction/later') @UseInterceptors(CarefulInterceptor) later(): Observable<number> {
    return from(Promise.resolve(1));
  }
  @Get('transaction/emitted') @UseInterceptors(CarefulInterceptor) emitted(): Observable<number> {
    return concat(of(1), NEVER);
  }
  @Get('transaction/failed') @UseInterceptors(CarefulInterceptor) failed(): Observable<never> {
    return throwError(() => new Error('no'));
  }

  @Get('filter') @UseFilters(WritingFilter) filtered(): never {
    throw new Error('no');
  }
  @Get('callback-filter') @UseFilters(CallbackFilter) filteredByCallbacks(): never {
    throw new Error('no');
  }
  @Get('forgetting-filter') @UseFilters(ForgettingFilter) filteredAndForgotten(): never {
    throw new Error('no');
  }
  @Get('auditing-filter') @UseFilters(AuditingFilter) audited(): never {
    throw new Error('no');
  }

  @Get('handler') async handler(@Res() response: Answer): Promise<void> {
    await this.work.write(nodes(response));
  }
}

@Injectable({ scope: Scope.REQUEST })
class OfRequest {
  constructor(readonly work: Export) {}
}

@Injectable({ scope: Scope.REQUEST })
class ScopedGuard extends SlowGuard {}

@Controller({ path: 'scoped', scope: Scope.REQUEST })
class ScopedController {
  constructor(private readonly own: OfRequest) {}
  @Get('handler') async handler(@Res() response: Answer): Promise<void> {
    await this.own.work.write(nodes(response));
  }
  @Get('transaction') @UseInterceptors(TransactionInterceptor) async promise(): Promise<number> {
    return 1;
  }
  @Get('guard') @UseGuards(ScopedGuard) guarded(): string {
    return 'never';
  }
  @Get('filter') @UseFilters(WritingFilter) filtered(): never {
    throw new Error('no');
  }
}

export const workingOn = {
  controllers: [WorkingController, ScopedController],
  imports: [MiddlewareModule],
  providers: [
    Export,
    SlowGuard,
    CallbackGuard,
    ScopedGuard,
    TransactionInterceptor,
    CarefulInterceptor,
    WritingFilter,
    CallbackFilter,
    ForgettingFilter,
    AuditingFilter,
    OfRequest,
  ],
};

type Next = (error?: unknown) => void;
type Path = 'write' | 'start' | 'forget';

/** Middleware of the application's own, that answers. */
export function mountMiddleware(app: INestApplication): void {
  const work = app.get(Export);
  app.use('/middleware', (_: IncomingMessage, response: ServerResponse) => work.write(response));
  for (const how of ['start', 'forget'] as const) {
    app.use(`/middleware-${how}`, (_: IncomingMessage, response: ServerResponse) => {
      void work[how](response);
    });
  }
}

/** Middleware that goes on, and has something to do afterwards. */
export function mountWrappers(app: INestApplication): void {
  const work = app.get(Export);
  app.use('/logged', async (_: IncomingMessage, response: ServerResponse, next: Next) => {
    next();
    // It will not, when the client leaves.
    await new Promise(resolve => response.once('finish', resolve));
  });
  app.use('/unanswered', () => undefined);
  app.use('/watched', async (_: IncomingMessage, response: ServerResponse, next: Next) => {
    next();
    // It will, whoever leaves.
    await new Promise(resolve => response.once('close', resolve));
  });
  app.use('/audited', async (_: IncomingMessage, __: ServerResponse, next: Next) => {
    next();
    await work.work();
  });
  if (app.getHttpAdapter().getType() !== 'fastify') return;
  const fastify = app.getHttpAdapter().getInstance() as FastifyInstance;
  fastify.addHook('onSend', async request => {
    if (request.url === '/hooked') await work.work();
  });
}

/** What a platform has besides: routers and applications on Express, routes on Fastify. */
export function mountRoutes(app: INestApplication): void {
  const work = app.get(Export);
  const own: unknown = app.getHttpAdapter().getInstance();
  const ways: Record<Path, (response: ServerResponse) => unknown> = {
    write: response => work.write(response),
    start: response => {
      work.start(response);
    },
    forget: response => {
      void work.forget(response);
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    if (app.getHttpAdapter().getType() === 'fastify') {
      (own as FastifyInstance).get(`/route-${name}`, (_, reply) => {
        const promise = way(reply.raw);
        reply.hijack();
        return promise;
      });
      continue;
    }
    const express = own as Express;
    const mounted = new ExpressAdapter().getInstance<Express>();
    mounted.get(`/${name}`, (_, response) => way(response));
    express.use('/application', mounted);
    // The router of another application is one that belongs to none.
    const router = new ExpressAdapter().getInstance<Express>().router;
    router.get(`/${name}`, (_, response) => way(response));
    express.use('/router', router);
    express.get(`/route-${name}`, (_, response) => way(response));
  }
}
