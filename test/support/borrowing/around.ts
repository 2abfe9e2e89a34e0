import {
  Catch,
  Injectable,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { ServerResponse } from 'node:http';
import { mergeMap, timeout, type Observable } from 'rxjs';
import { Stage } from '../stage.js';
import { Facade } from './services.js';

/** The guards, pipes, interceptors and filters of the test controllers. All of them use the request's thing. */

interface Incoming {
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** What each of them has used, in their order. */
  used?: string[];
}

const incoming = (context: ExecutionContext | ArgumentsHost): Incoming =>
  context.switchToHttp().getRequest<Incoming>();

/** Uses the request's thing where the header x-middleware asks for it, and answers if that says "answers". */
export function borrowingMiddleware(app: INestApplication) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const wish = request.headers['x-middleware'];
    if (!wish) {
      next();
      return;
    }
    void app
      .get(Facade)
      .get()
      .then(async thing => {
        response.setHeader('x-middleware', `middleware ${thing.use()}`);
        await app.get(Stage).pass('middleware');
        if (wish === 'answers') response.end(`${thing.use()}`);
        else next();
      }, next);
  };
}

@Injectable()
export class BorrowingGuard implements CanActivate {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = incoming(context);
    (request.used ??= []).push(`guard ${(await this.facade.get()).use()}`);
    switch (request.headers['x-refuse']) {
      case undefined:
        return true;
      case 'error':
        await this.stage.pass('guard');
        throw new Error('refused by the guard');
      default:
        await this.stage.pass('guard');
        return false;
    }
  }
}

/** Refuses while its borrow is still queueing. */
@Injectable()
export class HastyGuard implements CanActivate {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}

  async canActivate(): Promise<boolean> {
    this.facade.get().catch((error: unknown) => {
      this.stage.note((error as Error).name);
    });
    await this.stage.pass('guard');
    throw new Error('refused by the guard');
  }
}

@Injectable()
export class BorrowingPipe implements PipeTransform<string, Promise<string>> {
  constructor(private readonly facade: Facade) {}

  async transform(value: string): Promise<string> {
    return `${value} of ${(await this.facade.get()).use()}`;
  }
}

@Injectable()
export class ThrowingPipe implements PipeTransform<string, Promise<never>> {
  constructor(private readonly stage: Stage) {}

  async transform(): Promise<never> {
    await this.stage.pass('pipe');
    throw new Error('from the pipe');
  }
}

/** Uses the request's thing after the handler, as a transaction's commit would. */
@Injectable()
export class CommitInterceptor implements NestInterceptor {
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

/** Gives up on the handler at once, and does not stop it. */
export const IMPATIENT: NestInterceptor = {
  intercept: (_context, next) => next.handle().pipe(timeout(20)),
};

@Catch()
export class BorrowingFilter implements ExceptionFilter {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}

  async catch(error: Error, host: ArgumentsHost): Promise<void> {
    const thing = await this.facade.get();
    await this.stage.pass('filter');
    const response = host.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
    const raw = response.raw ?? response;
    raw.statusCode = 500;
    raw.end(JSON.stringify({ filtered: error.message, thing: thing.use() }));
  }
}

@Catch()
export class FailingFilter implements ExceptionFilter {
  catch(error: Error): void {
    throw new Error(`the filter failed at: ${error.message}`);
  }
}

/** Lets a request wait before anything of it has borrowed. */
@Injectable()
export class LateGuard implements CanActivate {
  constructor(private readonly stage: Stage) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (incoming(context).headers['x-late']) await this.stage.pass('not-yet');
    return true;
  }
}
