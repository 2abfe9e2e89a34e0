import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

const WAITING = Symbol('nestjs-pool.waiting');

interface Waited extends EventEmitter {
  /**
   * Those that wait for its end. A set, which keeps its store: an array that shrinks to nothing gets a new one with each
   * request, by which the collector takes one dead request after the other for alive, until it collects everything.
   */
  [WAITING]?: Set<() => void> | undefined;
}

interface Connection extends Waited {
  readonly destroyed: boolean;
  readonly closed: boolean;
}

/**
 * What closes under a request: its socket, or over HTTP/2 its stream, as many of those share one socket. Undefined where
 * there is none that could: what adapters of serverless platforms put in its place tells nothing.
 */
export function connectionOf(request: IncomingMessage & { stream?: Connection }): Connection | undefined {
  const connection: Partial<Connection> | undefined =
    request.httpVersionMajor >= 2 ? request.stream : request.socket;
  return typeof connection?.once === 'function' ? (connection as Connection) : undefined;
}

/**
 * Has a response whose connection has closed say so, where Node does not: over HTTP/2, and of a pipelined request whose turn
 * has not come. `finished()` would wait for ever, and with it Fastify and Nest, to end the stream that they send.
 */
export function sayClosed(response: ServerResponse, connection: Connection): void {
  if (!connection.closed) {
    connection.once('close', () => {
      sayClosed(response, connection);
    });
    return;
  }
  // Node comes first, if it does.
  process.nextTick(() => {
    if (response.closed) return;
    Object.defineProperty(response, 'closed', { value: true });
    if (response.req.httpVersionMajor >= 2) return;
    response.destroyed = true;
    response.emit('close');
  });
}

/**
 * One listener for each connection, however many requests come over it, at once or one after the other.
 *
 * @param event by which it says that it is over
 * @returns forgets it; to be called once
 */
export function onceClosed(connection: Waited, closed: () => void, event = 'close'): () => void {
  const all = (connection[WAITING] ??= watch(connection, event));
  all.add(closed);
  return () => {
    all.delete(closed);
  };
}

function watch(connection: Waited, event: string): Set<() => void> {
  const all = new Set<() => void>();
  connection.once(event, () => {
    // They forget it while they are told.
    for (const closed of all) closed();
  });
  return all;
}
