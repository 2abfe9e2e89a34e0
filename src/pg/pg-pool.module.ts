import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import type { Client } from 'pg';
import type { Pool } from '../engine/index.js';
import { getPoolToken } from '../module/tokens.js';
import { UnknownPoolError } from '../module/errors.js';
import { PoolRegistry } from '../module/registry.js';
import { requireRegistry } from '../module/require-registry.js';
import { pgFacade, type PgFacadeOptions } from '../resources/pg.js';
import { connectionsOf } from '../resources/pg/facade.js';
import { transactionHere } from '../scope/index.js';
import { getPgPoolToken } from './inject.decorator.js';

/** How a pool of `PoolModule` is shown. */
export interface NamedPgPool extends Omit<PgFacadeOptions, 'current'> {
  name: string;
  /**
   * Do its queries take part in the transaction that they are sent in: that of a method with `@Transactional`, of
   * `borrowed.transaction()`, or of a handler with `@Borrow(name, { transaction })`? Otherwise each has a connection of its own,
   * as what is to stay whatever becomes of a request, such as an audit log. Default true.
   */
  joinTransactions?: boolean;
}

/** One pool of `PoolModule`, and how it is shown; only its name where there is nothing to say. */
export type PgPoolDefinition = string | NamedPgPool;

/**
 * Provides pools of `PoolModule` as `pg.Pool`s, for libraries that take one. Where a transaction of the pool is running, what
 * they do is part of that, and a transaction that they begin is a savepoint in it; code that runs on after it has ended gets
 * `TransactionOverError`. `end()` of such a pool detaches it: `PoolModule`
 * closes what is behind it, after the server of the application.
 *
 * ```ts
 * @Module({
 *   imports: [PgPoolModule.forFeature(['orders-db'])],
 *   providers: [{ provide: 'DB', inject: [getPgPoolToken('orders-db')], useFactory: (pool: pg.Pool) => drizzle({ client: pool }) }],
 * })
 * ```
 */
@Module({})
export class PgPoolModule {
  /**
   * Of pools that `PoolModule` knows, where they can be injected.
   *
   * @throws TypeError naming what is wrong with a definition
   */
  static forFeature(pools: readonly PgPoolDefinition[]): DynamicModule {
    const providers = checked(pools).map(providerOf);
    return { module: PgPoolModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}

function checked(pools: unknown): NamedPgPool[] {
  if (!Array.isArray(pools)) {
    throw new TypeError('PgPoolModule: pools must be an array of names, such as ["orders-db"].');
  }
  return (pools as PgPoolDefinition[]).map(pool => {
    const definition = typeof pool === 'string' ? { name: pool } : pool;
    const { name, joinTransactions } = definition as { name?: unknown; joinTransactions?: unknown };
    if (typeof name !== 'string' || name === '')
      throw new TypeError(`PgPoolModule: a pool's name must be a non-empty string, got ${String(name)}.`);
    if (joinTransactions !== undefined && typeof joinTransactions !== 'boolean')
      throw new TypeError(`PgPoolModule, pool "${name}": joinTransactions must be true or false.`);
    return definition;
  });
}

function providerOf({ name, joinTransactions = true, ...options }: NamedPgPool): FactoryProvider {
  return {
    provide: getPgPoolToken(name),
    inject: [
      { token: getPoolToken(name), optional: true },
      { token: PoolRegistry, optional: true },
    ],
    useFactory: (pool: Pool<Client> | undefined, given: PoolRegistry | undefined) => {
      const registry = requireRegistry(given, 'PgPoolModule');
      if (!pool) throw new UnknownPoolError(name, registry.knownNames(), 'PgPoolModule');
      checkReal(name, pool);
      return pgFacade(pool, {
        ...options,
        current: joinTransactions ? () => transactionHere(registry, pool) : undefined,
      });
    },
  };
}

/** @throws TypeError for the pool of fakes that a test has put in its place, which cannot be shown as a `pg.Pool` */
function checkReal(name: string, pool: Pool<Client>): void {
  if (connectionsOf(pool)) return;
  throw new TypeError(
    `PgPoolModule: pool "${name}" is not one of pgPool(), and cannot be shown as a pg.Pool. Where a test has put a pool of ` +
      `fakes in its place, put something in the place of this too: overrideProvider(getPgPoolToken('${name}')).useValue(…), ` +
      'or of what is made of it, such as the DataSource.',
  );
}
