import type { IncomingMessage, ServerResponse } from 'node:http';
import { attachedTo, within, type ScopeHost } from '../scope/index.js';
import { watchLayers } from './express-layers.js';
import { watchRoutes, type FastifyLike } from './fastify-routes.js';
import { holdBody } from './handlers.js';
import { HttpScope } from './http.js';

type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** The parts of Nest's HTTP adapters that are needed; the same in NestJS 11 and 12. */
export interface HttpAdapterLike {
  getType(): string;
  getInstance(): unknown;
  use(handler: Middleware): unknown;
  init?(): Promise<unknown>;
  reply(response: unknown, body: unknown, ...rest: unknown[]): unknown;
  /** Fastify: is the middleware plugin there, or done without? Until then `use` queues. */
  isMiddieRegistered?: boolean;
}

/**
 * Lets every request of an application run in a scope of its own, entered before any middleware of the application, and
 * entered again in each layer that is called from elsewhere.
 *
 * @param keys whether there are pools by key, which find it in the platform's own request
 */
export function enterHttpScopes(adapter: HttpAdapterLike, host: ScopeHost, keys: boolean): void {
  const enter: Middleware = (request, response, next) => {
    within(HttpScope.enter(host, request, response), next);
  };
  watchReplies(adapter);
  if (adapter.getType() !== 'fastify') {
    adapter.use(enter);
    watchLayers(adapter.getInstance());
    return;
  }
  const fastify = adapter.getInstance() as FastifyLike;
  watchRoutes(adapter, fastify);
  // Middleware runs in a hook that Nest has added before any provider could add one; this is the first middleware of it.
  const withoutMiddleware = adapter.isMiddieRegistered === true && fastify.use === undefined;
  if (!withoutMiddleware) adapter.use(enter);
  // One hook more is most of what an application on Fastify would pay for requests that borrow nothing.
  if (!withoutMiddleware && !keys) return;
  // For `new FastifyAdapter({ skipMiddie: true })`. Otherwise it finds the scope that is there.
  fastify.addHook('onRequest', (request, reply, done) => {
    const scope = HttpScope.enter(host, request.raw, reply.raw);
    scope.platformRequest = request;
    within(scope, done);
  });
}

/** Does something when all providers have been made, before the gateways among them are bound to their server. */
export function beforeGateways(adapter: HttpAdapterLike, work: () => void): void {
  const init = adapter.init?.bind(adapter);
  adapter.init = () => {
    work();
    return init?.() ?? Promise.resolve();
  };
}

interface Reply {
  readonly raw?: ServerResponse;
}

/** What is really sent, also by an exception filter; of a stream that is known, Nest may send another that reads it. */
function watchReplies(adapter: HttpAdapterLike): void {
  const reply = adapter.reply.bind(adapter);
  // Express's response has none, and looks for it all the way up.
  const isWrapped = adapter.getType() === 'fastify';
  adapter.reply = (response, body, ...rest) => {
    if (typeof body === 'object' && body !== null) {
      const native = (isWrapped ? (response as Reply).raw : undefined) ?? (response as ServerResponse);
      const scope = attachedTo(native.req);
      if (scope instanceof HttpScope && !scope.isStreaming) holdBody(scope, body);
    }
    return reply(response, body, ...rest);
  };
}
