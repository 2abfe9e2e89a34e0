import { isObservable } from 'rxjs';
import { PROPAGATIONS, atPlace, runInScope, transact, type TransactOptions } from '../scope/index.js';
import { isStreamed } from '../transports/index.js';
import { putAround, registryOf } from './around-method.js';
import type { KeyOf, PoolName } from './pools.js';
import { checkHow } from './transaction-options.js';

const TRANSACTIONALS = Symbol('nestjs-pool.transactionals');

/** How a method runs in a transaction. */
export type TransactionalOptions<N extends string = string> = TransactOptions & {
  /** Of a keyed pool: the key, found in what the method is called with, in place of the one that its rule finds in the request. */
  readonly key?: ((...parameters: never[]) => KeyOf<N>) | undefined;
};

type AsyncMethod = (...parameters: never[]) => PromiseLike<unknown>;

/**
 * Runs a method of a provider or controller in a transaction: commits when it resolves, rolls back when it rejects. Inside,
 * `Borrowed.get()` gives the transaction's own connection, and so do ORMs on a pool of `@InjectPgPool`. Others in the same
 * request who are not called from there take no part in it. Outside of requests, the method gets a borrow scope of its own.
 *
 * @param options `propagation`, by default `REQUIRED`; `isolation`, `readOnly`, `deferrable`; `retry` for serialization
 *   failures and deadlocks; `timeout` in milliseconds and `priority` of the borrow
 * @throws TypeError for an option that is wrong, or when it stands on what is no method
 */
export function Transactional<N extends PoolName>(
  name: N,
  options: TransactionalOptions<N> = {},
): <M extends AsyncMethod>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  const where = `@Transactional('${name}')`;
  checkOptions(where, options);
  const { key: keyOf, ...how } = options;
  return (target, key, descriptor) => {
    putAround(
      where,
      target,
      descriptor,
      method =>
        async function (...parameters) {
          const registry = registryOf(where, this, key);
          const given = (keyOf as ((...parameters: unknown[]) => unknown) | undefined)?.(...parameters);
          return runInScope(registry, {}, scope =>
            atPlace(scope, registry.require(name), given, registry.keyRule(name), place =>
              transact(place, how, async () => whole(where, await method.apply(this, parameters))),
            ),
          );
        },
    );
    Reflect.defineMetadata(TRANSACTIONALS, [...transactionalsOf(target, key), name], target, key);
  };
}

/** The pools that a method wants transactions of. */
export function transactionalsOf(target: object, key: string | symbol): readonly string[] {
  return (Reflect.getMetadata(TRANSACTIONALS, target, key) as string[] | undefined) ?? [];
}

/** What goes on when the method has returned would go on without its transaction. */
function whole<V>(where: string, value: V): V {
  if (!isObservable(value) && !isStreamed(value)) return value;
  throw new TypeError(
    `${where}: the method has returned ${isObservable(value) ? 'an Observable' : 'a stream'}, which would outlive its ` +
      'transaction. Await its end (`lastValueFrom`), or use @Borrow with a transaction.',
  );
}

function checkOptions(where: string, options: TransactionalOptions): void {
  checkHow(where, options);
  const { propagation, retry, key } = options;
  if (propagation !== undefined && !PROPAGATIONS.includes(propagation)) {
    throw new TypeError(`${where}: propagation must be one of ${PROPAGATIONS.join(', ')}.`);
  }
  if (key !== undefined && typeof key !== 'function') {
    throw new TypeError(`${where}: key must be a function of the method's parameters.`);
  }
  if (retry === undefined) return;
  const { attempts, delay = 0, maxDelay = 0 } = retry;
  if (!Number.isInteger(attempts) || attempts < 1 || !(delay >= 0) || !(maxDelay >= 0)) {
    throw new TypeError(
      `${where}: retry must be { attempts, delay?, maxDelay?, when? }: a whole number ≥ 1, and milliseconds.`,
    );
  }
}
