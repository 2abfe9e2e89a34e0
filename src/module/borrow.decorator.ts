import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { TransactionOptions } from '../engine/index.js';
import {
  NoBorrowScopeError,
  resourceIn,
  type BorrowOptions,
  type BorrowScope,
  type KeyRule,
} from '../scope/index.js';
import { pastPipes, scopeOfContext, unknownNest } from '../transports/index.js';
import { at, borrowsOf, earlierThan, order, orderSignal, type Order } from './orders.js';
import type { KeyOf, PoolName, ResourceOf, TypedParameterDecorator } from './pools.js';
import { PoolRegistry } from './registry.js';
import { checkTransaction } from './transaction-options.js';

/** How a parameter is borrowed; of a keyed pool, for the key that this handler's own rule finds in the request. */
export type BorrowParameterOptions<N extends string = string> = BorrowOptions & {
  /**
   * In a transaction that everybody in the request takes part in who borrows from this pool, begun before the parameters
   * are resolved. When the handler and all interceptors around it have succeeded it is committed, before anything is sent,
   * and a failed commit is an error response; otherwise it is rolled back. Where a stream is sent, with SSE and with
   * `@Res()`, it ends with the scope.
   */
  readonly transaction?: true | TransactionOptions | undefined;
} & ([KeyOf<N>] extends [never] ? { readonly key?: never } : Readonly<Partial<KeyRule<KeyOf<N>>>>);

interface Parameter {
  readonly order: Order;
  /** The handler's own. Its function need not be called so: decorators and minifiers replace and rename functions. */
  readonly key: string | symbol;
}

/**
 * Borrows a resource for a handler's parameter: `find(@Param('id') id: string, @Borrow('orders-db') db: Client)`. It is
 * borrowed when the parameters are resolved, after the guards, and goes back when the request is done with it. Several
 * pools are borrowed one after the other, in the order of their names, so that two handlers never wait for each other. No
 * pipe is shown it, whatever global ones there are.
 *
 * @param options `fresh: true` for a resource that nobody else in the request shares; `timeout` in milliseconds;
 *   `priority`; `transaction: true`, or how; for a keyed pool `key: request => …`, in place of its definition's
 * @throws TypeError for a transaction that there is not
 */
export function Borrow<N extends PoolName>(
  name: N,
  options: BorrowParameterOptions<N> = {},
): TypedParameterDecorator<N, ResourceOf<N>> {
  checkTransaction(`@Borrow('${name}')`, options);
  return ((target: object, key: string | symbol, index: number) => {
    const parameter: Parameter = pastPipes({ order: { name, options }, key });
    order(target, key, parameter.order);
    borrowParameter(parameter)(target, key, index);
  }) as TypedParameterDecorator<N, ResourceOf<N>>;
}

/**
 * Gives a handler an `AbortSignal` that is aborted when its work is not wanted any more: the client has left, or has
 * given up at the deadline of its request, or a pool has taken away what the request has borrowed. What is borrowed stays the handler's until it has settled.
 */
export function BorrowSignal(): ParameterDecorator {
  return (target, key, index) => {
    // On a parameter of a constructor there is no method, and Nest says so.
    if (key !== undefined) orderSignal(target, key);
    signalParameter(SIGNAL)(target, key, index);
  };
}

const borrowParameter = createParamDecorator(({ order: one, key }: Parameter, context: ExecutionContext) => {
  const { name } = one;
  const scope = scopeOfContext(context);
  const registry = scope?.host;
  if (!scope || !(registry instanceof PoolRegistry)) {
    throw new NoBorrowScopeError(name, context.getType() === 'http');
  }
  if (!scope.held) throw unknownNest('it resolves the parameters of a handler before it calls it');
  const earlier = earlierThan(name, borrowsOf(context.getClass().prototype as object, key));
  return earlier.length === 0 ? borrow(one, scope, registry) : inTurn([...earlier, one], scope, registry);
});

/** Borrows one after the other; the last is the one that was asked for. */
async function inTurn(orders: readonly Order[], scope: BorrowScope, registry: PoolRegistry) {
  let resource: unknown;
  for (const one of orders) resource = await borrow(one, scope, registry);
  return resource;
}

const SIGNAL = pastPipes({});

const signalParameter = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const scope = scopeOfContext(context);
  if (!scope) throw new NoBorrowScopeError();
  return scope.signal;
});

function borrow(one: Order, scope: BorrowScope, registry: PoolRegistry): Promise<unknown> {
  return at(one, scope, registry, place => resourceIn(place, one.options));
}
