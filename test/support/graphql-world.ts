import { AsyncResource } from 'node:async_hooks';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Catch,
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import {
  Args,
  Field,
  GraphQLModule,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import { Observable, map, mergeMap } from 'rxjs';
import { Borrow, Borrowed, InjectBorrowed } from '../../src/index.js';
import { Facade } from './borrowing/services.js';
import { Thing } from './borrowing/thing.js';
import { Stage } from './stage.js';

@ObjectType()
class Item {
  @Field(() => Int) id!: number;
}

@Injectable()
class UsingGuard implements CanActivate {
  constructor(private readonly facade: Facade) {}
  async canActivate(): Promise<boolean> {
    return (await this.facade.get()).use() > 0;
  }
}

@Injectable()
class UsingPipe implements PipeTransform<string, Promise<string>> {
  constructor(private readonly facade: Facade) {}
  async transform(value: string): Promise<string> {
    return `${value}, piped by ${(await this.facade.get()).use()}`;
  }
}

@Injectable()
class UsingInterceptor implements NestInterceptor {
  constructor(private readonly facade: Facade) {}
  intercept(_: unknown, next: CallHandler): Observable<unknown> {
    return next
      .handle()
      .pipe(
        mergeMap(
          async (value: unknown) => `${String(value)}, intercepted by ${(await this.facade.get()).use()}`,
        ),
      );
  }
}

/** Works on when its answer is out. */
@Catch()
class WorkingFilter implements ExceptionFilter {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}
  async catch(error: Error): Promise<Error> {
    const thing = await this.facade.get();
    await this.stage.pass('filter');
    thing.use();
    this.stage.note('filter is over');
    return error;
  }
}

@Resolver(() => Item)
class Items {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}

  @Query(() => Int) byParameter(@Borrow('things') thing: Thing): number {
    return thing.use();
  }
  @Query(() => Int) async deep(): Promise<number> {
    return (await this.facade.get()).use();
  }
  @Mutation(() => Int) async change(@Borrow('things') thing: Thing): Promise<number> {
    return (await this.facade.get()) === thing ? thing.use() : 0;
  }
  @Query(() => [Item]) async items(): Promise<Item[]> {
    return [{ id: 1 }, { id: 2 }];
  }
  @ResolveField(() => Int) async lentTo(
    @Parent() { id }: Item,
    @Borrow('things') thing: Thing,
  ): Promise<number> {
    return id * 10 + ((await this.facade.get()) === thing ? thing.use() : 0);
  }
  @Query(() => String)
  @UseGuards(UsingGuard)
  @UseInterceptors(UsingInterceptor)
  async surrounded(@Args('text', UsingPipe) text: string, @Borrow('things') thing: Thing): Promise<string> {
    return `${text}, handled by ${thing.use()}`;
  }

  /** Not to be null: when it fails there is nothing left to answer, whatever else is still running. */
  @Query(() => String) async broken(): Promise<string> {
    await this.stage.reached('slow');
    throw new Error('broken');
  }
  @Query(() => Int) async slow(@Borrow('things') thing: Thing): Promise<number> {
    await this.stage.pass('slow');
    return thing.use();
  }
  @Query(() => Int)
  @UseFilters(WorkingFilter)
  async slowlyFiltered(@Borrow('things') _thing: Thing): Promise<number> {
    this.stage.note('slow');
    throw new Error('no');
  }
}

export const graphqlProviders = [Items, UsingGuard, UsingPipe, UsingInterceptor, WorkingFilter];

export const graphqlModule = (
  options: Partial<ApolloDriverConfig> = {},
): ReturnType<typeof GraphQLModule.forRoot> =>
  GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true, ...options });

/** Each calls back in the context that was there when it was made, as a driver does that has one connection. */
export class Driver {
  private callBack = (call: () => void): void => {
    call();
  };
  private attached = false;

  query(done: () => void): void {
    if (!this.attached) {
      this.callBack = AsyncResource.bind((call: () => void) => {
        call();
      });
    }
    this.attached = true;
    setImmediate(this.callBack, done);
  }
}

/** Goes on from the context that the driver calls back in. */
@Injectable()
export class WanderingInterceptor implements NestInterceptor {
  constructor(private readonly driver: Driver) {}
  intercept(_: unknown, next: CallHandler): Observable<unknown> {
    return new Observable(subscriber => {
      this.driver.query(() => next.handle().subscribe(subscriber));
    });
  }
}

@Injectable()
export class InnerInterceptor implements NestInterceptor {
  constructor(@InjectBorrowed('databases') private readonly databases: Borrowed<{ tenant: string }>) {}
  async intercept(_: unknown, next: CallHandler): Promise<Observable<unknown>> {
    const { tenant } = await this.databases.get();
    return next.handle().pipe(map(value => `${tenant} ${String(value)}`));
  }
}

/** Says whose database a resolver was given. */
@Resolver()
export class Tenants {
  constructor(@InjectBorrowed('databases') private readonly databases: Borrowed<{ tenant: string }>) {}
  @Query(() => String) async deep(): Promise<string> {
    return (await this.databases.get()).tenant;
  }
  @Query(() => String) byParameter(@Borrow('databases') database: { tenant: string }): string {
    return database.tenant;
  }
  @Query(() => String)
  @UseInterceptors(WanderingInterceptor, InnerInterceptor)
  async wandering(): Promise<string> {
    return this.deep();
  }
}
