import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client, ClientConfig } from 'pg';
import pg from 'pg';
import type { CreateContext } from '../../engine/index.js';
import { Session, type SessionReset } from './session.js';

/**
 * Connects a client, and does with it what is to be done `first`. An abort destroys the socket, at whatever stage, and
 * rejects with the reason of the signal; any other failure leaves nothing open either.
 */
export async function openSession(
  config: ClientConfig,
  mode: SessionReset,
  { signal, invalidate }: CreateContext,
  first: (session: Session) => Promise<void>,
): Promise<Session> {
  signal.throwIfAborted();
  const client = makeClient(config);
  const session = new Session(client, mode, invalidate);
  // Looked up late: with TLS it is another one after the first handshake.
  const destroy = (): Duplex => client.connection.stream.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    await client.connect();
    await first(session);
    signal.throwIfAborted();
    return session;
  } catch (error) {
    const stream = destroy();
    if (!stream.closed) await new Promise(resolve => stream.once('close', resolve));
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', destroy);
  }
}

function makeClient(config: ClientConfig): Client {
  try {
    return new pg.Client(config);
  } catch (error) {
    // A malformed URL is quoted in the error, with its password.
    if (typeof error === 'object' && error !== null) Reflect.deleteProperty(error, 'input');
    throw error;
  }
}

/**
 * Ends a session, and resolves when the server has closed its end: PostgreSQL does so as the very last thing, so the
 * backend is gone by then. A query that is still running is cancelled first, since a server does not notice that its
 * client has left before the query ends.
 *
 * @param patience milliseconds after which the socket is destroyed, whatever the server does
 * @param reachable false when the server cannot be reached by another socket
 */
export async function endSession(session: Session, patience: number, reachable: boolean): Promise<void> {
  if (session.ended) return;
  const { client } = session;
  let canceller: Socket | undefined;
  const timer = setTimeout(() => {
    canceller?.destroy();
    client.connection.stream.destroy();
  }, patience);
  // The socket holds the process until then.
  timer.unref();
  const cancel = session.busy && reachable;
  session.quiesce(() => {
    if (session.ended) return;
    if (!session.dismissed) {
      void client.end();
      return;
    }
    // `client.end()` would close the socket at once, although the server has only said that it is about to.
    client.on('error', () => undefined);
    client.connection.end();
  });
  if (cancel) canceller = cancelQuery(client);
  await session.closed();
  clearTimeout(timer);
}

/** Milliseconds in which what a borrower did not wait for may end by itself. */
const GRACE = 100;
/** So many requests to cancel are under way at once, for all connections of a pool: each is a connection for a moment. */
const MOST_CANCELS = 2;

/** The requests to cancel that are under way for one pool. */
export class Cancels {
  private underWay = 0;
  private readonly queue: (() => void)[] = [];

  /** @param reachable false when the server cannot be reached by another socket */
  constructor(private readonly reachable: boolean) {}

  /**
   * Cleans a session whose borrower has given it back, maybe without having waited for its last query (a `Promise.all` of
   * which another part has failed, a `query_timeout`): that is cancelled. A request to cancel that comes late would hit the
   * next borrower's query. So the session is fit only when the server has closed the connection of the request, which it
   * does when it has passed it on, and has then answered once more.
   */
  async reset(session: Session): Promise<boolean> {
    let request: Promise<void> | undefined;
    const timer = setTimeout(() => {
      if (session.busy && this.reachable) request = this.cancel(session);
    }, GRACE);
    try {
      const fit = await session.reset();
      if (!request) return fit;
      await request;
      await session.ping();
      return fit;
    } finally {
      clearTimeout(timer);
    }
  }

  private async cancel(session: Session): Promise<void> {
    if (this.underWay === MOST_CANCELS) await new Promise<void>(resolve => this.queue.push(resolve));
    else this.underWay++;
    const socket = session.busy && !session.ended ? cancelQuery(session.client) : undefined;
    if (socket) {
      void session.closed().then(() => socket.destroy());
      await new Promise(resolve => socket.once('close', resolve));
    }
    const next = this.queue.shift();
    if (next) next();
    else this.underWay--;
  }
}

const CANCEL_REQUEST = 80877102;

/** Sends the request that libpq's PQcancel sends; its answer, if there is one, is the end of the query. */
function cancelQuery(client: Client): Socket | undefined {
  const { host, port, processID, secretKey } = client as Client & {
    processID?: unknown;
    secretKey?: unknown;
  };
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return undefined;
  const request = Buffer.alloc(16);
  [16, CANCEL_REQUEST, processID, secretKey].forEach((word, index) => request.writeInt32BE(word, index * 4));
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.on('error', () => undefined);
  return socket.end(request).resume();
}
