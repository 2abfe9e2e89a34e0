import type { PoolRegistry } from './registry.js';

/**
 * The pools of the application, for a module that is of no use without.
 *
 * @throws Error where `PoolModule` is not imported, which Nest would say in the words of its injector
 */
export function requireRegistry(registry: PoolRegistry | undefined, module: string): PoolRegistry {
  if (registry) return registry;
  throw new Error(
    `${module}: the application has no PoolModule. Import PoolModule.forRoot({ pools: [ … ] }) in its root module.`,
  );
}
