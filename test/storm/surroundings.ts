import {
  Catch,
  Injectable,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { mergeMap, catchError, timeout, type Observable } from 'rxjs';
import { Custody } from './custody.js';
import { GuestBook, guestOf, requestOf, setGuest } from './guest.js';
import { Facade } from './services.js';
import { PlannedError } from './work.js';

/** Around every handler: tells whose request it is, and that it is about to borrow. */
@Injectable()
export class Doorkeeper implements CanActivate {
  constructor(private readonly book: GuestBook) {}

  canActivate(context: ExecutionContext): boolean {
    const request = requestOf(context);
    const guest = this.book.of(request);
    setGuest(request, guest);
    guest.at('asking');
    return true;
  }
}

@Injectable()
export class GuardWithQuery implements CanActivate {
  constructor(
    private readonly facade: Facade,
    private readonly custody: Custody,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const guest = guestOf(context);
    const db = await this.facade.get();
    using _use = await this.custody.begin(db, guest);
    await db.query('select 1');
    if (guest.visit.fails === 'before') throw new PlannedError('refused by the guard');
    return true;
  }
}

/** The handler's transaction. */
@Injectable()
export class Transaction implements NestInterceptor {
  constructor(
    private readonly facade: Facade,
    private readonly custody: Custody,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const guest = guestOf(context);
    const db = await this.facade.get();
    const run = async (sql: string): Promise<void> => {
      using _use = this.custody.use(db, guest);
      await db.query(sql);
    };
    await run('begin');
    return next.handle().pipe(
      mergeMap(async (value: unknown) => {
        await run('commit');
        return value;
      }),
      catchError(async (error: unknown) => {
        await run('rollback');
        throw error;
      }),
    );
  }
}

/** Gives a handler up that takes too long; the handler runs on. */
@Injectable()
export class Impatience implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(timeout(4 * guestOf(context).visit.patience));
  }
}

/** Writes down what went wrong, as applications do, with the connection of the request that it went wrong in. */
@Catch(Error)
@Injectable()
export class FilterWithQuery implements ExceptionFilter<Error> {
  constructor(
    private readonly facade: Facade,
    private readonly custody: Custody,
  ) {}

  async catch(error: Error, host: ArgumentsHost): Promise<void> {
    const response = host.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
    const raw = response.raw ?? response;
    let body = error.name;
    try {
      const guest = guestOf(host);
      const db = await this.facade.get();
      using _use = await this.custody.begin(db, guest);
      await db.query('rollback');
      await db.query('insert into failures (guest) values ($1)', [guest.visit.id]);
    } catch (own) {
      body += `, and ${(own as Error).name}`;
    }
    raw.statusCode = 500;
    raw.setHeader('content-length', Buffer.byteLength(body));
    raw.end(body);
  }
}
