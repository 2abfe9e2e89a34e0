// What the compiler must accept and refuse once the Pools interface is filled. A program of its own, as an augmentation
// is the whole program's; checked by `npm run typecheck`, never run.
import { expectTypeOf } from 'expect-type';
import {
  Borrow,
  Borrowed,
  InjectBorrowed,
  InjectPool,
  Pool,
  PoolModule,
  type PoolRegistry,
} from '../../src/index.js';
import type { PoolHealthIndicator } from '../../src/terminus/index.js';

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
  }
}

export class Right {
  constructor(
    @InjectPool('renderer') readonly renderers: Pool<Browser>,
    @InjectBorrowed('orders-db') readonly db: Borrowed<Client>,
  ) {}

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
  ) {}

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
  ],
});
// @ts-expect-error -- no such pool
PoolModule.forRoot({ pools: [{ name: 'rendrer', create: () => new Browser() }] });
// @ts-expect-error -- makes another resource than Pools says
PoolModule.forRoot({ pools: [{ name: 'renderer', create: () => new Client() }] });
// @ts-expect-error -- no such option
PoolModule.forRoot({ pools: [{ name: 'renderer', create: () => new Browser(), maximum: 3 }] });

declare const registry: PoolRegistry;
expectTypeOf(registry.get('orders-db')).toEqualTypeOf<Pool<Client>>();
// @ts-expect-error -- no such pool
registry.get('orders');

declare const health: PoolHealthIndicator;
void health.readiness('renderer');
// @ts-expect-error -- no such pool
void health.readiness('orders');
