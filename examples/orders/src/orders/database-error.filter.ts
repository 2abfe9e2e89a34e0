import { BadRequestException, Catch, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import pg from 'pg';

/** The database says that the data are bad: class 22 (data exception) or 23 (integrity constraint violation). */
const BAD_DATA = /^2[23]/;

/** Answers with 400 what the client got wrong but only the database can know. Everything else stays an error. */
@Catch(pg.DatabaseError)
export class DatabaseErrorFilter extends BaseExceptionFilter {
  override catch(error: pg.DatabaseError, host: ArgumentsHost): void {
    const reason = error.constraint ? `violates ${error.constraint}` : 'a value is out of range';
    const isBadData = BAD_DATA.test(error.code ?? '');
    super.catch(isBadData ? new BadRequestException(`Refused by the database: ${reason}`) : error, host);
  }
}
