import type { IncomingMessage, ServerResponse } from 'node:http';
import { anyScope, attachedTo, inScope } from '../scope/index.js';
import { HttpScope } from './http.js';

interface Request {
  readonly raw: IncomingMessage;
}
interface Reply {
  readonly request: Request;
  readonly raw: ServerResponse;
  send: (this: Reply, payload: unknown) => unknown;
}

type Handler = (this: unknown, request: Request, reply: Reply) => unknown;
type Middleware = (this: unknown, request: IncomingMessage, response: unknown, next: unknown) => unknown;
type Use = (this: unknown, ...args: unknown[]) => unknown;
type Mount = (...args: unknown[]) => unknown;

export interface FastifyLike {
  /** There when the middleware plugin is. */
  use?: Use;
  addHook(name: 'onRequest', hook: (request: Request, reply: Reply, done: () => void) => void): unknown;
  addHook(name: 'onRoute', hook: (route: { handler: Handler }) => void): unknown;
}

interface AdapterWithMiddleware {
  use: Use;
  createMiddlewareFactory?: (this: unknown, ...args: unknown[]) => Mount | Promise<Mount>;
}

/**
 * Runs each middleware and each route of Fastify in the scope of its request, whatever context what came before has gone
 * on in, and tells the scope of the promises that they return.
 */
export function watchRoutes(adapter: object, fastify: FastifyLike): void {
  fastify.addHook('onRoute', route => {
    const { handler } = route;
    let watchedReply: Reply | undefined;
    route.handler = function (request, reply) {
      const scope = attachedTo(request.raw);
      if (!(scope instanceof HttpScope)) return handler.call(this, request, reply);
      const kind = Object.getPrototypeOf(reply) as Reply;
      if (kind !== watchedReply) watchReplies((watchedReply = kind));
      return anyScope() === scope
        ? run(scope, this, handler, request, reply)
        : inScope(scope, () => run(scope, this, handler, request, reply));
    };
  });
  watchMiddleware(adapter as AdapterWithMiddleware, fastify);
}

const watchedReplies = new WeakSet<Reply>();

/** Tells the scope of a request when Fastify is given its answer. Each part of an application has a kind of reply of its own. */
function watchReplies(kind: Reply): void {
  if (watchedReplies.has(kind)) return;
  watchedReplies.add(kind);
  const { send } = kind;
  kind.send = function (payload) {
    const scope = attachedTo(this.request.raw);
    if (scope instanceof HttpScope) scope.isReplied = true;
    return send.call(this, payload);
  };
}

/**
 * Middleware gets to Fastify by the adapter, which may put a function around it that does not tell what it returns, or
 * by Fastify's own `use`, which is there when its plugin is.
 */
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
  const { use, createMiddlewareFactory: create } = adapter;
  adapter.use = function (...args) {
    watchUse();
    return use.apply(this, args.map(watched));
  };
  if (typeof create === 'function') {
    adapter.createMiddlewareFactory = async function (...args) {
      watchUse();
      const mount = await create.apply(this, args);
      return (...where) => mount(...where.map(watched));
    };
  }
  watchUse();
}

const seen = new WeakSet();

function watched(middleware: unknown): unknown {
  if (Array.isArray(middleware)) return middleware.map(watched);
  // One that takes errors is told by the number of its parameters.
  if (typeof middleware !== 'function' || middleware.length > 3 || seen.has(middleware)) return middleware;
  const handle = middleware as Middleware;
  const watching = function (
    this: unknown,
    request: IncomingMessage,
    response: unknown,
    next: unknown,
  ): unknown {
    const scope = attachedTo(request);
    if (!(scope instanceof HttpScope)) return handle.call(this, request, response, next);
    const result =
      anyScope() === scope
        ? run(scope, this, handle, request, response, next)
        : inScope(scope, () => run(scope, this, handle, request, response, next));
    // In the place of the promise, which is handled now: a rejection that nobody else handles stays one.
    return result instanceof Promise ? result.then(undefined, rethrow) : result;
  };
  seen.add(watching);
  return watching;
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
