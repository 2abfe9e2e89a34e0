import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { anyScope, type BorrowScope } from '../scope/index.js';
import { scopeOfResolver } from './graphql/executions.js';
import { HttpScope } from './http.js';
import { scopeOfFailure, scopeOfMessage } from './messages/message-scope.js';
import { scopeOfRequest } from './requests.js';

/**
 * The scope that a call of the framework belongs to. It is found by what the call is about, not by the async context:
 * that can be another request's.
 *
 * @param type what Nest calls the type of an execution context
 * @param args those of the execution context: the request first, or for GraphQL root, arguments, context and info
 */
export function scopeOfCall(type: string, args: readonly unknown[]): BorrowScope | undefined {
  if (type === 'http') return scopeOfRequest(args[0]);
  if (type === 'graphql') return scopeOfResolver(args);
  return scopeOfMessage(args);
}

/** The scope that a filter is called for. */
export function scopeOfError(error: unknown, host: ArgumentsHost): BorrowScope | undefined {
  const [type, args] = [host.getType<string>(), host.getArgs()];
  return scopeOfCall(type, args) ?? scopeOfFailure(args, error);
}

/** As {@link scopeOfCall}; where the call is about nothing that has a scope, the one that this code runs in. */
export function scopeOfContext(context: ExecutionContext): BorrowScope | undefined {
  const known = scopeOfCall(context.getType<string>(), context.getArgs());
  if (known) return known;
  const here = anyScope();
  // That of an HTTP request belongs to calls that are about that request.
  return here instanceof HttpScope ? undefined : here;
}
