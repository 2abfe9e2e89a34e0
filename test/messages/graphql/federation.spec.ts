import { describe, expect, it } from '@jest/globals';
import { ApolloFederationDriver, type ApolloFederationDriverConfig } from '@nestjs/apollo';
import {
  Directive,
  Field,
  GraphQLModule,
  Int,
  ObjectType,
  Query,
  ResolveField,
  ResolveReference,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { Borrow } from '../../../src/index.js';
import { borrowingRig } from '../../support/borrowing/rig.js';
import { Facade } from '../../support/borrowing/services.js';
import { Thing } from '../../support/borrowing/thing.js';
import { GraphqlClient } from '../../support/graphql/client.js';
import { Call } from '../../support/http-client.js';
import { PLATFORMS } from '../../support/nest-app.js';
import { Stage } from '../../support/stage.js';

@ObjectType()
@Directive('@key(fields: "id")')
class User {
  @Field(() => Int) id!: number;
}

@Resolver(() => User)
class Users {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}

  @Query(() => User) async user(): Promise<User> {
    return { id: (await this.facade.get()).use() };
  }
  @ResolveReference() async reference({ id }: User): Promise<User> {
    const thing = await this.facade.get();
    if (id === 2) await this.stage.pass('second');
    if (id < 0) {
      await this.stage.reached('second');
      throw new Error('no such user');
    }
    return { id: id * 10 + thing.use() };
  }
  @ResolveField(() => Int) lentTo(@Borrow('things') thing: Thing): number {
    return thing.use();
  }
  @ResolveField(() => Int) async fast(): Promise<number> {
    return (await this.facade.get()).use();
  }
  @Subscription(() => User) async *joined(): AsyncIterableIterator<unknown> {
    yield { joined: { id: await Promise.resolve(4) } };
  }
}

describe.each(PLATFORMS)('a federated subgraph on %s', platform => {
  const rig = borrowingRig(platform, () => ({
    controllers: [],
    imports: [
      GraphQLModule.forRoot<ApolloFederationDriverConfig>({
        driver: ApolloFederationDriver,
        autoSchemaFile: { federation: 2 },
        subscriptions: { 'graphql-ws': true },
      }),
    ],
    providers: [Users],
    abandonedTimeout: 0,
  }));
  const entities = async (...ids: number[]): Promise<unknown> => {
    const query =
      'query ($all: [_Any!]!) { user { lentTo } _entities(representations: $all) { ... on User { id lentTo fast } } }';
    const variables = { all: ids.map(id => ({ __typename: 'User', id })) };
    const body = { query, variables };
    return JSON.parse((await new Call(rig.url('graphql'), { method: 'POST', body }).answer()).body);
  };

  it('has one resource for all references of a query', async () => {
    rig.stage.open('second');
    const ids = Array.from({ length: 50 }, (_, i) => i + 1);
    expect(await entities(...ids)).toEqual({
      data: { user: { lentTo: 1 }, _entities: ids.map(id => ({ id: id * 10 + 1, lentTo: 1, fast: 1 })) },
    });
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ acquired: 1, released: 1, destroyed: 0 });
  });

  it('has its resource until all references are resolved, also when one has failed', async () => {
    const answer = entities(-1, 2);
    await rig.stage.reached('second');
    expect(rig.leased()).toBe(1);
    rig.stage.open('second');
    expect(await answer).toMatchObject({ data: { _entities: [null, { id: 21 }] } });
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ acquired: 1, released: 1, destroyed: 0 });
  });

  it('has scopes for the events of its subscriptions', async () => {
    const client = rig.with(new GraphqlClient(rig.url('graphql')));
    const result = await client.subscribe('subscription { joined { lentTo fast } }').result(1);
    expect(result).toEqual({ data: { joined: { lentTo: 1, fast: 1 } } });
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ acquired: 1, released: 1, destroyed: 0 });
  });
});
