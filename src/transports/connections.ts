import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';

/** One who waits for the end of a connection, and its place among those that do. */
interface Waiting {
  readonly closed: () => void;
  place: number;
}

const WAITING = Symbol('nestjs-pool.waiting');

interface Connection extends EventEmitter {
  readonly destroyed: boolean;
  /** A list that is kept with it: every borrow comes here, and a set or a map would be most of what it costs. */
  [WAITING]?: Waiting[] | undefined;
}

/** What closes under a request: its socket, or over HTTP/2 its stream, as many of those share one socket. */
export function connectionOf(request: IncomingMessage & { stream?: Connection }): Connection | undefined {
  return request.httpVersionMajor >= 2 ? request.stream : request.socket;
}

/**
 * One listener for each connection, however many requests come over it, at once or one after the other.
 *
 * @returns forgets it; to be called once
 */
export function onceClosed(connection: Connection, closed: () => void): () => void {
  const all = (connection[WAITING] ??= watch(connection));
  const waiting: Waiting = { closed, place: all.length };
  all.push(waiting);
  return () => {
    const last = all.pop();
    if (last === undefined || last === waiting) return;
    all[waiting.place] = last;
    last.place = waiting.place;
  };
}

function watch(connection: Connection): Waiting[] {
  const all: Waiting[] = [];
  connection.once('close', () => {
    // They forget it while they are told.
    for (const { closed } of [...all]) closed();
  });
  return all;
}
