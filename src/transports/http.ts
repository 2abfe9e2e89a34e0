import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BorrowScope, RequestAbortedError, currentScope, inScope, type ScopeHost } from '../scope/index.js';
import type { EndUnread } from './watch.js';

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

export type Answer = 'value' | 'observable' | 'stream' | 'by hand';

/**
 * The unit of work of one HTTP request. Its response is a hold, dropped at the earliest moment at which nothing of the
 * application can need the resources any more:
 *
 * - a value: when the reply is handed to the platform (`res.end` is called). Not later, as a slow reader must not hold a
 *   database connection; and not earlier when the client leaves, as guards, interceptors and filters still run.
 * - an Observable that is running: likewise, or when the client leaves, who is then not answered. The subscription is a
 *   hold of its own. Once it is complete, its last value is a value.
 * - a stream: likewise, or when its source has closed, or the connection under it. The source is a hold of its own.
 * - by hand, with `@Res()`: when the response has finished, or the connection has closed.
 */
export class HttpScope extends BorrowScope {
  private answer: Answer = 'value';
  private clientLeft = false;
  private responseOver: (() => void) | undefined = undefined;
  /** What the platform has made of Node's request, where it makes something of its own. */
  platformRequest: unknown = undefined;
  /** Subscriptions that are of no use once the response is over. */
  private audience: Set<() => void> | undefined = undefined;
  /** Ends the source of a streamed body that nobody has read. */
  private endUnread: EndUnread | undefined = undefined;

  constructor(
    host: ScopeHost,
    private incoming: IncomingMessage | undefined,
    private response: ServerResponse | undefined,
  ) {
    super(host);
  }

  /** The scope that this code runs in, if it is that of this response. */
  static of(response: ServerResponse, host: ScopeHost): HttpScope | undefined {
    const scope = currentScope(host);
    return scope instanceof HttpScope && scope.response === response ? scope : undefined;
  }

  override get request(): unknown {
    return this.platformRequest ?? this.incoming;
  }

  /** Without the query, which may have a secret in it. */
  override toString(): string {
    const { method = '', url = '' } = this.incoming ?? {};
    return `${method} ${url.split('?', 1)[0] ?? ''}`;
  }

  /** Tells how the handler answers, as soon as that is known. The last handler that runs decides. */
  answers(answer: Answer): void {
    // One that answers by hand may return the stream that it has piped into the response.
    if (this.answer === 'by hand' && (answer === 'stream' || answer === 'observable')) return;
    this.answer = answer;
    if (this.clientLeft && answer !== 'value') this.responseOver?.();
  }

  /** The handler answers with a stream. */
  streams(endUnread: EndUnread): void {
    this.answers('stream');
    this.endUnread = endUnread;
    // Another answer has been given meanwhile: that of an outer `timeout()`.
    if (this.response?.writableEnded) endUnread();
  }

  /** The source of a streamed body has closed. The rest of it may wait for a slow reader, and needs nothing any more. */
  sourceClosed(): void {
    if (this.answer === 'stream' && this.response?.headersSent) this.responseOver?.();
  }

  /** The handler's Observable is over: completed, failed, or given up, which is what Nest does when the client leaves. */
  observed(how: 'to its end' | 'given up'): void {
    if (how === 'given up' && this.isClientGone()) this.responseOver?.();
    else if (this.answer === 'observable') this.answer = 'value';
  }

  /** Nothing can be sent any more: the response has ended, or its connection is gone. */
  get over(): boolean {
    return !this.response || this.response.writableEnded || this.isClientGone();
  }

  /**
   * Tells, once this scope has something to give back, that the response is over. In a turn of its own: Nest hears of it
   * too, and comes first.
   *
   * @returns forgets it
   */
  whenOver(tell: () => void): () => void {
    const audience = (this.audience ??= new Set());
    audience.add(tell);
    return () => audience.delete(tell);
  }

  protected override open(): void {
    const { incoming, response } = this;
    if (!incoming || !response || response.writableEnded || (response.destroyed && response.headersSent)) {
      this.dismiss();
      return;
    }

    const connection = connectionOf(incoming);
    const drop = this.hold();
    const over = (this.responseOver = (): void => {
      forgetConnection();
      this.responseOver = undefined;
      drop();
      this.dismiss();
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
    const forgetConnection = connection ? onceClosed(connection, left) : () => undefined;
    // Soon after it has finished, or when it never will. Over HTTP/2 one that was reset "finishes" too.
    response.once('close', left);
    // Gone before the first borrow: nothing tells it again.
    if (this.isClientGone()) left();

    const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
    response.end = ((...args: unknown[]) => {
      const result = end(...args);
      if (this.answer !== 'by hand') over();
      this.endUnread?.();
      return result;
    }) as ServerResponse['end'];
  }

  protected override close(): void {
    // A connection that is kept alive has timers that were set in this scope, and keep it.
    this.incoming = this.platformRequest = this.response = this.endUnread = undefined;
  }

  private dismiss(): void {
    if (!this.audience?.size) return;
    setImmediate(() => {
      for (const tell of this.audience ?? []) tell();
    });
  }

  private isClientGone(): boolean {
    const { incoming, response } = this;
    return (
      this.clientLeft ||
      response?.destroyed === true ||
      (incoming && connectionOf(incoming)?.destroyed) === true
    );
  }
}

interface Connection extends EventEmitter {
  readonly destroyed: boolean;
}

/** What closes under a request: its socket, or over HTTP/2 its stream, as many of those share one socket. */
function connectionOf(request: IncomingMessage & { stream?: Connection }): Connection | undefined {
  return request.httpVersionMajor >= 2 ? request.stream : request.socket;
}

/** Whom to tell that a connection has closed. */
const watched = new WeakMap<Connection, Set<() => void>>();

/** One listener for each connection, however many requests come over it, at once or one after the other. */
function onceClosed(connection: Connection, closed: () => void): () => void {
  const waiting = watched.get(connection) ?? watch(connection);
  waiting.add(closed);
  return () => {
    waiting.delete(closed);
  };
}

function watch(connection: Connection): Set<() => void> {
  const waiting = new Set<() => void>();
  watched.set(connection, waiting);
  connection.once('close', () => {
    for (const tell of waiting) tell();
  });
  return waiting;
}

/**
 * Lets every request of an application run in a scope of its own, entered before any middleware of the application.
 *
 * @param keys whether there are pools by key, which find it in the platform's own request
 */
export function enterHttpScopes(adapter: HttpAdapterLike, host: ScopeHost, keys: boolean): void {
  const enter = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    if (HttpScope.of(response, host)) next();
    else inScope(new HttpScope(host, request, response), next);
  };
  if (adapter.getType() !== 'fastify') {
    adapter.use(enter);
    return;
  }
  const fastify = adapter.getInstance() as FastifyLike;
  // Middleware runs in a hook that Nest has added before any provider could add one; this is the first middleware of it.
  const withoutMiddleware = adapter.isMiddieRegistered === true && fastify.use === undefined;
  if (!withoutMiddleware) adapter.use(enter);
  // One hook more is most of what an application on Fastify would pay for requests that borrow nothing.
  if (!withoutMiddleware && !keys) return;
  // For `new FastifyAdapter({ skipMiddie: true })`. Otherwise it finds the scope that is there.
  fastify.addHook('onRequest', (request, reply, done) => {
    // As a rule the middleware has entered it.
    const entered = HttpScope.of(reply.raw, host);
    const scope = entered ?? new HttpScope(host, request.raw, reply.raw);
    scope.platformRequest = request;
    if (entered) done();
    else inScope(scope, done);
  });
}
