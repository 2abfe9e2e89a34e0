import type { Server } from 'node:http';

/** Of the servers of Nest's adapters; those of HTTP/2 have no idle connections. */
export type ClosingServer = Pick<Server, 'close'> & Partial<Pick<Server, 'closeIdleConnections'>>;

/**
 * Tells when a server begins to close, whoever closes it: NestJS, or before it another one's hook, as that of Apollo Server.
 * Node tells nobody: its event `close` comes when the last connection has ended, and for that some may wait to be told.
 */
export function whenServerCloses(server: ClosingServer, tell: () => void): void {
  const close = server.close.bind(server);
  const closing = (done?: (error?: Error) => void): unknown => {
    tell();
    const closed = close(done);
    // It has closed the connections that were idle; those that end what they are sending now become so.
    setImmediate(() => server.closeIdleConnections?.());
    return closed;
  };
  Object.defineProperty(server, 'close', { value: closing, writable: true, configurable: true });
}
