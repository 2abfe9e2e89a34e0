import type { IncomingMessage, ServerResponse } from 'node:http';
import { anyScope, attachedTo, inScope } from '../scope/index.js';
import { HttpScope } from './http.js';

interface Request {
  readonly raw: IncomingMessage;
}
interface Reply {
  readonly raw: ServerResponse;
}

type Handler = (this: unknown, request: Request, reply: Reply) => unknown;
type Middleware = (this: unknown, request: IncomingMessage, response: unknown, next: unknown) => unknown;
type Use = (this: unknown, ...args: unknown[]) => unknown;

export interface FastifyLike {
  /** There when the middleware plugin is. */
  use?: Use;
  addHook(name: 'onRequest', hook: (request: Request, reply: Reply, done: () => void) => void): unknown;
  addHook(name: 'onRoute', hook: (route: { handler: Handler }) => void): unknown;
}

interface AdapterWithMiddleware {
  use: Use;
  createMiddlewareFactory?: Use;
}

/**
 * Runs each middleware and each route of Fastify in the scope of its request, whatever context what came before has gone
 * on in, and tells the scope of the promises that they return.
 */
export function watchRoutes(adapter: object, fastify: FastifyLike): void {
  fastify.addHook('onRoute', route => {
    const { handler } = route;
    route.handler = function (request, reply) {
      const scope = attachedTo(request.raw);
      if (!(scope instanceof HttpScope)) return handler.call(this, request, reply);
      return anyScope() === scope
        ? run(scope, this, handler, request, reply)
        : inScope(scope, () => run(scope, this, handler, request, reply));
    };
  });
  watchMiddleware(adapter as AdapterWithMiddleware, fastify);
}

/** Middleware gets to Fastify by its `use`, which is there when its plugin is, which may be later. */
function watchMiddleware(adapter: AdapterWithMiddleware, fastify: FastifyLike): void {
  let done = false;
  const watchUse = (): void => {
    const { use } = fastify;
    if (done || typeof use !== 'function') return;
    done = true;
    fastify.use = function (...args) {
      return use.apply(this, args.map(watched));
    };
  };
  for (const name of ['use', 'createMiddlewareFactory'] as const) {
    const method = adapter[name];
    if (typeof method !== 'function') continue;
    adapter[name] = function (...args) {
      watchUse();
      // What is queued until the plugin is there goes to its `use` by itself.
      return method.apply(this, done ? args : args.map(watched));
    };
  }
  watchUse();
}

function watched(middleware: unknown): unknown {
  if (typeof middleware !== 'function') return middleware;
  const handle = middleware as Middleware;
  return function (this: unknown, request: IncomingMessage, response: unknown, next: unknown) {
    const scope = attachedTo(request);
    if (!(scope instanceof HttpScope)) return handle.call(this, request, response, next);
    const result =
      anyScope() === scope
        ? run(scope, this, handle, request, response, next)
        : inScope(scope, () => run(scope, this, handle, request, response, next));
    // Nobody handles a rejection there, and that it is watched must not hide it.
    if (result instanceof Promise) result.then(undefined, rethrow);
    return result;
  };
}

function run<A extends unknown[]>(
  scope: HttpScope,
  self: unknown,
  handle: (this: unknown, ...args: A) => unknown,
  ...args: A
): unknown {
  const layer = scope.layers.begin();
  const result = handle.apply(self, args);
  scope.layers.returned(layer, result);
  return result;
}

function rethrow(error: unknown): never {
  throw error;
}
