import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import type { DynamicModule } from '@nestjs/common';
import { GraphQLModule, type GqlModuleOptions } from '@nestjs/graphql';
import { MercuriusDriver, type MercuriusDriverConfig } from '@nestjs/mercurius';
import type { Platform } from '../nest-app.js';

/** What Nest serves GraphQL with. */
export interface GraphqlServer {
  readonly name: string;
  readonly platform: Platform;
  readonly isApollo: boolean;
  /** @param own options that only this server knows */
  module(options?: Partial<GqlModuleOptions>): DynamicModule;
}

const apollo = (platform: Platform): GraphqlServer => ({
  name: `Apollo on ${platform}`,
  platform,
  isApollo: true,
  module: options =>
    GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      allowBatchedHttpRequests: true,
      subscriptions: { 'graphql-ws': true },
      ...options,
    }),
});

const mercurius = (name: string, own: Partial<MercuriusDriverConfig>): GraphqlServer => ({
  name,
  platform: 'fastify',
  isApollo: false,
  module: options =>
    GraphQLModule.forRoot<MercuriusDriverConfig>({
      driver: MercuriusDriver,
      autoSchemaFile: true,
      allowBatchedQueries: true,
      subscription: { fullWsTransport: true },
      ...own,
      ...(options as Partial<MercuriusDriverConfig>),
    }),
});

export const GRAPHQL_SERVERS: readonly GraphqlServer[] = [
  apollo('express'),
  apollo('fastify'),
  mercurius('Mercurius', {}),
  mercurius('Mercurius with jit', { jit: 1 }),
];
