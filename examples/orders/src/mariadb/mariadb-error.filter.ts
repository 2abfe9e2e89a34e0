import { BadRequestException, Catch, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';

/** The database says that the data are bad: class 22 (data exception) or 23 (integrity constraint violation). */
const BAD_DATA = /^2[23]/;

/** The errors of mysql2 have no class of their own; `instanceof`, by which Nest finds a filter, knows them by this. */
class MariadbError extends Error {
  declare sqlState: string;

  static override [Symbol.hasInstance](error: unknown): boolean {
    return error instanceof Error && typeof (error as Partial<MariadbError>).sqlState === 'string';
  }
}

/** As `DatabaseErrorFilter`, of which MariaDB's errors are none. */
@Catch(MariadbError)
export class MariadbErrorFilter extends BaseExceptionFilter {
  override catch(error: MariadbError, host: ArgumentsHost): void {
    const constraint = /^CONSTRAINT `([^`]+)` failed/.exec(error.message)?.[1];
    const reason = constraint ? `violates ${constraint}` : 'a value is out of range';
    const isBadData = BAD_DATA.test(error.sqlState);
    super.catch(isBadData ? new BadRequestException(`Refused by the database: ${reason}`) : error, host);
  }
}
