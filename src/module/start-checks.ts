import type { ModulesContainer } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import { KeyedPool } from '../engine/index.js';
import { UnknownPoolError } from './errors.js';
import { evaluationOf } from './evaluation.js';
import { borrowsOf, decoratorsOf } from './orders.js';
import type { PoolRegistry } from './registry.js';
import { getPoolToken } from './tokens.js';
import { transactionalsOf } from './transactional.decorator.js';

/**
 * Finds at start-up what would otherwise fail in the first request, or in the first job.
 *
 * @throws TypeError when something that is no pool was put in the place of one
 * @throws UnknownPoolError when a handler borrows from a pool that nobody registered
 * @throws Error when a handler borrows from a keyed pool without a key, or with one from another pool, or wants a
 *   transaction where there is none, when a method borrows with its parameters that nobody calls as a handler, or when a
 *   pool's factory depends on a REQUEST-scoped provider
 */
export function checkApplication(modules: ModulesContainer, registry: PoolRegistry): void {
  const known = registry.knownNames();
  const scanner = new MetadataScanner();
  for (const module of modules.values()) {
    for (const { metatype } of [
      ...module.controllers.values(),
      ...module.providers.values(),
      ...module.injectables.values(),
    ]) {
      if (typeof metatype !== 'function' || !metatype.prototype) continue;
      const prototype = metatype.prototype as object;
      for (const method of scanner.getAllMethodNames(prototype)) {
        const where = `${metatype.name}.${method}()`;
        checkParameters(prototype, method, where, registry, known);
        for (const name of transactionalsOf(prototype, method)) {
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
  for (const name of known) checkLends(name, registry.find(name));
}

/** What a test has put in its place may be anything. */
function checkLends(name: string, pool: unknown): void {
  if (pool === undefined) return;
  if (typeof pool === 'object' && pool && 'acquire' in pool && typeof pool.acquire === 'function') return;
  throw new TypeError(
    `Pool "${name}": what was put in its place, by overrideProvider(getPoolToken('${name}')) as it seems, is no pool. Give ` +
      'it a real one of fakes: useValue(fakePool(() => …)) of nestjs-pool/testing.',
  );
}

function checkParameters(
  prototype: object,
  method: string,
  where: string,
  registry: PoolRegistry,
  known: readonly string[],
): void {
  const orders = borrowsOf(prototype, method);
  for (const { name } of orders) if (!known.includes(name)) throw new UnknownPoolError(name, known, where);
  checkEvaluation(prototype, method, where);
  for (const { name, options } of orders) {
    checkKey(name, where, options.key !== undefined, registry);
    if (options.transaction !== undefined) checkTransactions(name, where, registry);
  }
}

/** Where nobody evaluates them, the parameters would be undefined, or something else that the caller passes. */
function checkEvaluation(prototype: object, method: string, where: string): void {
  let owner = prototype;
  while (!Object.hasOwn(owner, method)) owner = Object.getPrototypeOf(owner) as object;
  // Who overrides a handler and leaves its decorators out is called by code that passes the parameters.
  const [decorator] = decoratorsOf(owner, method);
  if (decorator === undefined || evaluationOf(prototype, method) !== 'nobody') return;
  const [pool = '…'] = borrowsOf(owner, method).map(({ name }) => name);
  throw new Error(
    `${where} has ${decorator} on a parameter, which nobody evaluates: only a handler of Nest is called with its parameters ` +
      'resolved (a route, a message, a resolver), and this is a job, a listener, or a method that is called as it is. Put ' +
      `@UseBorrowScope() on the method, inject \`@InjectBorrowed('${pool}') db: Borrowed<…>\` into its class, and write ` +
      (decorator.startsWith('@Borrow(')
        ? '`await this.db.get()` in it.'
        : '`(await this.db.lease()).signal` in it.'),
  );
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
