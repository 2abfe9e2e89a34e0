import type { ModuleMetadata, Provider } from '@nestjs/common';
import type { TransactionOptions } from '../../../src/engine/index.js';
import { PoolModule, definePool } from '../../../src/index.js';
import { FakeFactory } from '../../../src/testing/index.js';
import { Facade, Repository, Service } from '../../support/borrowing/services.js';
import { Thing } from '../../support/borrowing/thing.js';
import { FAILING_POOLS, InVain } from '../../support/failing-pools.js';
import { Stage } from '../../support/stage.js';
import { SuiteFilter, SuiteGuard, SuiteInterceptor, SuitePipe, Work } from './work.js';

/** What was made for one application. */
export interface World {
  readonly stage: Stage;
  /** Why things were destroyed. */
  readonly destroyed: string[];
  readonly ledger: FakeFactory<object>;
}

export function newWorld(): World {
  return { stage: new Stage(), destroyed: [], ledger: new FakeFactory<object>(() => ({})) };
}

/** How many things there are. */
export const THINGS = 2;
/** Milliseconds. */
export const ABANDONED_TIMEOUT = 40;

/** The shared part of every application: the pools, the services, and what is around handlers. */
export function shared({ stage, destroyed, ledger }: World): Required<Pick<ModuleMetadata, 'imports'>> & {
  providers: Provider[];
} {
  const made: Thing[] = [];
  const things = definePool({
    name: 'things',
    max: THINGS,
    create: () => {
      const thing = new Thing(made.length + 1);
      made.push(thing);
      return thing;
    },
    // A pool numbers its resources as they are created.
    listeners: [
      {
        onAcquire: ({ slot }) => made[slot - 1]?.lend(),
        onRelease: ({ slot }) => made[slot - 1]?.takeBack(),
        onDestroy: ({ reason, cause }) => destroyed.push(cause instanceof Error ? cause.name : reason),
      },
    ],
  });
  const tenants = definePool({
    name: 'tenants',
    maxTotal: 2,
    create: ({ key }: { key: unknown }) => ({ key: String(key) }),
  });
  const books = definePool({
    name: 'ledger',
    max: 1,
    create: () => ledger.create(),
    begin: (book: object, options: TransactionOptions) => {
      const transaction = ledger.begin(book, options);
      return {
        ...transaction,
        commit: async () => {
          await stage.pass('commit');
          return transaction.commit();
        },
      };
    },
  });
  return {
    imports: [
      PoolModule.forRoot({
        pools: [things, tenants, books, ...FAILING_POOLS],
        abandonedTimeout: ABANDONED_TIMEOUT,
      }),
    ],
    providers: [
      { provide: Stage, useValue: stage },
      Repository,
      Service,
      Facade,
      InVain,
      Work,
      SuiteGuard,
      SuitePipe,
      SuiteInterceptor,
      SuiteFilter,
    ],
  };
}
