import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import {
  NoBorrowScopeError,
  atPlace,
  resourceIn,
  type BorrowOptions,
  type BorrowScope,
  type KeyRule,
  type Place,
} from '../scope/index.js';
import { scopeOfContext, unknownNest } from '../transports/index.js';
import type { KeyOf, PoolName, ResourceOf, TypedParameterDecorator } from './pools.js';
import { PoolRegistry } from './registry.js';

const BORROWS = Symbol('nestjs-pool.borrows');

/** How a parameter is borrowed; of a keyed pool, for the key that this handler's own rule finds in the request. */
export type BorrowParameterOptions<N extends string = string> = BorrowOptions &
  ([KeyOf<N>] extends [never] ? { readonly key?: never } : Readonly<Partial<KeyRule<KeyOf<N>>>>);

interface Order {
  readonly name: PoolName;
  readonly options: BorrowOptions & Partial<KeyRule>;
}

interface Parameter {
  readonly order: Order;
  /** The handler's own. Its function need not be called so: decorators and minifiers replace and rename functions. */
  readonly key: string | symbol;
}

/**
 * Borrows a resource for a handler's parameter: `find(@Param('id') id: string, @Borrow('orders-db') db: Client)`. It is
 * borrowed when the parameters are resolved, after the guards, and goes back when the request is done with it. Several
 * pools are borrowed one after the other, in the order of their names, so that two handlers never wait for each other.
 *
 * @param options `fresh: true` for a resource that nobody else in the request shares; `timeout` in milliseconds;
 *   `priority`; for a keyed pool `key: request => …`, in place of its definition's
 */
export function Borrow<N extends PoolName>(
  name: N,
  options: BorrowParameterOptions<N> = {},
): TypedParameterDecorator<N, ResourceOf<N>> {
  return ((target: object, key: string | symbol, index: number) => {
    const parameter: Parameter = { order: { name, options }, key };
    Reflect.defineMetadata(BORROWS, [...borrowsOf(target, key), parameter.order], target, key);
    borrowParameter(parameter)(target, key, index);
  }) as TypedParameterDecorator<N, ResourceOf<N>>;
}

/**
 * Gives a handler an `AbortSignal` that is aborted when its work is not wanted any more: the client has left, or a pool
 * has taken away what the request has borrowed. What is borrowed stays the handler's until it has settled.
 */
export function BorrowSignal(): ParameterDecorator {
  return signalParameter();
}

/** What a handler borrows with its parameters. */
export function borrowsOf(target: object, key: string | symbol): readonly Order[] {
  return (Reflect.getMetadata(BORROWS, target, key) as Order[] | undefined) ?? [];
}

const borrowParameter = createParamDecorator(({ order, key }: Parameter, context: ExecutionContext) => {
  const { name } = order;
  const scope = scopeOfContext(context);
  const registry = scope?.host;
  if (!scope || !(registry instanceof PoolRegistry)) {
    throw new NoBorrowScopeError(name, context.getType() === 'http');
  }
  if (!scope.held) throw unknownNest('it resolves the parameters of a handler before it calls it');
  const prototype = context.getClass().prototype as object;
  const earlier = borrowsOf(prototype, key)
    .filter(other => other.name < name && !other.options.fresh)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (earlier.length === 0) return borrow(order, scope, registry);
  return inOrder([...earlier, order], scope, registry);
});

/** Borrows one after the other; the last is the one that was asked for. */
async function inOrder(orders: readonly Order[], scope: BorrowScope, registry: PoolRegistry) {
  let resource: unknown;
  for (const order of orders) resource = await borrow(order, scope, registry);
  return resource;
}

const signalParameter = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const scope = scopeOfContext(context);
  if (!scope) throw new NoBorrowScopeError();
  return scope.signal;
});

function borrow(order: Order, scope: BorrowScope, registry: PoolRegistry): Promise<unknown> {
  return at(order, scope, registry, place => resourceIn(place, order.options));
}

/** Does something where an order says. */
export function at<R>(
  { name, options }: Order,
  scope: BorrowScope,
  registry: PoolRegistry,
  use: (place: Place<unknown>) => Promise<R>,
): Promise<R> {
  const rule = options.key ? (options as KeyRule) : registry.keyRule(name);
  return atPlace(scope, registry.require(name), undefined, rule, use);
}
