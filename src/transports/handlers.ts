import { isObservable, type Observable } from 'rxjs';
import type { BorrowScope } from '../scope/index.js';
import { holdWhileStreaming, isStreamed } from './bodies.js';
import { holdGenerator } from './graphql/generators.js';
import type { HttpScope } from './http.js';
import { holdWhileSubscribed, type Audience } from './subscription.js';
import type { EndUnread } from './watch.js';

/** What Nest keeps about a handler; the names are the same in NestJS 11 and 12. */
const SSE = '__sse__';
const ROUTE_ARGUMENTS = '__routeArguments__';
const PASSTHROUGH = '__responsePassthrough__';
/** The kinds of route arguments that make a handler answer by itself: `@Res()` and `@Next()`. */
const ANSWERING = ['1', '2'];

/** What has to be known of a handler to know when it is done. */
export interface HandlerFacts {
  /** It answers by itself, with `@Res()` or `@Next()`. */
  readonly byHand: boolean;
  /** Its subscription may never complete by itself. */
  readonly endless: boolean;
}

const known = new WeakMap<object, HandlerFacts>();

export function factsOf(handler: object, instance: object): HandlerFacts {
  let facts = known.get(handler);
  if (!facts) {
    const key = nameOf(handler, instance);
    const byHand = key !== undefined && answersByHand(instance.constructor, key);
    facts = { byHand, endless: Reflect.hasMetadata(SSE, handler) };
    known.set(handler, facts);
  }
  return facts;
}

/** By which name its class has a handler. Its function need not be called so: decorators and minifiers rename functions. */
export function nameOf(handler: object, instance: object): string | symbol | undefined {
  for (
    let owner: object | null = instance;
    owner && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner) as object | null
  ) {
    for (const key of Reflect.ownKeys(owner)) {
      if (Reflect.getOwnPropertyDescriptor(owner, key)?.value === handler) return key;
    }
  }
  // An agent that traces the application has put a function of its own around it.
  const { name } = handler as { name?: unknown };
  return typeof name === 'string' && name in instance ? name : undefined;
}

function answersByHand(controller: object, key: string | symbol): boolean {
  if (Reflect.getMetadata(PASSTHROUGH, controller, key) === true) return false;
  const routeArguments = (Reflect.getMetadata(ROUTE_ARGUMENTS, controller, key) ?? {}) as object;
  return Object.keys(routeArguments).some(argument => ANSWERING.includes(argument.split(':')[0] ?? ''));
}

/**
 * Runs a handler and holds the scope until it has settled, and until what it returned is over. Every request comes here,
 * also one that borrows nothing, so there is no closure that is not needed then.
 *
 * @param handler resolves the parameters and calls the handler; asynchronous, as Nest makes it
 * @param facts of a handler that answers an HTTP request; what a resolver of GraphQL returns is only a part of an answer
 * @param intercepted are there interceptors that get what it returns?
 * @param audience of what it emits, where that is a message's answer
 */
export function runHeld(
  scope: BorrowScope,
  handler: () => Promise<unknown>,
  facts: HandlerFacts | undefined,
  intercepted: boolean,
  audience?: Audience,
): Promise<unknown> {
  scope.enter();
  // Held by now: where the client has left, an answer by hand would end the scope here.
  if (facts) (scope as HttpScope).answers(facts.byHand ? 'by hand' : 'value');
  return handler().then(
    value => settled(scope, value, facts, intercepted, audience),
    (error: unknown) => failed(scope, error),
  );
}

function settled(
  scope: BorrowScope,
  value: unknown,
  facts: HandlerFacts | undefined,
  intercepted: boolean,
  audience: Audience | undefined,
): unknown {
  try {
    if (typeof value !== 'object' || value === null) return value;
    // First the hold on the result, then the handler's own: the scope must not end between the two.
    if (!facts)
      return isObservable(value)
        ? holdWhileSubscribed(scope, value, { audience })
        : holdGenerator(scope, value);
    const http = scope as HttpScope;
    holdBody(http, value);
    return isObservable(value) ? watchEmissions(http, value, facts.endless, intercepted) : value;
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
  scope: HttpScope,
  source: Observable<unknown>,
  endless: boolean,
  intercepted: boolean,
): Observable<unknown> {
  if (endless) return holdWhileSubscribed(scope, source, { endless, audience: scope });
  let emitted = false;
  const watched = holdWhileSubscribed(scope, source, {
    emitted: value => {
      emitted = true;
      holdBody(scope, value);
    },
    ended: how => {
      scope.observed(how, intercepted, emitted);
    },
  });
  scope.answers('observable');
  return watched;
}

/** Holds the scope until a body that is streamed is over, whoever made it. */
export function holdBody(scope: HttpScope, value: unknown): void {
  if (!isStreamed(value) || scope.knows(value)) return;
  let endUnread: EndUnread | undefined;
  try {
    endUnread = holdWhileStreaming(scope, value, scope);
  } catch {
    // One that is frozen, say. It is sent all the same, and nobody can tell when it ends.
    scope.doubt();
    return;
  }
  if (endUnread) scope.streams(endUnread);
}
