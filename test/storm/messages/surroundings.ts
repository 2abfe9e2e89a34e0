import {
  Catch,
  Injectable,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { tap, throwError, type Observable } from 'rxjs';
import { Custody } from '../custody.js';
import { guestOf } from '../guest.js';
import { Facade } from '../services.js';

/** Nobody is answered to an event: this tells what becomes of it. */
@Injectable()
export class Rumour implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const guest = guestOf(context);
    return next.handle().pipe(tap({ complete: () => guest.at('done'), error: () => guest.at('failed') }));
  }
}

/** Writes down what went wrong, with the connection of the message. */
@Catch(Error)
@Injectable()
export class RpcFilterWithQuery implements ExceptionFilter<Error> {
  constructor(
    private readonly facade: Facade,
    private readonly custody: Custody,
  ) {}

  async catch({ name }: Error, host: ArgumentsHost): Promise<Observable<never>> {
    const guest = guestOf(host);
    try {
      const db = await this.facade.get();
      using _use = await this.custody.begin(db, guest);
      await db.query('rollback');
      await db.query('insert into failures (guest) values ($1)', [guest.visit.id]);
    } catch {
      // There may be no connection, or its backend was killed.
    }
    return throwError(() => ({ status: 'error', message: name }));
  }
}
