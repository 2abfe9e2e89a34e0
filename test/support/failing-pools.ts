import { Injectable, type DynamicModule, type OnModuleDestroy } from '@nestjs/common';
import type { Lease } from '../../src/engine/index.js';
import { InjectPool, Pool, PoolModule, definePool } from '../../src/index.js';

/** What the backend says when it refuses: nothing of it may reach a client. */
export const BACKEND_TEXT = 'password authentication failed for user "admin"';

/** Finds what must not be in an answer: text of the backend, and names and numbers of the pools below. */
export const BACKSTAGE = /password|admin|"(full|down)\\?"|of max|leased|Pool \\?"/;

/** Two pools that cannot serve: `full` lets nobody queue for its only resource, which is leased; `down` has a backend that refuses. */
export const FAILING_POOLS = [
  definePool({ name: 'full', create: () => ({}), max: 1, maxWaiting: 0 }),
  definePool({
    name: 'down',
    create: (): object => {
      throw new Error(BACKEND_TEXT);
    },
    unavailableAfter: 1,
    createBackoff: { initial: 600_000, max: 600_000 },
  }),
];

export function failingPools(): DynamicModule {
  return PoolModule.forRoot({ pools: FAILING_POOLS });
}

/** Borrows from them, in vain. */
@Injectable()
export class InVain implements OnModuleDestroy {
  private readonly held: Promise<Lease<object>>;

  constructor(
    @InjectPool('full') private readonly full: Pool<object>,
    @InjectPool('down') private readonly down: Pool<object>,
  ) {
    this.held = full.acquire();
  }

  async onModuleDestroy(): Promise<void> {
    (await this.held).release();
  }

  borrow(pool: 'full' | 'down'): Promise<string> {
    return this[pool].use(() => 'served', { timeout: 5_000 });
  }
}
