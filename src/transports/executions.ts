import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { anyScope, attachedTo, type BorrowScope } from '../scope/index.js';
import { HttpScope } from './http.js';
import { scopeOfFailure, scopeOfMessage } from './message.js';

/**
 * The scope that a call of the framework belongs to. It is found by what the call is about, not by the async context:
 * that can be another request's.
 *
 * @param type what Nest calls the type of an execution context
 * @param args those of the execution context: the request first, or for GraphQL root, arguments, context and info
 */
export function scopeOfCall(type: string, args: readonly unknown[]): BorrowScope | undefined {
  if (type === 'http') return scopeOfRequest(args[0]);
  if (type === 'graphql') return scopeOfOperation(args[2]) ?? anyScope();
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

/** Express gives Node's request, Fastify one of its own around it. */
function scopeOfRequest(request: unknown): BorrowScope | undefined {
  return attachedTo(request) ?? attachedTo((request as { raw?: unknown } | null | undefined)?.raw);
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

function scopeAmong(values: readonly unknown[]): BorrowScope | undefined {
  for (const value of values) {
    // A reply of Fastify has the request it answers.
    const scope = scopeOfRequest(value) ?? scopeOfRequest((value as { request?: unknown } | null)?.request);
    if (scope) return scope;
  }
  return undefined;
}
