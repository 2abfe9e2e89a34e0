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
} from '@nestjs/graphql';
import DataLoader from 'dataloader';
import { Borrow } from '../../../src/index.js';
import { Facade } from '../borrowing/services.js';
import { Thing } from '../borrowing/thing.js';
import { Stage } from '../stage.js';

@ObjectType()
export class Item {
  @Field(() => Int) id!: number;
}

type Loaders = WeakMap<object, DataLoader<number, number>>;

@Resolver(() => Item)
export class Items {
  private readonly loaders: Loaders = new WeakMap();
  /** One for all requests, as it should not be. */
  private readonly shared: DataLoader<number, number>;

  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {
    this.shared = new DataLoader(ids => this.load(ids), { cache: false });
  }

  @Query(() => Int) byParameter(@Borrow('things') thing: Thing): number {
    return thing.use();
  }
  @Query(() => Int) async deep(): Promise<number> {
    return (await this.facade.get()).use();
  }
  @Mutation(() => Int) async change(@Borrow('things') thing: Thing): Promise<number> {
    return (await this.facade.get()) === thing ? thing.use() : 0;
  }
  @Query(() => [Item]) items(): Item[] {
    return [{ id: 1 }, { id: 2 }];
  }
  @Query(() => Item) item(@Args('id', { type: () => Int }) id: number): Item {
    return { id };
  }

  @ResolveField(() => Int) lentTo(@Parent() { id }: Item, @Borrow('things') thing: Thing): number {
    return id * 10 + thing.use();
  }
  /** Without decorators, so that Nest calls it past all that it does for others. */
  @ResolveField(() => Int) async fast({ id }: Item): Promise<number> {
    return id * 10 + (await this.facade.get()).use();
  }
  @ResolveField(() => Int) async slowAndFast(): Promise<number> {
    const thing = await this.facade.get();
    await this.stage.pass('slow');
    return thing.use();
  }
  /** As knex has them: nothing is sent before somebody waits for it. */
  @ResolveField(() => Int) lazy(): PromiseLike<number> {
    const query = async (): Promise<number> => {
      const thing = await this.facade.get();
      await this.stage.pass('slow');
      return thing.use();
    };
    return { then: (good, bad) => query().then(good, bad) };
  }

  @ResolveField(() => Int) async loaded(
    @Parent() { id }: Item,
    @Context() context: { req: object },
  ): Promise<number> {
    let loader = this.loaders.get(context.req);
    if (!loader) this.loaders.set(context.req, (loader = new DataLoader(ids => this.load(ids))));
    return loader.load(id);
  }
  @ResolveField(() => Int) fromShared(@Parent() { id }: Item): Promise<number> {
    return this.shared.load(id);
  }

  /** Not to be null: when it fails there is nothing left to answer, whatever else is still running. */
  @Query(() => Int) async broken(): Promise<number> {
    await this.stage.reached('slow');
    throw new Error('broken');
  }

  private async load(ids: readonly number[]): Promise<number[]> {
    const thing = await this.facade.get();
    await this.stage.pass('slow');
    return ids.map(id => id * 10 + thing.use());
  }
}
