import { anyScope, type BorrowScope, type ScopeHost } from '../../scope/index.js';
import { HttpScope } from '../http.js';
import { scopeAmong, scopeOfRequest } from '../requests.js';
import { ByContext, contextAndInfo, type ResolveInfo } from './info.js';
import { beginOperation } from './operations.js';
import { GraphqlScope } from './scope.js';

interface Execution {
  readonly scope: GraphqlScope;
  /** Of an event: what was emitted. */
  readonly payload?: unknown;
}

/** What does not belong to an HTTP request, by the fragments and the context value of its execution. */
const executions = new ByContext<Execution>();

/** From now on the resolvers of an execution run in a scope. */
export function execute(context: unknown, info: ResolveInfo, execution: Execution): void {
  executions.set(info.fragments, context, execution);
}

/** The scope of a resolver's call, by the arguments that it is called with. */
export function scopeOfResolver(args: readonly unknown[]): BorrowScope | undefined {
  const { context, info } = contextAndInfo(args);
  return scopeOf(context, info);
}

/** As {@link scopeOfResolver}; begins that of an operation that has come over a WebSocket. */
export function scopeToResolveIn(
  host: ScopeHost,
  context: unknown,
  info: ResolveInfo,
): BorrowScope | undefined {
  const known = scopeOf(context, info);
  if (known || info.operation.operation === 'subscription') return known;
  const scope = beginOperation(host, context, info);
  if (scope) execute(context, info, { scope });
  return scope;
}

function scopeOf(context: unknown, info: ResolveInfo | undefined): BorrowScope | undefined {
  const execution = info && executions.get(info.fragments, context);
  if (execution) {
    const fits = !('payload' in execution) || Object.is(execution.payload, info.rootValue);
    return fits ? execution.scope : undefined;
  }
  const here = anyScope();
  // Its events have scopes of their own, and nothing to do with the request of whoever has emitted them.
  if (info?.operation.operation === 'subscription')
    return here instanceof HttpScope || here instanceof GraphqlScope ? undefined : here;
  return usable(scopeOfOperation(context)) ?? usable(here);
}

/** That of a connection is no unit of work. */
function usable(scope: BorrowScope | undefined): BorrowScope | undefined {
  return scope instanceof HttpScope && scope.upgraded ? undefined : scope;
}

/** By the context value of a GraphQL operation, once it has been found. */
const operations = new WeakMap<object, BorrowScope>();

/** The request is somewhere in the context value: as `req`, as `request`, or by whatever name the application gave it. */
function scopeOfOperation(context: unknown): BorrowScope | undefined {
  if (typeof context !== 'object' || context === null) return undefined;
  const known = operations.get(context);
  if (known) return known;
  const scope = scopeOfRequest(context) ?? scopeAmong(Object.values(context));
  if (scope) operations.set(context, scope);
  return scope;
}
