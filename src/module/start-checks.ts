import type { ModulesContainer } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import { borrowsOf } from './borrow.decorator.js';
import { UnknownPoolError } from './errors.js';
import type { PoolRegistry } from './registry.js';
import { getPoolToken } from './tokens.js';

/**
 * Finds at start-up what would otherwise fail in the first request.
 *
 * @throws UnknownPoolError when a handler borrows from a pool that nobody registered
 * @throws Error when a pool's factory depends on a REQUEST-scoped provider
 */
export function checkApplication(modules: ModulesContainer, registry: PoolRegistry): void {
  const known = registry.knownNames();
  const scanner = new MetadataScanner();
  for (const module of modules.values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as object;
      for (const method of scanner.getAllMethodNames(prototype)) {
        const missing = borrowsOf(prototype, method).find(({ name }) => !known.includes(name));
        if (missing) throw new UnknownPoolError(missing.name, known, `${metatype.name}.${method}()`);
      }
    }
    for (const name of known) {
      if (module.providers.get(getPoolToken(name))?.isDependencyTreeStatic() === false) {
        throw new Error(
          `Pool "${name}": its factory depends on a REQUEST-scoped provider, directly or through others. A pool lives as ` +
            'long as the application; let its factory depend on singletons only.',
        );
      }
    }
  }
}
