import { AsyncResource } from 'node:async_hooks';

// Made when this module is evaluated, outside any request, and so carrying no request's AsyncLocalStorage.
// AsyncLocalStorage.snapshot() would do the same for about twenty times the price of a call.
const home = new AsyncResource('nestjs-pool');

/**
 * Runs `work` outside any requester's async context. What a pool starts (a socket, a timer, a create) outlives the
 * request that happened to cause it, and must not carry that request's context for life.
 */
export function neutrally<R>(work: () => R): R {
  return home.runInAsyncScope(work);
}
