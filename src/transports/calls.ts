import type { CanActivate, NestInterceptor } from '@nestjs/common';
import type { ExternalContextCreator } from '@nestjs/core';
import { isObservable, tap } from 'rxjs';
import { BorrowScope, anyScope, attach, inScope } from '../scope/index.js';
import { scopeOfCall, scopeOfError } from './executions.js';
import { factsOf, holdBody, runHeld } from './handlers.js';
import { filterOf, isOfPools, type Filter, type Presentation } from './hosts.js';
import { HttpScope } from './http.js';
import { MessageScope, enterMessage } from './messages/message-scope.js';
import { heldUntilSettled, watchedInterceptor } from './interceptors.js';
import { goesPastPipes } from './past-pipes.js';
import { TransactedCall } from './transacted-call.js';

// What all context creators of NestJS 11 and 12 call guards, interceptors and handlers through, whatever the transport. They
// are classes of @nestjs/core that belong to the process, and say with each call what it is about. So nothing of the
// application is replaced: a handler keeps its identity, its properties and its metadata.

interface InterceptorsConsumer {
  intercept(
    interceptors: readonly NestInterceptor[] | undefined,
    args: unknown[],
    instance: object,
    handler: object,
    next: () => Promise<unknown>,
    type?: string,
  ): Promise<unknown>;
}

interface GuardsConsumer {
  tryActivate(
    guards: readonly CanActivate[],
    args: unknown[],
    instance: object,
    handler: object,
    type?: string,
  ): Promise<boolean>;
}

interface PipesConsumer {
  apply(value: unknown, metadata: unknown, pipes: readonly unknown[]): Promise<unknown>;
}

interface Filters {
  createContext(instance: object, ...args: unknown[]): readonly Filter[];
  createConcreteContext(...args: unknown[]): readonly Filter[];
}

/** What {@link watchCalls} needs of Nest's `ExternalContextCreator`, which does not tell it in its types. */
interface Consumers {
  readonly interceptorsConsumer?: InterceptorsConsumer;
  readonly guardsConsumer?: GuardsConsumer;
  readonly filtersContextCreator?: Filters;
  readonly pipesConsumer?: PipesConsumer;
}

const watched = new WeakSet();

/**
 * Sees every call that Nest makes of a guard, an interceptor, a handler or an exception filter: runs it in the scope it
 * belongs to, and holds that scope until it has really settled. An interceptor cannot know of a handler, as unsubscribing
 * does not stop one that is running; and a handler that borrows nothing itself may reach a `Borrowed` through its services.
 *
 * @param present makes of an error what a filter of the application is told
 * @throws Error when this version of NestJS has no such thing
 */
export function watchCalls(creator: ExternalContextCreator, present: Presentation): void {
  const { interceptorsConsumer, guardsConsumer, pipesConsumer, filtersContextCreator } =
    creator as unknown as Consumers;
  watch(interceptorsConsumer, 'intercept', watchHandlers);
  watch(guardsConsumer, 'tryActivate', watchGuards);
  watch(pipesConsumer, 'apply', watchPipes);
  watch(filtersContextCreator, 'createConcreteContext', prototype => watchFilters(prototype, present));
}

/** Watches a method where the process has it: on the prototype. */
function watch<M extends string, T extends Record<M, unknown>>(
  consumer: T | undefined,
  method: M,
  watchOn: (prototype: T) => void,
): void {
  let prototype = consumer;
  while (prototype && !Object.hasOwn(prototype, method)) prototype = Object.getPrototypeOf(prototype) as T;
  if (typeof prototype?.[method] !== 'function') throw unknownNest(`its ${method}() is not where it was`);
  if (watched.has(prototype)) return;
  watched.add(prototype);
  watchOn(prototype);
}

/**
 * Filters get ready for being called: over HTTP, Nest does not wait for their promises. The one that answers the errors of pools
 * is the last to be asked, though Nest would go by the order of modules, and asks it also where it shows a handler no global
 * filters (gateways, hybrid applications).
 */
function watchFilters(prototype: Filters, present: Presentation): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with their own `this` below
  const { createContext, createConcreteContext } = prototype;
  prototype.createContext = function (instance, ...args) {
    const filters = createContext.call(this, instance, ...args);
    const others = filters.filter(filter => !isOfPools(filter));
    const own = filterOf(instance);
    const last = filters.find(isOfPools) ?? (own && watchedFilter(own, present));
    // Nest asks them from the end.
    return last ? [last, ...others] : filters;
  };
  prototype.createConcreteContext = function (...args) {
    return createConcreteContext.apply(this, args).map(filter => watchedFilter(filter, present));
  };
}

/**
 * All parameters are resolved at the same time: when one is refused, others may still be at work. Those that are given what is
 * borrowed are shown to no pipe.
 */
