import { afterEach, describe, expect, it } from '@jest/globals';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Args,
  Field,
  GraphQLModule,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import { PoolQueueFullError, PoolUnavailableError } from '../../src/index.js';
import { BACKEND_TEXT, BACKSTAGE, InVain, failingPools } from '../support/failing-pools.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';

@ObjectType()
class Item {
  @Field()
  pool!: string;
}

@Resolver(() => Item)
class Items {
  constructor(private readonly inVain: InVain) {}

  @Query(() => String, { nullable: true })
  borrow(@Args('pool') pool: string): Promise<string> {
    return this.inVain.borrow(pool as 'full' | 'down');
  }

  @Query(() => Item)
  item(@Args('pool') pool: string): Item {
    return { pool };
  }

  @ResolveField(() => String)
  field(@Parent() { pool }: Item): Promise<string> {
    return this.inVain.borrow(pool as 'full' | 'down');
  }
}

interface Reply {
  readonly errors: readonly { message: string; extensions: { code: string; retryAfter?: number } }[];
}

describe.each(PLATFORMS)('pool errors in GraphQL on %s', platform => {
  let running: RunningApp;

  const ask = async (query: string, options: Partial<ApolloDriverConfig> = {}): Promise<Reply> => {
    const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      ...options,
    });
    const metadata = { imports: [failingPools(), graphql], providers: [InVain, Items] };
    running = await serve(platform, metadata);
    const { body } = await new Call(`${running.url}/graphql`, {
      method: 'POST',
      body: { query },
    }).answer();
    return JSON.parse(body) as Reply;
  };

  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  it.each([true, false])(
    'are errors of a service that is busy, with includeStacktraceInErrorResponses: %s',
    async includeStacktraceInErrorResponses => {
      const reply = await ask('{ borrow(pool: "down") }', { includeStacktraceInErrorResponses });
      expect(reply.errors).toHaveLength(1);
      expect(reply.errors[0]).toMatchObject({
        message: 'The service is busy, try again later',
        extensions: { code: 'SERVICE_UNAVAILABLE', retryAfter: expect.any(Number) },
      });
      expect('stacktrace' in reply.errors[0]!.extensions).toBe(includeStacktraceInErrorResponses);
      expect(JSON.stringify(reply)).not.toMatch(BACKSTAGE);
    },
  );

  it('are there for formatError to log, as the cause', async () => {
    const causes: unknown[] = [];
    await ask('{ a: borrow(pool: "down") b: borrow(pool: "full") }', {
      formatError: (formatted, error) => {
        causes.push((error as { originalError?: Error }).originalError?.cause);
        return formatted;
      },
    });
    expect(causes).toHaveLength(2);
    expect(causes).toContainEqual(expect.any(PoolQueueFullError));
    expect(causes).toContainEqual(expect.any(PoolUnavailableError));
    expect(causes.join()).toContain(BACKEND_TEXT);
  });

  it('of a field are answered so where filters are asked for fields too', async () => {
    const reply = await ask('{ item(pool: "down") { field } }', { fieldResolverEnhancers: ['filters'] });
    expect(reply.errors[0]).toMatchObject({ extensions: { code: 'SERVICE_UNAVAILABLE' } });
    expect(JSON.stringify(reply)).not.toMatch(BACKSTAGE);
  });
});
