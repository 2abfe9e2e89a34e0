import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';

const WAITING = Symbol('nestjs-pool.waiting');

interface Connection extends EventEmitter {
  readonly destroyed: boolean;
  /** Whom to tell that it has closed. Kept here, as every borrow asks: a WeakMap would be most of what it costs. */
  [WAITING]?: Set<() => void>;
}

/** What closes under a request: its socket, or over HTTP/2 its stream, as many of those share one socket. */
export function connectionOf(request: IncomingMessage & { stream?: Connection }): Connection | undefined {
  return request.httpVersionMajor >= 2 ? request.stream : request.socket;
}

/** One listener for each connection, however many requests come over it, at once or one after the other. */
export function onceClosed(connection: Connection, closed: () => void): () => void {
  const waiting = (connection[WAITING] ??= watch(connection));
  waiting.add(closed);
  return () => {
    waiting.delete(closed);
  };
}

function watch(connection: Connection): Set<() => void> {
  const waiting = new Set<() => void>();
  connection.once('close', () => {
    for (const tell of waiting) tell();
  });
  return waiting;
}
