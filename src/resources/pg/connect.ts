import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client, ClientConfig } from 'pg';
import pg from 'pg';
import type { CreateContext } from '../../engine/index.js';
import { startTimer } from '../../engine/time/timer.js';
import { requestCancel } from './cancel-request.js';
import { explained } from './errors.js';
import type { Session } from './session.js';

/**
 * Connects a client, which is watched from the beginning, and does with it what is to be done `first`. An abort destroys the socket, at whatever stage, and
 * rejects with the reason of the signal; any other failure leaves nothing open either.
 */
export async function openSession(
  config: ClientConfig,
  ClientClass: typeof pg.Client | undefined,
  { signal }: CreateContext,
  watch: (client: Client) => Session,
  first: (session: Session) => Promise<void>,
): Promise<Session> {
  signal.throwIfAborted();
  const client = makeClient(config, ClientClass);
  const session = watch(client);
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
    throw explained(error, addressOf(client));
  } finally {
    signal.removeEventListener('abort', destroy);
  }
}

/** As it stands in a list of hosts. */
export function addressOf({ host, port }: Client): string {
  return host.startsWith('/')
    ? `${host}/.s.PGSQL.${port}`
    : `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const HAS_PASSWORD = /^[^?#]*:\/\/[^/?#]*:[^/?#]+@|[?&]password=/;

function makeClient(config: ClientConfig, ClientClass = pg.Client): Client {
  try {
    const client = new ClientClass(config);
    const { password, connectionString } = config;
    // pg takes a connection string without a password for one with an empty one, and forgets a function, too.
    if (password !== undefined && connectionString && !HAS_PASSWORD.test(connectionString)) {
      Object.assign(client, { password });
    }
    return client;
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
  const timer = startTimer(() => {
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
  if (cancel) canceller = requestCancel(client);
  await session.closed();
  timer.cancel();
}
