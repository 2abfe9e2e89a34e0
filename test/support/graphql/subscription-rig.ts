import { beforeEach } from '@jest/globals';
import { GraphQLSchemaHost } from '@nestjs/graphql';
import type { GraphQLSchema } from 'graphql';
import { borrowingRig, type BorrowingRig, type RigOptions } from '../borrowing/rig.js';
import { until } from '../until.js';
import { GraphqlClient } from './client.js';
import type { GraphqlServer } from './servers.js';
import { Topics, subscriptionProviders } from './subscriptions-world.js';

/** An application with subscriptions, and clients that are connected to it. */
export class SubscriptionRig {
  topics!: Topics;

  constructor(readonly borrowing: BorrowingRig) {}

  client(headers?: Record<string, string>): GraphqlClient {
    return this.borrowing.with(new GraphqlClient(this.borrowing.url('graphql'), headers));
  }

  get schema(): GraphQLSchema {
    return this.borrowing.app.get(GraphQLSchemaHost).schema;
  }

  /** So many are waiting for an event. */
  async listening(topic: string, count: number): Promise<void> {
    await until(
      () => this.topics.listening(topic),
      n => n === count,
    );
  }

  publish(topic: string, id: number): Promise<void> {
    return this.topics.publish(topic, { [topic]: { id } });
  }
}

export function subscriptionRig(
  { platform, module }: GraphqlServer,
  options: object | (() => object) = {},
  pool: RigOptions['pool'] = {},
): SubscriptionRig {
  const borrowing = borrowingRig(platform, () => ({
    controllers: [],
    imports: [module(typeof options === 'function' ? (options as () => object)() : options)],
    providers: subscriptionProviders,
    abandonedTimeout: 0,
    pool,
  }));
  const rig = new SubscriptionRig(borrowing);
  beforeEach(() => {
    rig.topics = borrowing.app.get(Topics);
  });
  return rig;
}
