import type { Session } from './session.js';

/**
 * The sessions of a pool, by their server. A session that does nothing is not told that its server is not any more what it
 * was, so the first that is told tells the others.
 */
export class Fleet {
  private readonly sessions = new Map<string, Set<Session>>();

  add(session: Session, invalidate: (cause?: unknown) => void): void {
    const server = serverOf(session);
    const others = this.sessions.get(server) ?? new Set();
    this.sessions.set(server, others.add(session));
    session.ready(invalidate, why => {
      for (const other of others) if (other !== session) other.mistrust(why);
    });
    void session.closed().then(() => {
      others.delete(session);
      if (others.size === 0) this.sessions.delete(server);
    });
  }
}

function serverOf({ client }: Session): string {
  const { host, port, connection } = client;
  // A name can come to stand for another server.
  const { remoteAddress } = connection.stream as { remoteAddress?: string };
  return `${remoteAddress ?? host} ${port}`;
}
