import { Observable, Subject, defer, isObservable } from 'rxjs';
import { BorrowScope, BorrowScopeEndedError, callInScope } from '../scope/index.js';
import { holdUntil, isStreamed } from '../transports/index.js';
import { holdWhileSubscribed } from '../transports/subscription.js';
import { putAround, registryOf } from './around-method.js';
import { holdFor } from './forgotten.js';

/** In which scope a method runs. */
export interface UseBorrowScopeOptions {
  /**
   * In a scope of its own, also where one is running: for work that a request begins and that may outlive it. Default
   * false.
   */
  readonly own?: boolean | undefined;
}

type AnyMethod = (...parameters: never[]) => unknown;

/**
 * Runs a method of a provider or controller in a borrow scope, as `scopes.run` does with work: for jobs, listeners of events,
 * and consumers of queues, which no request has begun. Inside a scope that is running already it joins that one.
 *
 * What it has borrowed goes back when the method has returned; where that is a promise, when it has settled; an `Observable`,
 * when a subscription to it has ended; a stream or an async iterable, when that is over. What the method returns stays of
 * its kind: a value is returned at once. Only of a thenable that is no promise, as a query builder is, there comes a promise.
 *
 * It stands above or below other decorators alike, and once on a method is enough for all that the method calls.
 *
 * @throws TypeError for an option that is wrong, when it stands on what is no method, and on a generator that is not async
 */
export function UseBorrowScope(
  options: UseBorrowScopeOptions = {},
): <M extends AnyMethod>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  const { own } = options;
  if (own !== undefined && typeof own !== 'boolean') {
    throw new TypeError(`${WHERE}: own must be true or false.`);
  }
  return (target, key, descriptor) => {
    putAround(WHERE, target, descriptor, method => {
      // What it does, it does for whoever asks for its values, and that is no longer in here.
      if (Object.prototype.toString.call(method) === '[object GeneratorFunction]') {
        throw new TypeError(
          `${WHERE}: ${String(key)}() is a generator. An async generator can be held to its end.`,
        );
      }
      return function (...parameters) {
        const registry = registryOf(WHERE, this, key);
        return callInScope(
          registry,
          { own },
          () => method.apply(this, parameters),
          whileItGoesOn(String(key)),
        );
      };
    });
  };
}

const WHERE = '@UseBorrowScope()';

/** What goes on when a method has returned holds the scope for as long. */
const whileItGoesOn =
  (method: string) =>
  (scope: BorrowScope, value: unknown, isOwn: boolean): unknown => {
    const why = `${WHERE}: ${method}() has borrowed, and nobody has read what it returned.`;
    if (isObservable(value)) return heldWhileSubscribed(scope, value, isOwn, why);
    if (!isStreamed(value)) return value;
    return holdUntil(scope, value, () => holdFor(value, scope, why));
  };

function heldWhileSubscribed(
  scope: BorrowScope,
  source: Observable<unknown>,
  isOwn: boolean,
  why: string,
): Observable<unknown> {
  // What is emitted there is emitted by others, and they may be doing so for long.
  if (source instanceof Subject) return source;
  // Nothing has begun before somebody subscribes, and each who does begins something of his own.
  if (isOwn && scope.unused) {
    return defer(() => holdWhileSubscribed(new BorrowScope(scope.host), source, {}));
  }
  let drop: (() => void) | undefined;
  const held = new Observable(subscriber => {
    if (scope.ended) throw new BorrowScopeEndedError();
    const subscription = holdWhileSubscribed(scope, source, {}).subscribe(subscriber);
    drop?.();
    return subscription;
  });
  // Whoever has begun a scope that others join holds it himself.
  if (isOwn) drop = holdFor(held, scope, why);
  return held;
}
