import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Field, Int, ObjectType, Query, ResolveField, Resolver, Subscription } from '@nestjs/graphql';
import { parse } from 'graphql';
import { Borrowed, InjectBorrowed, PoolModule } from '../../../src/index.js';
import { GraphqlClient, type Received } from '../../support/graphql/client.js';
import { GRAPHQL_SERVERS } from '../../support/graphql/servers.js';
import { Topics } from '../../support/graphql/subscriptions-world.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { subscriptionRig } from '../../support/graphql/subscription-rig.js';
import { until } from '../../support/until.js';

@ObjectType()
class News {
  @Field(() => Int) id!: number;
}

@Injectable()
class Databases {
  constructor(@InjectBorrowed('databases') readonly borrowed: Borrowed<{ tenant: string }>) {}
}

/** Says whose database a resolver was given. */
@Resolver(() => News)
class Desk {
  constructor(
    private readonly databases: Databases,
    private readonly topics: Topics,
  ) {}

  @Query(() => String) tenant(): Promise<string> {
    return this.ofTenant();
  }
  @Subscription(() => News) news(): AsyncIterableIterator<unknown> {
    return this.topics.on('news');
  }
  @ResolveField(() => String) async ofTenant(): Promise<string> {
    return (await this.databases.borrowed.get()).tenant;
  }
}

describe.each(GRAPHQL_SERVERS)('subscriptions of several tenants, of $name', ({ platform, module }) => {
  let running: RunningApp;
  const clients: GraphqlClient[] = [];

  beforeEach(async () => {
    running = await serve(platform, {
      imports: [
        module(),
        PoolModule.forRoot({
          log: false,
          pools: [
            {
              name: 'databases',
              maxTotal: 10,
              key: request => String(request.headers['x-tenant']),
              create: ({ key }: { key: unknown }) => ({ tenant: String(key) }),
            },
          ],
        }),
      ],
      providers: [Desk, Databases, Topics],
    });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.lose();
    await running.app.close();
    forgetLoggers();
  });

  it('each have their own database for the same event, by that with which they have connected', async () => {
    const tenants = ['first', 'second', 'third'];
    const topics = running.app.get(Topics);
    const all = tenants.map(tenant => {
      const client = new GraphqlClient(`${running.url}/graphql`, { 'x-tenant': tenant });
      clients.push(client);
      return client.subscribe('subscription { news { ofTenant } }');
    });
    await until(
      () => topics.listening('news'),
      n => n === tenants.length,
    );
    const payload = { news: { id: 1 } };
    for (let round = 1; round <= 2; round++) {
      await topics.publish('news', payload);
      for (const [i, one] of all.entries())
        expect(await one.result(round)).toEqual({ data: { news: { ofTenant: tenants[i] } } });
    }
    for (const [i, client] of clients.entries())
      expect(await client.ask('{ tenant }')).toEqual({ data: { tenant: tenants[i] } });
  });
});

describe.each(GRAPHQL_SERVERS.filter(({ isApollo }) => isApollo))(
  'subscriptions that share one context value, of $name',
  server => {
    const query = 'subscription { commented { waits } }';
    const shared = {};
    const document = parse(query);
    let isCached = false;
    const rig = subscriptionRig(
      server,
      () => ({
        subscriptions: {
          'graphql-ws': {
            context: () => shared,
            onSubscribe: () =>
              isCached
                ? {
                    schema: rig.schema,
                    document,
                    contextValue: shared,
                  }
                : undefined,
          },
        },
      }),
      { max: 2 },
    );
    const { borrowing } = rig;
    const twoClients = async (): Promise<Received[]> => {
      const all = [rig.client().subscribe(query), rig.client().subscribe(query)];
      await rig.listening('commented', 2);
      return all;
    };

    it('have scopes of their own for the same event', async () => {
      isCached = false;
      const all = await twoClients();
      await rig.publish('commented', 1);
      await until(
        () => borrowing.leased(),
        n => n === 2,
      );
      borrowing.stage.open('waits');
      const seen = await Promise.all(all.map(one => one.result(1)));
      expect(
        seen.map(({ data }) => (data as { commented: { waits: number } }).commented.waits).sort(),
      ).toEqual([1, 2]);
    });

    it('and one document too have none for the same event, rather than that of another', async () => {
      isCached = true;
      const all = await twoClients();
      await rig.publish('commented', 1);
      for (const one of all)
        expect((await one.result(1)).errors?.[0]?.message).toMatch(/there is no borrow scope here/);
      expect(borrowing.pool.stats().totals.acquired).toBe(0);
    });

    it('and one document too have scopes for events of their own', async () => {
      isCached = true;
      borrowing.stage.open('waits');
      const [first, second] = await twoClients();
      first!.unsubscribe();
      await rig.listening('commented', 1);
      await rig.publish('commented', 1);
      expect((await second!.result(1)).errors).toBeUndefined();
    });
  },
);
