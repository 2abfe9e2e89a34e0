import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Args,
  Field,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { Borrow, Borrowed, InjectBorrowed, PoolModule, getPoolToken, type Pool } from '../../../src/index.js';
import { pgPool } from '../../../src/resources/pg.js';
import { assertNoLeases } from '../../../src/testing/index.js';
import { graphqlModule } from '../../support/graphql-world.js';
import { Call } from '../../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { Stage } from '../../support/stage.js';

const WRITE = 'insert into notes values ($1)';

@ObjectType()
class Note {
  @Field(() => String) text!: string;
}

@Resolver(() => Note)
class Notes {
  constructor(
    @InjectBorrowed('db') private readonly db: Borrowed<Client>,
    private readonly stage: Stage,
  ) {}

  @Query(() => Note, { nullable: true }) async write(
    @Args('text') text: string,
    @Borrow('db', { transaction: true }) client: Client,
  ): Promise<Note> {
    await client.query(WRITE, [text]);
    await this.stage.pass(text);
    return { text };
  }

  @Query(() => Note, { nullable: true }) async fail(
    @Borrow('db', { transaction: true }) client: Client,
  ): Promise<Note> {
    await client.query(WRITE, ['fails']);
    await this.stage.pass('fails');
    throw new Error('no');
  }

  @Mutation(() => Note, { nullable: true }) async change(
    @Args('text') text: string,
    @Borrow('db', { transaction: true }) client: Client,
  ): Promise<Note> {
    await client.query(WRITE, [text]);
    if (text === 'bad') throw new Error('no');
    return { text };
  }

  /** Begins by hand, while others are at work on the same connection. */
  @Query(() => String) async byHand(): Promise<string> {
    const client = await this.db.get();
    await client.query('begin');
    await client.query(WRITE, ['by hand']);
    await this.stage.pass('by hand');
    await client.query('rollback');
    return 'rolled back';
  }

  @Query(() => String, { nullable: true }) async beside(): Promise<string> {
    await this.stage.reached('by hand');
    const client = await this.db.get();
    try {
      await client.query(WRITE, ['mixed in']);
      return 'mixed';
    } catch (error) {
      return String((error as { code?: unknown }).code);
    } finally {
      this.stage.open('by hand');
    }
  }

  @ResolveField(() => Int) async count(@Parent() _: Note): Promise<number> {
    const { rows } = await (await this.db.get()).query<{ n: number }>('select count(*)::int n from notes');
    return rows[0]!.n;
  }
}

let server: LocalPostgres;
let watch: PostgresWatch;
let running: RunningApp;
let stage: Stage;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

const written = async (): Promise<string[]> =>
  (await watch.sql<{ text: string }>('select text from notes order by text')).map(({ text }) => text);

describe.each(PLATFORMS)('resolvers that want a transaction, on %s', platform => {
  beforeEach(async () => {
    watch = await PostgresWatch.open(server);
    await watch.sql('drop table if exists notes');
    await watch.sql('create table notes (text text)');
    stage = new Stage();
    running = await serve(platform, {
      imports: [
        PoolModule.forRoot({ pools: [{ ...pgPool({ ...watch.config, max: 2 }), name: 'db' }] }),
        graphqlModule(),
      ],
      providers: [Notes, { provide: Stage, useFactory: () => stage }],
    });
  });
  afterEach(async () => {
    await assertNoLeases(running.app.get<Pool<Client>>(getPoolToken('db'), { strict: false }));
    await running.app.close();
    forgetLoggers();
    await watch[Symbol.asyncDispose]();
  });

  const ask = async (query: string): Promise<{ data: unknown; errors?: unknown[] }> => {
    const call = new Call(`${running.url}/graphql`, { method: 'POST', body: { query } });
    return JSON.parse((await call.answer()).body) as { data: unknown; errors?: unknown[] };
  };

  it('share one when they run side by side, which is committed when the last has succeeded', async () => {
    const answer = ask('{ a: write(text: "a") { text } b: write(text: "b") { text } }');
    await Promise.all([stage.reached('a'), stage.reached('b')]);
    stage.open('a');
    expect(await written()).toEqual([]);
    stage.open('b');
    expect(await answer).toEqual({ data: { a: { text: 'a' }, b: { text: 'b' } } });
    expect(await written()).toEqual(['a', 'b']);
  });

  it('all fail when one of them does: nothing that was answered well is gone', async () => {
    const answer = ask('{ a: write(text: "a") { text } fail { text } }');
    await Promise.all([stage.reached('a'), stage.reached('fails')]);
    stage.open('fails', 'a');
    const { data, errors } = await answer;
    expect(data).toEqual({ a: null, fail: null });
    expect(errors).toHaveLength(2);
    expect(await written()).toEqual([]);
  });

  it('have one each when they run one after the other, and what they answer with is resolved after it', async () => {
    const { data, errors } = await ask(
      'mutation { a: change(text: "a") { text count } bad: change(text: "bad") { text } c: change(text: "c") { text } }',
    );
    expect(data).toEqual({ a: { text: 'a', count: 1 }, bad: null, c: { text: 'c' } });
    expect(errors).toHaveLength(1);
    expect(await written()).toEqual(['a', 'c']);
  });

  it('are kept out of one that another resolver has begun by hand', async () => {
    expect(await ask('{ byHand beside }')).toEqual({
      data: { byHand: 'rolled back', beside: 'PG_TRANSACTION_OVERLAP' },
    });
    expect(await written()).toEqual([]);
  });
});
