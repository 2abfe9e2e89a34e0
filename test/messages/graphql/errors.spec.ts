import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Args,
  Field,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { BACKSTAGE, InVain, failingPools } from '../../support/failing-pools.js';
import { GraphqlClient } from '../../support/graphql/client.js';
import { GRAPHQL_SERVERS } from '../../support/graphql/servers.js';
import { Call } from '../../support/http-client.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';

@ObjectType()
class Item {
  @Field() pool!: string;
}

@Resolver(() => Item)
class Items {
  constructor(private readonly inVain: InVain) {}

  @Query(() => Item) item(@Args('pool') pool: string): Item {
    return { pool };
  }
  @ResolveField(() => String) field(@Parent() { pool }: Item): Promise<string> {
    return this.inVain.borrow(pool as 'full' | 'down');
  }
  @ResolveField(() => String) fast({ pool }: Item): Promise<string> {
    return this.inVain.borrow(pool as 'full' | 'down');
  }

  @Subscription(() => Item) async refused(@Args('pool') pool: string): Promise<AsyncIterable<unknown>> {
    await this.inVain.borrow(pool as 'full' | 'down');
    return this.once({ pool });
  }
  @Subscription(() => Item, {
    filter: () => true,
  })
  filtered(@Args('pool') pool: string): Promise<AsyncIterable<unknown>> {
    return this.refused(pool);
  }
  @Subscription(() => Item, {
    resolve(this: Items, pool: string) {
      return this.inVain.borrow(pool as 'full' | 'down');
    },
  })
  resolved(@Args('pool') pool: string): AsyncIterable<unknown> {
    return this.once(pool);
  }
  @Subscription(() => Item, { resolve: payload => payload as Item })
  emitted(@Args('pool') pool: string): AsyncIterable<unknown> {
    return this.once({ pool });
  }

  private async *once(payload: unknown): AsyncIterable<unknown> {
    yield await Promise.resolve(payload);
  }
}

describe.each(GRAPHQL_SERVERS)('pool errors of $name', ({ platform, module }) => {
  let running: RunningApp;
  let client: GraphqlClient | undefined;

  beforeEach(async () => {
    running = await serve(platform, { imports: [failingPools(), module()], providers: [InVain, Items] });
  });
  afterEach(async () => {
    client?.lose();
    client = undefined;
    await running.app.close();
    forgetLoggers();
  });

  const isBusy = (errors: unknown): void => {
    expect(errors).toMatchObject([
      {
        message: 'The service is busy, try again later',
        extensions: { code: 'SERVICE_UNAVAILABLE', retryAfter: expect.any(Number) },
      },
    ]);
    expect(JSON.stringify(errors)).not.toMatch(BACKSTAGE);
  };

  it.each(['field', 'fast'])('of a field are answered so without filters for fields: %s', async field => {
    const body = { query: `{ item(pool: "down") { ${field} } }` };
    const answer = await new Call(`${running.url}/graphql`, { method: 'POST', body }).answer();
    isBusy((JSON.parse(answer.body) as { errors: unknown }).errors);
  });

  it.each([
    ['when it subscribes', 'refused(pool: "down") { pool }'],
    ['when it subscribes, behind a filter', 'filtered(pool: "full") { pool }'],
    ['in an event’s resolve function', 'resolved(pool: "full") { pool }'],
    ['in an event’s field', 'emitted(pool: "down") { field }'],
    ['in an event’s field without decorators', 'emitted(pool: "down") { fast }'],
  ])('tell a subscriber that the service is busy: %s', async (_, field) => {
    client = new GraphqlClient(`${running.url}/graphql`);
    const received = client.subscribe(`subscription { ${field} }`);
    await received.ended();
    isBusy(received.results[0]?.errors ?? received.error);
  });
});
