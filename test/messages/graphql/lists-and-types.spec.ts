import { describe, expect, it } from '@jest/globals';
import { Field, Int, ObjectType, Query, Resolver, createUnionType } from '@nestjs/graphql';
import { borrowingRig } from '../../support/borrowing/rig.js';
import { Facade } from '../../support/borrowing/services.js';
import { GraphqlClient } from '../../support/graphql/client.js';
import { GRAPHQL_SERVERS } from '../../support/graphql/servers.js';

@ObjectType()
class Letter {
  @Field(() => Int) stamps!: number;
  facade!: Facade;
}
@ObjectType()
class Parcel {
  @Field(() => Int) weight!: number;
}

/** Looks up in the database which of them it is. */
const Post = createUnionType({
  name: 'Post',
  types: () => [Letter, Parcel] as const,
  resolveType: (async ({ facade }: Letter) => {
    (await facade.get()).use();
    return Letter;
  }) as never,
});

@Resolver()
class Office {
  constructor(private readonly facade: Facade) {}

  @Query(() => Post) post(): Letter {
    return { stamps: 1, facade: this.facade };
  }
  @Query(() => Int) async deep(): Promise<number> {
    return (await this.facade.get()).use();
  }
  /** The executor takes no such thing for a list. */
  @Query(() => [Int], { nullable: true }) async *unread(): AsyncIterableIterator<number> {
    yield (await this.facade.get()).use();
  }
  @Query(() => [Int], { nullable: true }) async lateUnread(): Promise<AsyncIterableIterator<number>> {
    (await this.facade.get()).use();
    return this.unread();
  }
}

describe.each(GRAPHQL_SERVERS)('a query over a WebSocket, of $name', ({ platform, module }) => {
  const rig = borrowingRig(platform, () => ({
    controllers: [],
    imports: [module()],
    providers: [Office],
    abandonedTimeout: 0,
  }));
  const client = (): GraphqlClient => rig.with(new GraphqlClient(rig.url('graphql')));

  it.each(['{ deep unread }', '{ lateUnread }'])(
    'has its resource back when a resolver has returned a generator that nobody reads: %s',
    async query => {
      const connected = client();
      await connected.connected();
      await connected.ask(query);
      await rig.allBack();
      expect(rig.pool.stats().totals).toMatchObject({ acquired: 1, destroyed: 0 });
    },
  );

  it('has a resource where it is told of which type a value is', async () => {
    expect(await client().ask('{ post { ... on Letter { stamps } } deep }')).toEqual({
      data: { post: { stamps: 1 }, deep: 1 },
    });
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ acquired: 1, destroyed: 0 });
  });
});
