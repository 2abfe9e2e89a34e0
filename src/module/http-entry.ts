import { Injectable } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { enterHttpScopes, wrapHandlers, type HttpAdapterLike } from '../transports/index.js';
import { PoolRegistry } from './registry.js';

/**
 * Puts borrow scopes around the application's requests and handlers. While providers are being made, all modules are
 * known, no route has captured its handler yet, and no middleware of the application is mounted.
 */
@Injectable()
export class HttpEntry {
  constructor(adapterHost: HttpAdapterHost, modules: ModulesContainer, registry: PoolRegistry) {
    for (const module of modules.values()) {
      for (const { metatype } of module.controllers.values()) {
        if (typeof metatype === 'function') wrapHandlers(metatype as abstract new () => unknown);
      }
    }
    // At once with NestFactory; with a testing module when its application is made; never without a server.
    adapterHost.init$.subscribe(() => {
      const adapter = adapterHost.httpAdapter as HttpAdapterLike | null | undefined;
      if (adapter) enterHttpScopes(adapter, registry, registry.mayHaveKeys);
    });
  }
}
