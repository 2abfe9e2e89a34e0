import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ExternalContextCreator, HttpAdapterHost } from '@nestjs/core';
import type { Observable } from 'rxjs';
import {
  beforeGateways,
  enterHttpScopes,
  joinHosts,
  probeCalls,
  watchCalls,
  watchFields,
  watchGateway,
  type HttpAdapterLike,
} from '../transports/index.js';
import { presented } from './presented.js';
import { PoolRegistry } from './registry.js';

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
  ) {
    joinHosts(registry);
    watchCalls(contexts, presented);
    for (const metatype of registry.classes()) watchGateway(metatype);
    // At once with NestFactory; with a testing module when its application is made; never without a server.
    whenThereIsAnAdapter(adapterHost, () => {
      const adapter = adapterHost.httpAdapter as unknown as HttpAdapterLike | null | undefined;
      if (!adapter) return;
      enterHttpScopes(adapter, registry, registry.mayHaveKeys);
      beforeGateways(adapter, () => {
        for (const instance of registry.instances()) watchFields(instance);
      });
    });
  }

  /** @throws Error when this version of Nest calls handlers in a way that is not watched */
  onModuleInit(): Promise<void> {
    return probeCalls(this.contexts);
  }
}

type Accessor = Required<Pick<TypedPropertyDescriptor<unknown>, 'get' | 'set'>>;

/** NestJS tells since 11.1; before that it shows by what it sets. */
function whenThereIsAnAdapter(host: HttpAdapterHost, work: () => void): void {
  const { init$ } = host as object as { readonly init$?: Observable<void> };
  if (init$) {
    init$.subscribe(work);
    return;
  }
  if (host.httpAdapter as unknown) {
    work();
    return;
  }
  const { get, set } = Object.getOwnPropertyDescriptor(HttpAdapterHost.prototype, 'httpAdapter') as Accessor;
  Object.defineProperty(host, 'httpAdapter', {
    configurable: true,
    get: () => get.call(host),
    set: adapter => {
      set.call(host, adapter);
      work();
    },
  });
}
