import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { BorrowScope, RequestAbortedError, inScope, type ScopeHost } from '../scope/index.js';
import type { EndUnread } from './results.js';

const SCOPE = Symbol('nestjs-pool.scope');

interface ScopedRequest extends IncomingMessage {
  [SCOPE]?: HttpScope;
}

/** The parts of Nest's HTTP adapters that are needed; the same in NestJS 11 and 12. */
export interface HttpAdapterLike {
  getType(): string;
  getInstance(): unknown;
  use(handler: (request: IncomingMessage, response: ServerResponse, next: () => void) => void): unknown;
  /** Fastify: is the middleware plugin there, or done without? Until then `use` queues. */
  isMiddieRegistered?: boolean;
}

interface FastifyLike {
  /** There when the middleware plugin is. */
  use?: unknown;
  addHook(
    name: 'onRequest',
    hook: (request: { raw: IncomingMessage }, reply: { raw: ServerResponse }, done: () => void) => void,
  ): unknown;
}

/**
 * The unit of work of one HTTP request. Its response is a hold, dropped at the earliest moment at which nothing of the
 * application can need the resources any more:
 *
 * - a value: when the reply is handed to the platform (`res.end` is called). Not later, as a slow reader must not hold a
 *   database connection; and not earlier when the client leaves, as guards, interceptors and filters still run.
 * - a stream: likewise, or when the connection closes under it. The stream itself is a hold of its own.
 * - by hand, with `@Res()`: when the response has finished, or the connection has closed.
 */
export class HttpScope extends BorrowScope {
  private answer: 'value' | 'stream' | 'by hand' = 'value';
  private clientLeft = false;
  private responseOver: (() => void) | undefined = undefined;
  private endUnread: EndUnread | undefined = undefined;

  constructor(
    host: ScopeHost,
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
  ) {
    super(host);
  }

  /** The handler answers with a stream. */
  streams(endUnread: EndUnread): void {
    this.endUnread = endUnread;
    this.answers('stream');
  }

  /** The handler answers with `@Res()` or `@Next()`. */
  answersByHand(): void {
    this.answers('by hand');
  }

  private answers(answer: 'stream' | 'by hand'): void {
    this.answer = answer;
    if (this.clientLeft) this.responseOver?.();
  }

  protected override open(): void {
    const { response } = this;
    if (response.writableEnded || (response.destroyed && response.headersSent)) return;

    const socket = this.request.socket as Socket | undefined;
    const drop = this.hold();
    const over = (this.responseOver = (): void => {
      forgetSocket();
      drop();
    });
    const left = (): void => {
      if (!response.writableEnded) {
        // Its waiting acquires leave the queue at once. What it has borrowed stays until its handler is done with it.
        this.clientLeft = true;
        this.abandon(new RequestAbortedError());
        if (this.answer === 'value' && !response.headersSent) return;
      }
      over();
    };
    // The response of a pipelined request whose turn has not come gets no 'close' of its own.
    const forgetSocket = socket ? onSocketClose(socket, left) : () => undefined;
    response.once('finish', over);
    response.once('close', left);
    // Gone before the first borrow: nothing tells it again.
    if (response.destroyed || socket?.destroyed) left();

    const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
    response.end = ((...args: unknown[]) => {
      const result = end(...args);
      if (this.answer !== 'by hand') over();
      this.endUnread?.();
      return result;
    }) as ServerResponse['end'];
  }
}

const watchers = new WeakMap<Socket, Set<() => void>>();

/** One listener for each socket, however many requests are pipelined on it. */
function onSocketClose(socket: Socket, closed: () => void): () => void {
  let waiting = watchers.get(socket);
  if (!waiting) {
    const all = (waiting = new Set());
    watchers.set(socket, all);
    socket.once('close', () => {
      for (const tell of all) tell();
    });
  }
  const all = waiting.add(closed);
  return () => all.delete(closed);
}

/** Lets every request of an application run in a scope of its own, entered before any middleware of the application. */
export function enterHttpScopes(adapter: HttpAdapterLike, host: ScopeHost): void {
  const enter = (request: ScopedRequest, response: ServerResponse, next: () => void): void => {
    let scope = request[SCOPE];
    if (scope?.host !== host) scope = request[SCOPE] = new HttpScope(host, request, response);
    inScope(scope, next);
  };
  if (adapter.getType() !== 'fastify') {
    adapter.use(enter);
    return;
  }
  const fastify = adapter.getInstance() as FastifyLike;
  // Middleware runs in a hook that Nest has added before any provider could add one; this is the first middleware of it.
  const withoutMiddleware = adapter.isMiddieRegistered === true && fastify.use === undefined;
  if (!withoutMiddleware) adapter.use(enter);
  // For `new FastifyAdapter({ skipMiddie: true })`. Otherwise it finds the scope that is there.
  fastify.addHook('onRequest', (request, reply, done) => {
    enter(request.raw, reply.raw, done);
  });
}

/** The scope of a request, as a handler's parameter decorator sees it: Node's own, or Fastify's around it. */
export function scopeOfRequest(request: unknown): HttpScope | undefined {
  const wrapped = request as (ScopedRequest & { raw?: ScopedRequest }) | null | undefined;
  return wrapped?.[SCOPE] ?? wrapped?.raw?.[SCOPE];
}
