import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { KeyedPool, type PoolSettings } from '../../../src/engine/index.js';
import { httpPool, type HttpConnection } from '../../../src/resources/http.js';
import { tlsFile } from '../../support/tls-files.js';
import { keepsTheContract } from './contract.js';
import type { Backend, PoolUnderTest } from './subject.js';

type Scheme = 'http' | 'https';

/** A server of Node, whose sessions are its sockets. It runs in this process, and does not listen by itself. */
class HttpBackend implements Backend<HttpConnection> {
  port = 0;
  private readonly sockets = new Map<string, Socket>();
  private readonly slowOnes = new Set<Socket>();
  private readonly server;
  // In place of the server itself, which has a timer for as long as it listens, and would have a new one after a restart.
  private readonly listener = createTcpServer(socket => this.server.emit('connection', socket));
  private lastId = 0;

  constructor(private readonly scheme: Scheme) {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.answer(request, response);
    };
    this.server =
      scheme === 'http'
        ? createHttpServer(answer)
        : createHttpsServer({ key: tlsFile('server.key'), cert: tlsFile('server.crt') }, answer);
    // Only the contract ends connections.
    this.server.keepAliveTimeout = 0;
    this.server.on(scheme === 'http' ? 'connection' : 'secureConnection', (socket: Socket) => {
      const id = String(++this.lastId);
      this.sockets.set(id, socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.sockets.delete(id);
        this.slowOnes.delete(socket);
      });
    });
  }

  static async open(scheme: Scheme): Promise<HttpBackend> {
    const backend = new HttpBackend(scheme);
    await backend.start();
    return backend;
  }

  pool(port: number, settings: PoolSettings): PoolUnderTest<HttpConnection> {
    // It is for the pool to give up, and not for the connection itself before that.
    const timeouts = { connect: 60_000 };
    const pool = new KeyedPool(httpPool({ ...settings, timeouts, tls: { ca: tlsFile('ca.crt') } }));
    const origin = `${this.scheme}://127.0.0.1:${port}`;
    return {
      acquire: options => pool.acquire(origin, options),
      use: (work, options) => pool.use(origin, work, options),
      // What an origin has counted is kept only in the sum of all; that it is unavailable, only the origin knows.
      stats: () => ({ ...pool.stats(), state: (pool.stats(origin) ?? pool.stats()).state }),
      close: options => pool.close(options),
    };
  }

  session(connection: HttpConnection): Promise<string> {
    return get(connection, '/session');
  }

  slow(connection: HttpConnection, ms: number): Promise<string> {
    return get(connection, `/slow?${ms}`);
  }

  sessions(): Promise<string[]> {
    return Promise.resolve([...this.sockets.keys()]);
  }

  running(): Promise<number> {
    return Promise.resolve(this.slowOnes.size);
  }

  kill(session: string): Promise<void> {
    this.sockets.get(session)!.destroy();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    if (!this.listener.listening) return;
    const closed = once(this.listener, 'close');
    this.listener.close();
    for (const socket of this.sockets.values()) socket.destroy();
    await closed;
  }

  async start(): Promise<void> {
    if (this.listener.listening) return;
    this.listener.listen(this.port, '127.0.0.1');
    await once(this.listener, 'listening');
    this.port = (this.listener.address() as AddressInfo).port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private answer({ url = '', socket }: IncomingMessage, response: ServerResponse): void {
    // For the date, Node has a timer.
    response.sendDate = false;
    const [path, ms] = url.split('?');
    if (path === '/session') {
      const [id] = [...this.sockets].find(([, known]) => known === socket)!;
      response.end(id);
      return;
    }
    this.slowOnes.add(socket);
    const timer = setTimeout(() => {
      this.slowOnes.delete(socket);
      response.end('late');
    }, Number(ms));
    response.once('close', () => clearTimeout(timer));
  }
}

/** As the agent of a session does it, but without its retries: the contract is about one connection. */
async function get({ client }: HttpConnection, path: string): Promise<string> {
  const { body } = await client.request({ method: 'GET', path });
  return body.text();
}

/**
 * Of the contract, these cases cannot be meant:
 * - "stays, when it was idle and is looked at" and "falls silent while it is idle": HTTP has no question that only asks
 *   whether a connection is alive. The timeout for headers finds out, for the request that meets the silence.
 * - "is as new for the next one": no request leaves anything in a connection.
 * - "given back while a command hangs" and "cannot be used any more": only the agent borrows. It gives a connection back
 *   when the response has ended, destroys it before that, and shows it to nobody.
 * - and without TLS "takes too long to be made" and "is being made when its pool closes": the kernel of a server takes a
 *   connection without it, and there is nothing more to wait for.
 */
for (const scheme of ['http', 'https'] as const) {
  keepsTheContract({
    name: `a connection of httpPool, by ${scheme}`,
    canBeStained: false,
    canBeValidated: false,
    canBeMisused: false,
    canHangWhenMade: scheme === 'https',
    open: () => HttpBackend.open(scheme),
  });
}
