import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ExternalContextCreator, HttpAdapterHost } from '@nestjs/core';
import {
  enterHttpScopes,
  probeCalls,
  watchCalls,
  watchFilters,
  type HttpAdapterLike,
} from '../transports/index.js';
import { PoolRegistry } from './registry.js';

/** The classes of Nest that call exception filters. They are not part of its index, and may be missing one day. */
export const FILTER_CALLERS = Symbol('nestjs-pool.filter-callers');

export interface FilterCaller {
  readonly prototype: object;
}

export async function filterCallers(): Promise<FilterCaller[]> {
  const modules = await Promise.all([
    import('@nestjs/core/exceptions/exceptions-handler.js').catch(() => ({})),
    import('@nestjs/core/exceptions/external-exceptions-handler.js').catch(() => ({})),
  ]);
  return modules.flatMap(module =>
    Object.values(module).filter((value): value is FilterCaller => typeof value === 'function'),
  );
}

/**
 * Puts borrow scopes around the application's requests and handlers. While providers are being made, no route has been
 * registered yet, and no middleware of the application is mounted.
 */
@Injectable()
export class HttpEntry implements OnModuleInit {
  constructor(
    adapterHost: HttpAdapterHost,
    private readonly contexts: ExternalContextCreator,
    registry: PoolRegistry,
    @Inject(FILTER_CALLERS) callers: readonly FilterCaller[],
  ) {
    watchCalls(contexts);
    for (const caller of callers) watchFilters(caller);
    // At once with NestFactory; with a testing module when its application is made; never without a server.
    adapterHost.init$.subscribe(() => {
      const adapter = adapterHost.httpAdapter as unknown as HttpAdapterLike | null | undefined;
      if (adapter) enterHttpScopes(adapter, registry, registry.mayHaveKeys);
    });
  }

  /** @throws Error when this version of Nest calls handlers in a way that is not watched */
  onModuleInit(): Promise<void> {
    return probeCalls(this.contexts);
  }
}
