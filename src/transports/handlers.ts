import { isObservable, type Observable } from 'rxjs';
import { anyScope, type BorrowScope } from '../scope/index.js';
import { holdWhileStreaming } from './bodies.js';
import { HttpScope } from './http.js';
import { holdWhileSubscribed } from './subscription.js';

/** What Nest keeps about a handler; the names are the same in NestJS 11 and 12. */
const PATH = 'path';
const SSE = '__sse__';
const ROUTE_ARGUMENTS = '__routeArguments__';
const PASSTHROUGH = '__responsePassthrough__';
/** The kinds of route arguments that make a handler answer by itself: `@Res()` and `@Next()`. */
const ANSWERING = ['1', '2'];

const wrapped = new WeakSet();

/**
 * Wraps every HTTP handler of a controller class, so that its scope knows when the handler has really settled: an
 * interceptor cannot know, as unsubscribing does not stop a running handler, and a handler that borrows nothing itself
 * may reach a `Borrowed` through its services. Prototypes belong to the process, so each handler is wrapped once, and
 * finds its application through the scope it runs in.
 */
export function wrapHandlers(controller: abstract new (...args: never[]) => unknown): void {
  for (
    let prototype = controller.prototype as object | null;
    prototype && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    for (const key of Reflect.ownKeys(prototype)) {
      const descriptor = Reflect.getOwnPropertyDescriptor(prototype, key);
      const handler: unknown = descriptor?.value;
      if (typeof handler !== 'function' || wrapped.has(handler) || !Reflect.hasMetadata(PATH, handler))
        continue;
      if (key === 'constructor') continue;
      const tracked = track(
        handler as Handler,
        answersByHand(prototype.constructor, key),
        Reflect.hasMetadata(SSE, handler),
      );
      wrapped.add(tracked);
      Object.defineProperty(prototype, key, { ...descriptor, value: tracked });
    }
  }
}

type Handler = (this: unknown, ...args: unknown[]) => unknown;

function track(handler: Handler, byHand: boolean, endless: boolean): Handler {
  const answer = byHand ? 'by hand' : 'value';
  const tracked: Handler = function (...args) {
    const scope = anyScope();
    return scope ? runHeld(scope, handler, this, args, endless, answer) : handler.apply(this, args);
  };
  Object.defineProperty(tracked, 'name', { value: handler.name, configurable: true });
  Object.defineProperty(tracked, 'length', { value: handler.length, configurable: true });
  for (const key of Reflect.getMetadataKeys(handler) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), tracked);
  }
  return tracked;
}

/**
 * Runs a handler and holds the scope until it has settled, and until what it returned is over. Every request comes here,
 * also one that borrows nothing, so there is no closure that is not needed then.
 */
function runHeld(
  scope: BorrowScope,
  handler: Handler,
  controller: unknown,
  args: unknown[],
  endless: boolean,
  answer: 'by hand' | 'value',
): unknown {
  scope.enter();
  let result: unknown;
  try {
    // Held by now: where the client has left, an answer by hand would end the scope here.
    if (scope instanceof HttpScope) scope.answers(answer);
    result = handler.apply(controller, args);
  } catch (error) {
    return failed(scope, error);
  }
  if (!isThenable(result)) return settled(scope, result, endless);
  // Thenables of users may call back more than once; a promise does not.
  const promise = result instanceof Promise ? (result as Promise<unknown>) : Promise.resolve(result);
  return promise.then(
    value => settled(scope, value, endless),
    (error: unknown) => failed(scope, error),
  );
}

function settled(scope: BorrowScope, value: unknown, endless: boolean): unknown {
  try {
    if (typeof value !== 'object' || value === null) return value;
    // First the hold on the result, then the handler's own: the scope must not end between the two.
    holdBody(scope, value);
    return isObservable(value) ? watchEmissions(scope, value, endless) : value;
  } finally {
    scope.leave();
  }
}

function failed(scope: BorrowScope, error: unknown): never {
  scope.fail(error);
  scope.leave();
  throw error;
}

/** The last value of an Observable is the answer: it may be a stream, as what a handler returns itself. */
function watchEmissions(
  scope: BorrowScope,
  source: Observable<unknown>,
  endless: boolean,
): Observable<unknown> {
  const http = scope instanceof HttpScope ? scope : undefined;
  if (endless || !http) return holdWhileSubscribed(scope, source, { endless, audience: http });
  const watched = holdWhileSubscribed(scope, source, {
    emitted: value => {
      holdBody(scope, value);
    },
    ended: how => {
      http.observed(how);
    },
  });
  http.answers('observable');
  return watched;
}

function holdBody(scope: BorrowScope, value: unknown): void {
  const http = scope instanceof HttpScope ? scope : undefined;
  const endUnread = holdWhileStreaming(scope, value, http);
  if (endUnread) http?.streams(endUnread);
}

function answersByHand(controller: object, key: string | symbol): boolean {
  if (Reflect.getMetadata(PASSTHROUGH, controller, key) === true) return false;
  const routeArguments = (Reflect.getMetadata(ROUTE_ARGUMENTS, controller, key) ?? {}) as object;
  return Object.keys(routeArguments).some(argument => ANSWERING.includes(argument.split(':')[0] ?? ''));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
