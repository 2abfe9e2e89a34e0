import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { NoBorrowScopeError, anyScope, type BorrowOptions } from '../scope/index.js';
import { scopeOfRequest } from '../transports/index.js';
import type { PoolName, ResourceOf, TypedParameterDecorator } from './pools.js';
import { PoolRegistry } from './registry.js';

const BORROWS = Symbol('nestjs-pool.borrows');

interface Order {
  readonly name: PoolName;
  readonly options: BorrowOptions;
}

interface Parameter extends Order {
  /** The handler's own. Its function need not be called so: decorators and minifiers replace and rename functions. */
  readonly key: string | symbol;
}

/**
 * Borrows a resource for a handler's parameter: `find(@Param('id') id: string, @Borrow('orders-db') db: Client)`. It is
 * borrowed when the parameters are resolved, after the guards, and goes back when the request is done with it. Several
 * pools are borrowed one after the other, in the order of their names, so that two handlers never wait for each other.
 *
 * @param options `fresh: true` for a resource that nobody else in the request shares; `timeout` in milliseconds
 */
export function Borrow<N extends PoolName>(
  name: N,
  options: BorrowOptions = {},
): TypedParameterDecorator<N, ResourceOf<N>> {
  return ((target: object, key: string | symbol, index: number) => {
    Reflect.defineMetadata(BORROWS, [...borrowsOf(target, key), { name, options }], target, key);
    borrowParameter({ name, options, key })(target, key, index);
  }) as TypedParameterDecorator<N, ResourceOf<N>>;
}

/** What a handler borrows with its parameters. */
export function borrowsOf(target: object, key: string | symbol): readonly Order[] {
  return (Reflect.getMetadata(BORROWS, target, key) as Order[] | undefined) ?? [];
}

const borrowParameter = createParamDecorator(
  async ({ name, options, key }: Parameter, context: ExecutionContext) => {
    const scope = scopeOfRequest(context.switchToHttp().getRequest()) ?? anyScope();
    const registry = scope?.host;
    if (!scope || !(registry instanceof PoolRegistry)) throw new NoBorrowScopeError(name);
    const prototype = context.getClass().prototype as object;
    const earlier = borrowsOf(prototype, key)
      .filter(order => order.name < name && !order.options.fresh)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const order of earlier) await scope.borrow(registry.require(order.name), order.options);
    return (await scope.borrow(registry.require(name), options)).resource;
  },
);