function watchPipes(prototype: PipesConsumer): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const { apply } = prototype;
  prototype.apply = function (value, metadata, pipes) {
    // It is not told for which call; but whoever calls it is in the scope of that.
    const scope = anyScope();
    const piped = apply.call(this, value, metadata, goesPastPipes(metadata) ? [] : pipes);
    // No hold: one that only queues for a resource leaves the queue when the request has been answered.
    return scope && !scope.ended ? piped.finally(scope.doubt()) : piped;
  };
}

function watchHandlers(prototype: InterceptorsConsumer): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const { intercept } = prototype;
  prototype.intercept = function (interceptors, args, instance, handler, next, type = 'http') {
    const scope = scopeOfCall(type, args) ?? enterMessage(type, args, instance, handler);
    if (!scope) return intercept.call(this, interceptors, args, instance, handler, next, type);
    const message = scope instanceof MessageScope ? scope : undefined;
    const http = type === 'http' && scope instanceof HttpScope ? scope : undefined;
    http?.layers.reach();
    const facts = http ? factsOf(handler, instance) : undefined;
    const intercepted = interceptors !== undefined && interceptors.length > 0;
    const around = intercepted ? interceptors.map(watchedInterceptor) : interceptors;
    // As a rule it runs there already.
    const here = <R>(work: () => R): R => (anyScope() === scope ? work() : inScope(scope, work));
    const call = (handle: () => Promise<unknown>): Promise<unknown> => {
      const held = (): Promise<unknown> =>
        here(() => runHeld(scope, handle, facts, intercepted, message?.audience.ofHandler));
      const result = here(() => intercept.call(this, around, args, instance, handler, held, type));
      return intercepted && http && facts?.endless !== true
        ? result.then(answer => watchAnswer(http, answer))
        : result;
    };
    const plan = scope.host.transactionsOf?.(handler, instance);
    // Every request comes here: no closure that is not needed.
    if (!plan && !message) return call(next);
    const unseen = message ? message.answersByHand : facts !== undefined && (facts.byHand || facts.endless);
    const answer = plan
      ? (): Promise<unknown> => new TransactedCall(scope, plan, unseen).run(call, next)
      : (): Promise<unknown> => call(next);
    return message ? message.concludes(answer) : here(answer);
  };
}

/** What interceptors hand back is sent: it may be a stream that one of them has made. */
function watchAnswer(scope: HttpScope, answer: unknown): unknown {
  if (!isObservable(answer)) return answer;
  return answer.pipe(
    tap(value => {
      holdBody(scope, value);
    }),
  );
}

function watchGuards(prototype: GuardsConsumer): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
  const { tryActivate } = prototype;
  prototype.tryActivate = function (guards, args, instance, handler, type = 'http') {
    const scope = scopeOfCall(type, args) ?? enterMessage(type, args, instance, handler);
    if (!scope) return tryActivate.call(this, guards, args, instance, handler, type);
    if (type === 'http' && scope instanceof HttpScope) scope.layers.reach();
    const activate = (): Promise<boolean> => tryActivate.call(this, guards, args, instance, handler, type);
    return scope instanceof MessageScope ? scope.guarded(activate) : heldUntilSettled(scope, activate);
  };
}

function watchedFilter(filter: Filter, present: Presentation): Filter {
  return {
    ...filter,
    func: (error, host) => {
      const scope = scopeOfError(error, host);
      if (scope instanceof HttpScope) scope.filters();
      const answer = (): unknown => filter.func(present(error, filter, host), host);
      if (!scope) return answer();
      if (!(scope instanceof MessageScope)) return heldUntilSettled(scope, answer);
      return heldUntilSettled(scope, () => {
        const answered = answer();
        return answered instanceof Promise
          ? answered.then((value: unknown) => scope.follow(value))
          : scope.follow(answered);
      });
    },
  };
}

/**
 * Has Nest call a handler of ours, and looks whether it was seen.
 *
 * @throws Error when Nest calls handlers in another way than the one that is watched
 */
export async function probeCalls(creator: ExternalContextCreator): Promise<void> {
  const scope = new BorrowScope({ stopping: new AbortController().signal });
  const request = {};
  attach(request, scope);
  const probe = new (class {
    handle(): boolean {
      return anyScope() === scope && scope.held;
    }
  })();
  // eslint-disable-next-line @typescript-eslint/unbound-method -- as Nest takes it
  const { handle } = probe;
  // None of the application's guards, interceptors and filters has anything to do with it.
  const options = { guards: false, interceptors: false, filters: false };
  const call = creator.create(probe, handle, 'handle', '', undefined, undefined, undefined, options);
  const seen: unknown = await call(request);
  if (seen !== true) throw unknownNest('it calls handlers in another way than it did');
}

/** It must not go unnoticed: without holds, resources would be given back too early. */
export function unknownNest(what: string): Error {
  return new Error(
    `nestjs-pool does not know this version of NestJS: ${what}. It could not tell when a handler is done with what it has ` +
      'borrowed. Use NestJS 11 or 12, or a version of nestjs-pool that knows yours.',
  );
}
