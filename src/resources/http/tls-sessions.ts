/** One for each server; servers that have not been asked for longest go first. */
const MOST = 100;

/**
 * The last TLS session of each server, so that the next connection to it resumes it and saves a round trip and the check
 * of a certificate. undici keeps them too, but so weakly that the garbage collector takes them.
 */
export class TlsSessions {
  private readonly sessions = new Map<string, Buffer>();

  get(origin: string): Buffer | undefined {
    return this.sessions.get(origin);
  }

  set(origin: string, session: Buffer): void {
    this.sessions.delete(origin);
    this.sessions.set(origin, session);
    if (this.sessions.size <= MOST) return;
    const [oldest] = this.sessions.keys();
    this.sessions.delete(oldest!);
  }

  /** The server may not know it any more, or it may be what has made a handshake fail. */
  forget(origin: string): void {
    this.sessions.delete(origin);
  }
}
