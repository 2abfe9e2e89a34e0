import type { AnyPoolDefinition } from './definition.js';

/**
 * The injection token of a pool; what `@InjectPool(name)` injects. In tests, `overrideProvider(getPoolToken(name))`
 * changes what `@InjectPool`, `@Borrow` and `@InjectBorrowed` see.
 */
export function getPoolToken(name: string): string {
  return `nestjs-pool:${name}`;
}

/** The injection token of what `@InjectBorrowed(name)` injects. */
export function getBorrowedToken(name: string): string {
  return `nestjs-pool-borrowed:${name}`;
}

/** The options of `PoolModule.forRoot`; provided globally, so that they reach every pool. */
export const ROOT_OPTIONS = Symbol('nestjs-pool.options');

/** The definitions a module registers: a provider that can be found before any pool is made. */
export const DEFINITIONS = Symbol('nestjs-pool.definitions');

export type Definitions = readonly AnyPoolDefinition[];
