import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import type { Client } from 'pg';
import type { Pool } from '../engine/index.js';
import { getPoolToken } from '../module/tokens.js';
import { pgFacade, type PgFacadeOptions } from '../resources/pg.js';
import { getPgPoolToken } from './inject.decorator.js';

/** One pool of `PoolModule`, and how it is shown; only its name where there is nothing to say. */
export type PgPoolDefinition = string | ({ name: string } & PgFacadeOptions);

/**
 * Provides pools of `PoolModule` as `pg.Pool`s, for libraries that take one. `end()` of such a pool detaches it: `PoolModule`
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

function checked(pools: unknown): ({ name: string } & PgFacadeOptions)[] {
  if (!Array.isArray(pools)) {
    throw new TypeError('PgPoolModule: pools must be an array of names, such as ["orders-db"].');
  }
  return (pools as PgPoolDefinition[]).map(pool => {
    const definition = typeof pool === 'string' ? { name: pool } : pool;
    const { name } = definition as { name?: unknown };
    if (typeof name === 'string' && name !== '') return definition;
    throw new TypeError(`PgPoolModule: a pool's name must be a non-empty string, got ${String(name)}.`);
  });
}

function providerOf({ name, ...options }: { name: string } & PgFacadeOptions): FactoryProvider {
  return {
    provide: getPgPoolToken(name),
    inject: [getPoolToken(name)],
    useFactory: (pool: Pool<Client>) => pgFacade(pool, options),
  };
}
