import type { TransactionOptions } from '../engine/index.js';
import {
  atPlace,
  type AnyPool,
  type BorrowOptions,
  type BorrowScope,
  type KeyRule,
  type Place,
  type TransactionPlan,
} from '../scope/index.js';
import { nameOf } from '../transports/index.js';

const BORROWS = Symbol('nestjs-pool.borrows');
const SIGNALS = Symbol('nestjs-pool.signals');

/** What a parameter of a handler borrows. */
export interface Order {
  readonly name: string;
  readonly options: BorrowOptions &
    Partial<KeyRule> & { readonly transaction?: true | TransactionOptions | undefined };
}

/** Where orders are carried out: the registry. */
export interface Counter {
  require(name: string): AnyPool<unknown>;
  keyRule(name: string): KeyRule | undefined;
}

/** Does anybody ask for transactions at all? */
let anyTransaction = false;

/** Notes what a parameter borrows. */
export function order(target: object, key: string | symbol, one: Order): void {
  anyTransaction ||= one.options.transaction !== undefined;
  Reflect.defineMetadata(BORROWS, [...borrowsOf(target, key), one], target, key);
}

/** What a handler borrows with its parameters. */
export function borrowsOf(target: object, key: string | symbol): readonly Order[] {
  return (Reflect.getMetadata(BORROWS, target, key) as Order[] | undefined) ?? [];
}

/** Notes that a parameter is the signal of the scope. */
export function orderSignal(target: object, key: string | symbol): void {
  Reflect.defineMetadata(SIGNALS, true, target, key);
}

/** Which decorators stand on the parameters of a method, where a class itself has it and no class that it extends. */
export function decoratorsOf(target: object, key: string): readonly string[] {
  const borrows = (Reflect.getOwnMetadata(BORROWS, target, key) as Order[] | undefined) ?? [];
  const signal = Reflect.hasOwnMetadata(SIGNALS, target, key) ? ['@BorrowSignal()'] : [];
  return [...borrows.map(({ name }) => `@Borrow('${name}')`), ...signal];
}

/** What is to be had before this, so that two handlers never wait for each other. */
export function earlierThan(name: string, orders: readonly Order[]): readonly Order[] {
  return inOrder(orders.filter(other => other.name < name && !other.options.fresh));
}

function inOrder(orders: readonly Order[]): readonly Order[] {
  return [...orders].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Does something where an order says. */
export function at<R>(
  { name, options }: Order,
  scope: BorrowScope,
  counter: Counter,
  use: (place: Place<unknown>) => Promise<R>,
): Promise<R> {
  const rule = options.key ? (options as KeyRule) : counter.keyRule(name);
  return atPlace(scope, counter.require(name), undefined, rule, use);
}

/** Begins the transactions of handlers, of those that want any. */
export class TransactionPlans {
  private readonly known = new WeakMap<object, TransactionPlan | 'none'>();

  constructor(private readonly counter: Counter) {}

  of(handler: object, instance: object): TransactionPlan | undefined {
    if (!anyTransaction) return undefined;
    let plan = this.known.get(handler);
    if (!plan) this.known.set(handler, (plan = makePlan(handler, instance, this.counter)));
    return plan === 'none' ? undefined : plan;
  }
}

function makePlan(handler: object, instance: object, counter: Counter): TransactionPlan | 'none' {
  const key = nameOf(handler, instance);
  const orders = key === undefined ? [] : borrowsOf(instance, key);
  if (orders.every(({ options }) => options.transaction === undefined)) return 'none';
  // Everything that is shared, as these are not to be the first to be borrowed when their names are not.
  const shared = inOrder(orders.filter(({ options }) => !options.fresh));
  return async (scope, joined) => {
    for (const one of shared) {
      const { transaction } = one.options;
      await at(one, scope, counter, async ({ pool, key: known }) => {
        if (transaction === undefined) await scope.borrow(pool, one.options, known);
        else await scope.join(pool, one.options, known, transaction === true ? {} : transaction, joined);
      });
    }
  };
}
