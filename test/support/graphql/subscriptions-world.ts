import { Injectable } from '@nestjs/common';
import {
  Args,
  Context,
  Field,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { PubSub } from 'graphql-subscriptions';
import { Borrow, BorrowSignal } from '../../../src/index.js';
import { Facade } from '../borrowing/services.js';
import { Thing } from '../borrowing/thing.js';
import { Stage } from '../stage.js';

@ObjectType()
export class Comment {
  @Field(() => Int) id!: number;
  /** What only the executor waits for. */
  @Field(() => [Int], { nullable: true }) later?: Promise<number>[];
}

/** What subscriptions listen to. */
@Injectable()
export class Topics {
  readonly pubsub = new PubSub();

  on(topic: string): AsyncIterableIterator<unknown> {
    return this.pubsub.asyncIterableIterator(topic);
  }

  publish(topic: string, payload: unknown): Promise<void> {
    return this.pubsub.publish(topic, payload);
  }

  /** How many iterators are waiting for something. */
  listening(topic: string): number {
    const { ee } = this.pubsub as unknown as { ee: { listenerCount(name: string): number } };
    return ee.listenerCount(topic);
  }
}

@Resolver(() => Comment)
export class Comments {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
    private readonly topics: Topics,
  ) {}

  @Query(() => Int) async deep(): Promise<number> {
    return (await this.facade.get()).use();
  }
  @Query(() => Int) async slow(@Borrow('things') thing: Thing): Promise<number> {
    await this.stage.pass('slow');
    return thing.use();
  }
  @Query(() => Comment) async comment(): Promise<Comment> {
    const thing = await this.facade.get();
    return { id: thing.use() };
  }
  /** Emits an event while its own request has a thing. */
  @Mutation(() => Int) async write(
    @Args('topic') topic: string,
    @Borrow('things') thing: Thing,
  ): Promise<number> {
    await this.topics.publish(topic, { [topic]: { id: 7 } });
    return thing.use();
  }

  @ResolveField(() => Int) lentTo(@Parent() { id }: Comment, @Borrow('things') thing: Thing): number {
    return id * 10 + thing.use();
  }
  @ResolveField(() => Int) async fast({ id }: Comment): Promise<number> {
    return id * 10 + (await this.facade.get()).use();
  }
  @ResolveField(() => Int) async waits(): Promise<number> {
    const thing = await this.facade.get();
    await this.stage.pass('waits');
    return thing.use();
  }
  /** More than what is under way to a client that does not read. */
  @ResolveField(() => String) long(): string {
    return 'x'.repeat(30_000_000);
  }
  @ResolveField(() => Int) async fails(): Promise<number> {
    await this.stage.reached('waits');
    throw new Error('fails');
  }

  @Subscription(() => Comment) commented(): AsyncIterableIterator<unknown> {
    return this.topics.on('commented');
  }

  @Subscription(() => Comment, { resolve: payload => (payload as { commented: Comment }).commented })
  async borrows(@Borrow('things') thing: Thing): Promise<AsyncIterableIterator<unknown>> {
    await this.stage.pass('subscribing');
    thing.use();
    return this.topics.on('commented');
  }

  /** Only what has an even number, and says who has filtered and resolved it. */
  @Subscription(() => Comment, {
    async filter(this: Comments, { filtered }: { filtered: Comment }) {
      const thing = await this.facade.get();
      await this.stage.pass('filter');
      return thing.use() > 0 && filtered.id % 2 === 0;
    },
    async resolve(this: Comments, { filtered }: { filtered: Comment }) {
      return { id: filtered.id * 10 + (await this.facade.get()).use() };
    },
  })
  async filtered(@Borrow('things') thing: Thing): Promise<AsyncIterableIterator<unknown>> {
    await this.stage.pass('subscribing');
    thing.use();
    return this.topics.on('filtered');
  }

  /** Uses what it was lent for as long as it is subscribed to. */
  @Subscription(() => Comment)
  async *generated(
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
  ): AsyncIterableIterator<unknown> {
    try {
      for (let id = 1; ; id++) {
        thing.use();
        await Promise.race([
          this.stage.pass(`generates ${id}`),
          new Promise<void>(resolve => signal.addEventListener('abort', () => resolve())),
        ]);
        if (signal.aborted) return;
        yield { generated: { id: id * 10 + thing.use() } };
      }
    } finally {
      await this.stage.pass('generator ends');
      thing.use();
      this.stage.note('generator has ended');
    }
  }

  /** Borrows where it waits for what it emits, which is nobody's unit of work. */
  @Subscription(() => Comment) polled(): AsyncIterableIterator<unknown> {
    const { facade } = this;
    const iterator: AsyncIterableIterator<unknown> = {
      next: async () => ({ done: false, value: { polled: { id: (await facade.get()).use() } } }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  @Subscription(() => Comment) refused(@Context() _context: unknown): never {
    throw new Error('refused');
  }
}

export const subscriptionProviders = [Comments, Topics];
