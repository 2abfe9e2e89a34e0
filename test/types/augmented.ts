// What the compiler must accept and refuse once the Pools interface is filled. A program of its own, as an augmentation
// is the whole program's; checked by `npm run typecheck`, never run.
import { expectTypeOf } from 'expect-type';
import type { Request } from 'express';
import {
  Borrow,
  Borrowed,
  InjectBorrowed,
  InjectPool,
  KeyedPool,
  Pool,
  PoolModule,
  definePool,
  type KeyedCreateContext,
  type KeyedPoolDefinition,
  type PoolDefinition,
  type PoolRegistry,
} from '../../src/index.js';
import { PoolHealthModule, type PoolHealthIndicator } from '../../src/terminus/index.js';

class Client {
  query(_sql: string): Promise<unknown[]> {
    return Promise.resolve([]);
  }
}
class Browser {
  newPage(): Promise<void> {
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

declare module '../../src/index.js' {
  interface Pools {
    'orders-db': Client;
    renderer: Browser;
    tenants: KeyedPool<string, Client>;
  }
}

export class Right {
  constructor(
    @InjectPool('renderer') readonly renderers: Pool<Browser>,
    @InjectBorrowed('orders-db') readonly db: Borrowed<Client>,
    @InjectPool('tenants') readonly tenants: KeyedPool<string, Client>,
    @InjectBorrowed('tenants') readonly tenant: Borrowed<Client, string>,
    @InjectBorrowed('tenants') readonly loosely: Borrowed<Client>,
  ) {}

  byKey(
    @Borrow('tenants') _ofTheRule: Client,
    @Borrow('tenants', { key: request => String(request.headers['x-tenant']) }) _ofAHeader: Client,
    @Borrow('tenants', { key: (request: Request<{ tenant: string }>) => request.params.tenant })
    _ofAPath: Client,
  ): void {
    void this.tenant.get({ key: 'a', fresh: true, priority: 'high', timeout: 100 });
    // @ts-expect-error -- a key of another type
    void this.tenant.get({ key: 1 });
  }

  find(_id: string, @Borrow('orders-db') db: Client): Promise<unknown[]> {
    return db.query('select 1');
  }

  loose(@Borrow('renderer') _browser: Pick<Browser, 'close'>): void {
    // A parameter may ask for less than there is.
  }
}

export class Wrong {
  constructor(
    // @ts-expect-error -- the pool of another resource
    @InjectPool('renderer') readonly renderers: Pool<Client>,
    // @ts-expect-error -- no such pool
    @InjectPool('rendrer') readonly missing: Pool<Browser>,
    // @ts-expect-error -- a pool is not what is borrowed
    @InjectBorrowed('orders-db') readonly db: Pool<Client>,
    // @ts-expect-error -- a pool by key
    @InjectPool('tenants') readonly tenants: Pool<Client>,
    // @ts-expect-error -- the keys are of another type
    @InjectPool('tenants') readonly byNumber: KeyedPool<number, Client>,
  ) {}

  // @ts-expect-error -- the resource of another pool
  byKey(@Borrow('tenants') _browser: Browser): void {
    // Nothing to do.
  }

  // @ts-expect-error -- a key of another type
  byNumberOf(@Borrow('tenants', { key: () => 1 }) _db: Client): void {
    // Nothing to do.
  }

  // @ts-expect-error -- no pool by key
  plainByKey(@Borrow('orders-db', { key: () => 'a' }) _db: Client): void {
    // Nothing to do.
  }

  // @ts-expect-error -- no such option
  unknownOption(@Borrow('orders-db', { timout: 5 }) _db: Client): void {
    // Nothing to do.
  }

  // @ts-expect-error -- the resource of another pool
  find(@Borrow('orders-db') _browser: Browser): void {
    // Nothing to do.
  }

  // @ts-expect-error -- no such pool
  remove(@Borrow('orders') _db: Client): void {
    // Nothing to do.
  }
}

PoolModule.forRoot({
  pools: [
    { name: 'renderer', create: () => new Browser(), destroy: browser => browser.close() },
    { name: 'orders-db', useFactory: () => ({ create: () => new Client() }) },
    {
      name: 'tenants',
      maxTotal: 50,
      key: request => String(request.headers['x-tenant']),
      create: ({ key }) => {
        expectTypeOf(key).toEqualTypeOf<string>();
        return new Client();
      },
    },
  ],
});
// The total may come from a factory.
PoolModule.forFeature([{ name: 'tenants', useFactory: () => ({ maxTotal: 3, create: () => new Client() }) }]);
// @ts-expect-error -- a pool by key has a total
PoolModule.forRoot({ pools: [{ name: 'tenants', create: () => new Client() }] });
// @ts-expect-error -- a pool by key keeps no minimum
PoolModule.forRoot({ pools: [{ name: 'tenants', maxTotal: 5, min: 1, create: () => new Client() }] });
// @ts-expect-error -- nor has it a start
PoolModule.forRoot({ pools: [{ name: 'tenants', maxTotal: 5, start: 'warm', create: () => new Client() }] });
// @ts-expect-error -- its keys are of another type
PoolModule.forRoot({ pools: [{ name: 'tenants', maxTotal: 5, key: () => 5, create: () => new Client() }] });
// @ts-expect-error -- no pool by key
PoolModule.forRoot({ pools: [{ name: 'orders-db', key: () => 'a', create: () => new Client() }] });
// @ts-expect-error -- no such pool
PoolModule.forRoot({ pools: [{ name: 'rendrer', create: () => new Browser() }] });
// @ts-expect-error -- makes another resource than Pools says
PoolModule.forRoot({ pools: [{ name: 'renderer', create: () => new Client() }] });
// @ts-expect-error -- no such option
PoolModule.forRoot({ pools: [{ name: 'renderer', create: () => new Browser(), maximum: 3 }] });

declare const registry: PoolRegistry;
expectTypeOf(registry.get('orders-db')).toEqualTypeOf<Pool<Client>>();
expectTypeOf(registry.get('tenants')).toEqualTypeOf<KeyedPool<string, Client>>();
// @ts-expect-error -- no such pool
registry.get('orders');

const renderer = definePool({ name: 'renderer', create: () => new Browser(), destroy: b => b.close() });
expectTypeOf(renderer).toEqualTypeOf<PoolDefinition<Browser, 'renderer'>>();
const byKey = definePool({
  name: 'tenants',
  maxTotal: 2,
  create: (_context: KeyedCreateContext<string>) => new Client(),
});
expectTypeOf(byKey).toEqualTypeOf<KeyedPoolDefinition<string, Client, 'tenants'>>();
PoolModule.forFeature([renderer, byKey]);

declare const health: PoolHealthIndicator;
void health.readiness('renderer');
void health.readiness(['orders-db', 'tenants'], { maxUtilization: 0.8 });
health.startup('renderer');
health.startup();
// @ts-expect-error -- no such pool
void health.readiness('orders');
// @ts-expect-error -- one of them is no pool
void health.readiness(['orders-db', 'orders']);
// @ts-expect-error -- no such pool
health.startup('orders');
// @ts-expect-error -- no such option
void health.readiness('renderer', { maxUtilisation: 0.8 });

PoolHealthModule.forRoot({ path: 'health', pools: ['orders-db', 'tenants'] });
PoolHealthModule.forRoot({ pools: { renderer: { whenUnavailable: 'degraded' } } });
// @ts-expect-error -- no such pool
PoolHealthModule.forRoot({ pools: ['orders'] });
// @ts-expect-error -- no such pool
PoolHealthModule.forRoot({ pools: { orders: {} } });
