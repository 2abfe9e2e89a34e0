import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { catchError, mergeMap, type Observable } from 'rxjs';
import { Custody } from '../custody.js';
import { guestOf, type Guest } from '../guest.js';
import { Facade } from '../services.js';
import { Bank, type Transfer } from './bank.js';
import { Teller } from './teller.js';

const underWay = new WeakMap<Guest, Transfer>();

/** The transfer that the interceptor has begun for the handler. */
export function transferOf(guest: Guest): Transfer {
  return underWay.get(guest)!;
}

/** The transaction of a handler that makes a transfer. */
@Injectable()
export class TransferInTransaction implements NestInterceptor {
  constructor(
    private readonly facade: Facade,
    private readonly custody: Custody,
    private readonly bank: Bank,
    private readonly teller: Teller,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const guest = guestOf(context);
    const db = await this.facade.get();
    (await this.custody.begin(db, guest))[Symbol.dispose]();
    const transfer = this.bank.begin(guest);
    underWay.set(guest, transfer);
    let committing = false;
    try {
      await db.query('begin');
    } catch (error) {
      await this.teller.rollBack(db, transfer, error);
      throw error;
    }
    return next.handle().pipe(
      mergeMap(async (value: unknown) => {
        using _use = this.custody.use(db, guest);
        committing = true;
        await this.teller.commit(db, transfer);
        return value;
      }),
      catchError(async (error: unknown) => {
        using _use = this.custody.use(db, guest);
        await this.teller.rollBack(db, transfer, error, committing);
        throw error;
      }),
    );
  }
}
