import { createServer, type RequestListener, type Server } from 'node:http';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { until } from '../../support/until.js';

/** A server, and what it sees of its clients. */
export interface CountingServer {
  readonly origin: string;
  /** TCP connections since it was started. */
  readonly connections: number;
  /** Those that are open now, and the most there were at once. */
  readonly open: number;
  readonly peak: number;
  /** Requests that have reached it, as `GET /path`; of a TCP server the first line that each part begins with. */
  readonly requests: string[];
  readonly sockets: ReadonlySet<Socket>;
  /** Until no connection is open. */
  allClosed(): Promise<void>;
  stop(): Promise<void>;
}

function counting(
  server: Server | TcpServer,
  requests: string[],
  scheme = 'http',
  event = 'connection',
): CountingServer {
  const sockets = new Set<Socket>();
  let connections = 0;
  let peak = 0;
  server.on(event, (socket: Socket) => {
    connections++;
    sockets.add(socket);
    // Who ends one connection and begins another may find that both are heard of in one turn of the event loop, the new one
    // first: what has arrived by now is over only in the next turn.
    setImmediate(() => setImmediate(() => (peak = Math.max(peak, sockets.size))));
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `${scheme}://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    get peak() {
      return peak;
    },
    requests,
    sockets,
    async allClosed() {
      await until(
        () => sockets.size,
        size => size === 0,
      );
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** Starts any server that is made by `node:http`, `node:https` or `node:net`. */
export async function started(
  server: Server | TcpServer,
  requests: string[] = [],
  scheme?: string,
  event?: string,
): Promise<CountingServer> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return counting(server, requests, scheme, event);
}

/** An HTTP server of Node; by default it answers with the method and URL of the request. */
export async function httpServer(listener?: RequestListener): Promise<CountingServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (listener) listener(request, response);
    else response.end(`${request.method} ${request.url}`);
  });
  // It closes connections by itself only where a test wants it to.
  server.keepAliveTimeout = 0;
  return started(server, requests);
}

/** A server that is told of each part it receives on a connection, with the number of that part, from 1 on. */
export async function tcpServer(
  answer: (socket: Socket, part: number, text: string) => void,
): Promise<CountingServer> {
  const requests: string[] = [];
  const server = createTcpServer(socket => {
    let parts = 0;
    socket.on('data', data => {
      const text = data.toString('latin1');
      requests.push(text.slice(0, text.indexOf(' HTTP')));
      answer(socket, ++parts, text);
    });
  });
  return started(server, requests);
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** An origin that takes connections of TCP, and never says anything: neither to a handshake of TLS, nor to a request. */
export async function silentServer(): Promise<CountingServer> {
  return started(createTcpServer(socket => socket.resume()));
}

/** An origin where nothing listens. */
export async function deadOrigin(): Promise<string> {
  const server = await silentServer();
  await server.stop();
  return server.origin;
}
