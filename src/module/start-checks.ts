import type { ModulesContainer } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import { KeyedPool } from '../engine/index.js';
import { UnknownPoolError } from './errors.js';
import { borrowsOf } from './orders.js';
import type { PoolRegistry } from './registry.js';
import { getPoolToken } from './tokens.js';
import { transactionalsOf } from './transactional.decorator.js';

/**
 * Finds at start-up what would otherwise fail in the first request.
 *
 * @throws UnknownPoolError when a handler borrows from a pool that nobody registered
 * @throws Error when a handler borrows from a keyed pool without a key, or with one from another pool, or wants a
 *   transaction where there is none, or when a pool's factory depends on a REQUEST-scoped provider
 */
export function checkApplication(modules: ModulesContainer, registry: PoolRegistry): void {
  const known = registry.knownNames();
  const scanner = new MetadataScanner();
  for (const module of modules.values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as object;
      for (const method of scanner.getAllMethodNames(prototype)) {
        for (const { name, options } of borrowsOf(prototype, method)) {
          const where = `${metatype.name}.${method}()`;
          if (!known.includes(name)) throw new UnknownPoolError(name, known, where);
          checkKey(name, where, options.key !== undefined, registry);
          if (options.transaction !== undefined) checkTransactions(name, where, registry);
        }
      }
    }
    for (const { metatype } of [...module.providers.values(), ...module.controllers.values()]) {
      if (typeof metatype !== 'function' || !metatype.prototype) continue;
      const prototype = metatype.prototype as object;
      for (const method of scanner.getAllMethodNames(prototype)) {
        for (const name of transactionalsOf(prototype, method)) {
          const where = `${metatype.name}.${method}()`;
          if (!known.includes(name)) throw new UnknownPoolError(name, known, where);
          checkTransactions(name, where, registry);
        }
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

function checkTransactions(name: string, where: string, registry: PoolRegistry): void {
  if (registry.find(name)?.hasTransactions !== false) return;
  throw new Error(
    `${where} wants a transaction of "${name}", whose resources have none: its factory has no begin(). pgPool() has one.`,
  );
}

function checkKey(name: string, where: string, given: boolean, registry: PoolRegistry): void {
  const pool = registry.find(name);
  const keyed = pool instanceof KeyedPool;
  if (keyed && !given && !registry.keyRule(name)) {
    throw new Error(
      `${where} borrows from "${name}", a pool by key, and nobody says which key. Give the pool's definition a rule, ` +
        `\`key: request => …\`, or write @Borrow('${name}', { key: request => … }).`,
    );
  }
  // Another one, in a test, may well be a simpler one.
  const isOwn = registry.list().some(own => own === pool);
  if (!keyed && given && isOwn) {
    throw new Error(
      `${where} borrows from "${name}" with a key, but it is no pool by key. Leave the key out, or give the pool a maxTotal.`,
    );
  }
}
