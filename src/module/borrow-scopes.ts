import { Inject, Injectable } from '@nestjs/common';
import { BorrowScope, currentScope, inScope, type ScopeHost } from '../scope/index.js';
import { PoolRegistry } from './registry.js';

/** Runs work that is no request in a borrow scope: jobs, consumers, scripts. */
@Injectable()
export class BorrowScopes {
  constructor(@Inject(PoolRegistry) private readonly host: ScopeHost) {}

  /**
   * Runs `work` in a borrow scope: what it borrows goes back when it has settled. Inside a scope that is running
   * already it joins that one.
   *
   * @param options `own: true` for a scope of its own, e.g. for work that outlives the request
   */
  async run<R>(work: () => R | PromiseLike<R>, options: { own?: boolean } = {}): Promise<R> {
    const outer = options.own ? undefined : currentScope(this.host);
    const scope = outer ?? new BorrowScope(this.host);
    const drop = scope.hold();
    try {
      return await inScope(scope, work);
    } catch (error) {
      scope.fail(error);
      throw error;
    } finally {
      drop();
    }
  }
}
