import { Logger } from '@nestjs/common';
import { kindOf } from '../engine/index.js';
import { BorrowScope, type AbandonedError } from '../scope/index.js';

/** A scope that somebody waits for the answer of: what goes wrong after that is logged. */
export class RequestScope extends BorrowScope {
  protected override abandoned(error: AbandonedError): void {
    new Logger('PoolModule').warn(error.message);
  }

  protected override uncommitted(name: string, error: unknown): void {
    new Logger('PoolModule').error(
      `${name}: answered, but its transaction was not committed: ${kindOf(error)}`,
    );
  }
}
