import { attachedTo, type BorrowScope } from '../scope/index.js';

/** The scope that is kept with a request: Express gives Node's own, Fastify one of its own around it. */
export function scopeOfRequest(request: unknown): BorrowScope | undefined {
  return attachedTo(request) ?? attachedTo((request as { raw?: unknown } | null | undefined)?.raw);
}

/** Of values one of which is a request or its answer. */
export function scopeAmong(values: readonly unknown[]): BorrowScope | undefined {
  for (const value of values) {
    // A reply of Fastify has the request it answers.
    const scope = scopeOfRequest(value) ?? scopeOfRequest((value as { request?: unknown } | null)?.request);
    if (scope) return scope;
  }
  return undefined;
}
