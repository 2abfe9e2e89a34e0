import { afterEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, Scope, type DynamicModule, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Borrow,
  BorrowScopes,
  Borrowed,
  DuplicatePoolError,
  InjectBorrowed,
  InjectPool,
  NoBorrowScopeError,
  Pool,
  PoolModule,
  PoolOptionsError,
  PoolRegistry,
  UnknownPoolError,
  definePool,
  getPoolToken,
  type CreateContext,
  type ResourceFactory,
} from '../../src/index.js';
import { Controller, Get } from '@nestjs/common';

interface Item {
  readonly from: string;
}
const item = (from: string) => ({ create: (): Item => ({ from }) });

let testing: TestingModule | undefined;

async function boot(metadata: ModuleMetadata): Promise<TestingModule> {
  testing = await Test.createTestingModule(metadata).compile();
  await testing.init();
  return testing;
}

async function failure(metadata: ModuleMetadata): Promise<Error> {
  const error: unknown = await boot(metadata).then(
    () => new Error('it booted'),
    (e: unknown) => e,
  );
  // The close() of NestJS 11 fails again with what init() has failed with.
  testing = undefined;
  return error as Error;
}

afterEach(async () => {
  await testing?.close();
  testing = undefined;
});

describe('PoolModule', () => {
  it('provides a pool for every way to define one', async () => {
    @Injectable()
    class Config {
      readonly from = 'config';
    }
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}
    @Injectable()
    class ItemFactory implements ResourceFactory<Item> {
      constructor(private readonly config: Config) {}
      create(_context: CreateContext): Item {
        return { from: `class with ${this.config.from}` };
      }
    }
    const module = await boot({
      imports: [
        PoolModule.forRoot({
          pools: [
            { name: 'members', ...item('members') },
            { name: 'object', factory: item('object') },
          ],
        }),
        PoolModule.forFeature(
          [
            {
              name: 'factory',
              inject: [Config],
              useFactory: (config: Config) => ({ ...item(`factory with ${config.from}`), max: 3 }),
            },
            { name: 'class', useClass: ItemFactory, max: 2 },
          ],
          { imports: [ConfigModule] },
        ),
      ],
    });
    const registry = module.get(PoolRegistry);
    const seen = await Promise.all(
      registry.names().map(async name => {
        const pool = registry.get(name);
        return [name, await pool.use(r => (r as Item).from), pool.stats().max];
      }),
    );
    expect(seen).toEqual(
      expect.arrayContaining([
        ['members', 'members', 10],
        ['object', 'object', 10],
        ['factory', 'factory with config', 3],
        ['class', 'class with config', 2],
      ]),
    );
    expect(seen).toHaveLength(4);
  });

  it('injects the pool and the borrowed resource by name', async () => {
    @Injectable()
    class Service {
      constructor(
        @InjectPool('items') readonly pool: Pool<Item>,
        @InjectBorrowed('items') readonly borrowed: Borrowed<Item>,
      ) {}
    }
    const module = await boot({
      imports: [PoolModule.forRoot({ pools: [{ name: 'items', ...item('here') }] })],
      providers: [Service],
    });
    const service = module.get(Service);
    expect(service.pool).toBeInstanceOf(Pool);
    const seen = await module.get(BorrowScopes).run(async () => {
      const [first, second] = [await service.borrowed.get(), await service.borrowed.get()];
      expect(service.pool.stats().leased).toBe(1);
      const fresh = await service.borrowed.get({ fresh: true });
      expect(service.pool.stats().leased).toBe(2);
      return [first === second, fresh === first];
    });
    expect(seen).toEqual([true, false]);
    expect(service.pool.stats().leased).toBe(0);
  });

  it('says what to write when something is borrowed outside any scope', async () => {
    const module = await boot({
      imports: [PoolModule.forRoot({ pools: [{ name: 'items', ...item('x') }] })],
    });
    const borrowed = module.get<Borrowed<Item>>('nestjs-pool-borrowed:items');
    await expect(borrowed.get()).rejects.toThrow(NoBorrowScopeError);
    await expect(borrowed.get()).rejects.toThrow(/scopes\.run.*@InjectPool/);
  });

  it('lets defaults reach every pool, and a pool’s own settings win', async () => {
    const module = await boot({
      imports: [
        PoolModule.forRootAsync({
          useFactory: () => ({ defaults: { max: 4, min: 1 } }),
          pools: [{ name: 'a', ...item('a') }],
          isGlobal: false,
        }),
        PoolModule.forFeature([{ name: 'b', ...item('b'), max: 2 }]),
      ],
    });
    const registry = module.get(PoolRegistry);
    expect(registry.get('a').stats()).toMatchObject({ max: 4, min: 1 });
    expect(registry.get('b').stats()).toMatchObject({ max: 2, min: 1 });
  });

  it('takes an option that is undefined for one that is not given', async () => {
    const module = await boot({
      imports: [
        PoolModule.forRoot({
          defaults: { max: 3 },
          pools: [{ name: 'a', useFactory: () => ({ ...item('a'), max: undefined }) as never }],
        }),
      ],
    });
    expect(module.get(PoolRegistry).get('a').stats().max).toBe(3);
  });

  it('refuses a name that is used twice, and names both modules', async () => {
    @Module({ imports: [PoolModule.forFeature([{ name: 'same', ...item('a') }])] })
    class BillingModule {}
    @Module({ imports: [PoolModule.forFeature([{ name: 'same', ...item('b') }])] })
    class ShippingModule {}
    const error = await failure({ imports: [BillingModule, ShippingModule] });
    expect(error).toBeInstanceOf(DuplicatePoolError);
    expect(error.message).toMatch(/"same".*BillingModule.*ShippingModule/);
  });

  it('makes one pool of one definition that is reached through two imports', async () => {
    const shared = definePool({ name: 'shared', ...item('x') });
    const feature = (): DynamicModule => PoolModule.forFeature([shared]);
    @Injectable()
    class A {
      constructor(@InjectPool('shared') readonly pool: Pool<Item>) {}
    }
    @Module({ imports: [feature()], providers: [A] })
    class FirstModule {}
    @Injectable()
    class B {
      constructor(@InjectPool('shared') readonly pool: Pool<Item>) {}
    }
    @Module({ imports: [feature()], providers: [B] })
    class SecondModule {}
    const module = await boot({ imports: [FirstModule, SecondModule] });
    expect(module.get(A, { strict: false }).pool).toBe(module.get(B, { strict: false }).pool);
    expect(module.get(PoolRegistry).names()).toEqual(['shared']);
  });

  it('refuses a second forRoot', async () => {
    const error = await failure({ imports: [PoolModule.forRoot({}), PoolModule.forRoot({ pools: [] })] });
    expect(error.message).toMatch(/forRoot\(\) is imported more than once/);
  });

  it.each([
    [{ name: 'x' }, /exactly one of create, factory, useFactory, useClass; it has none/],
    [{ name: 'x', ...item('x'), useFactory: () => item('y') }, /it has create and useFactory/],
    [{ name: '', ...item('x') }, /non-empty string/],
    [{ name: 'x', ...item('x'), start: 'eager' }, /start "eager"; it must be one of lazy, warm, required/],
    [{ name: 'x', ...item('x'), startTimeout: -1 }, /startTimeout -1; it must be milliseconds/],
  ])('refuses the definition %j', async (definition, message) => {
    const error = await failure({ imports: [PoolModule.forRoot({ pools: [definition as never] })] });
    expect(error.message).toMatch(message);
  });

  it('refuses wrong settings as the engine does, with the pool’s name', async () => {
    const error = await failure({
      imports: [PoolModule.forRoot({ pools: [{ name: 'x', ...item('x'), max: 0 }] })],
    });
    expect(error).toBeInstanceOf(PoolOptionsError);
    expect(error.message).toMatch(/Pool "x": option "max" is 0/);
  });

  it('refuses a factory that depends on a request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {}
    const error = await failure({
      imports: [
        PoolModule.forFeature([{ name: 'x', inject: [Tenant], useFactory: (_tenant: Tenant) => item('x') }], {
          imports: [{ module: class TenantModule {}, providers: [Tenant], exports: [Tenant] }],
        }),
      ],
    });
    expect(error.message).toMatch(/"x".*REQUEST-scoped/);
  });

  it('refuses a handler that borrows from a pool nobody registered', async () => {
    @Controller()
    class Orders {
      @Get()
      find(@Borrow('orders-bd') db: Item): Item {
        return db;
      }
    }
    const error = await failure({
      imports: [PoolModule.forRoot({ pools: [{ name: 'orders-db', ...item('x') }] })],
      controllers: [Orders],
    });
    expect(error).toBeInstanceOf(UnknownPoolError);
    expect(error.message).toMatch(/"orders-bd", borrowed by Orders\.find\(\).*Registered are: orders-db/);
  });

  it('lets a test override a pool everywhere', async () => {
    const other = new Pool({ name: 'other', ...item('override') });
    @Injectable()
    class Service {
      constructor(
        @InjectPool('items') readonly pool: Pool<Item>,
        @InjectBorrowed('items') readonly borrowed: Borrowed<Item>,
        @Inject(PoolRegistry) readonly registry: PoolRegistry,
      ) {}
    }
    testing = await Test.createTestingModule({
      imports: [PoolModule.forRoot({ pools: [{ name: 'items', ...item('real') }] })],
      providers: [Service],
    })
      .overrideProvider(getPoolToken('items'))
      .useValue(other)
      .compile();
    const service = testing.get(Service);
    expect(service.pool).toBe(other);
    expect(service.registry.get('items')).toBe(other);
    const from = await testing.get(BorrowScopes).run(async () => (await service.borrowed.get()).from);
    expect(from).toBe('override');
    await other.close();
  });

  it('keeps two applications in one process apart', async () => {
    const metadata = (): ModuleMetadata => ({
      imports: [PoolModule.forRoot({ pools: [{ name: 'items', ...item('x') }] })],
    });
    const first = await boot(metadata());
    const second = await Test.createTestingModule(metadata()).compile();
    const borrowedOfSecond = second.get<Borrowed<Item>>('nestjs-pool-borrowed:items');
    await first.get(BorrowScopes).run(async () => {
      await expect(borrowedOfSecond.get()).rejects.toThrow(NoBorrowScopeError);
    });
    expect(first.get(PoolRegistry).get('items')).not.toBe(second.get(PoolRegistry).get('items'));
    await second.close();
  });
});

