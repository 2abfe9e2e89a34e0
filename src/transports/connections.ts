import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';

interface Connection extends EventEmitter {
  readonly destroyed: boolean;
}

/** What closes under a request: its socket, or over HTTP/2 its stream, as many of those share one socket. */
export function connectionOf(request: IncomingMessage & { stream?: Connection }): Connection | undefined {
  return request.httpVersionMajor >= 2 ? request.stream : request.socket;
}

/** Whom to tell that a connection has closed. */
const watched = new WeakMap<Connection, Set<() => void>>();

/** One listener for each connection, however many requests come over it, at once or one after the other. */
export function onceClosed(connection: Connection, closed: () => void): () => void {
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
