import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { isGraphqlDriver, watchGraphql, type GraphqlDriver } from '../transports/index.js';
import { graphQLReply } from './error-replies.js';
import { PoolRegistry } from './registry.js';

/** Puts borrow scopes around the operations of GraphQL. This module is initialized first, before any driver makes a schema. */
@Injectable()
export class GraphqlEntry implements OnModuleInit {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly registry: PoolRegistry,
  ) {}

  onModuleInit(): void {
    for (const module of this.modules.values()) {
      for (const { metatype, instance } of module.providers.values()) {
        if (!isGraphqlDriver(metatype) || !instance) continue;
        watchGraphql(instance as GraphqlDriver, { host: this.registry, answerTo: graphQLReply });
      }
    }
  }
}