describe('BorrowScopes.run', () => {
  it('joins a scope that is running, unless it asks for one of its own', async () => {
    const module = await boot({
      imports: [PoolModule.forRoot({ pools: [{ name: 'items', ...item('x') }] })],
    });
    const scopes = module.get(BorrowScopes);
    const borrowed = module.get<Borrowed<Item>>('nestjs-pool-borrowed:items');
    await scopes.run(async () => {
      const outer = await borrowed.get();
      expect(await scopes.run(() => borrowed.get())).toBe(outer);
      expect(await scopes.run(() => borrowed.get(), { own: true })).not.toBe(outer);
    });
  });

  it('gives back what was borrowed when the work fails, and shows the error to isFatal', async () => {
    const shown: unknown[] = [];
    const module = await boot({
      imports: [
        PoolModule.forRoot({
          pools: [{ name: 'items', ...item('x'), isFatal: error => (shown.push(error), true) }],
        }),
      ],
    });
    const error = new Error('job failed');
    const borrowed = module.get<Borrowed<Item>>('nestjs-pool-borrowed:items');
    const work = module.get(BorrowScopes).run(async () => {
      await borrowed.get();
      throw error;
    });
    await expect(work).rejects.toBe(error);
    expect(shown).toEqual([error]);
    expect(module.get(PoolRegistry).get('items').stats().totals.destroyedBy).toEqual({ fatal: 1 });
  });

  it('does not remember a borrow that failed', async () => {
    let fail = true;
    const module = await boot({
      imports: [
        PoolModule.forRoot({
          log: false,
          pools: [
            {
              name: 'items',
              create: () => {
                if (fail) throw new Error('not yet');
                return { from: 'x' };
              },
              unavailableAfter: 1,
              createBackoff: { initial: 1, max: 1 },
            },
          ],
        }),
      ],
    });
    const borrowed = module.get<Borrowed<Item>>('nestjs-pool-borrowed:items');
    await module.get(BorrowScopes).run(async () => {
      await expect(borrowed.get()).rejects.toThrow('not yet');
      fail = false;
      const registry = module.get(PoolRegistry);
      while (registry.get('items').stats().state !== 'ready')
        await new Promise(resolve => setImmediate(resolve));
      expect(await borrowed.get()).toEqual({ from: 'x' });
    });
  });
});
