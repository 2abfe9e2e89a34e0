import { connect, isIP, type Socket } from 'node:net';
import { connect as connectSecurely, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Client } from 'pg';

const CANCEL_REQUEST = 80877102;
const TLS_REQUEST = 80877103;

/** What a client knows of its connection, but for what its types tell. */
interface Known {
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean | ConnectionOptions;
  readonly sslNegotiation?: string;
  readonly processID?: unknown;
  readonly secretKey?: unknown;
}

/**
 * Sends the request that libpq's PQcancelStart sends: on a connection of its own, to the address of the session, encrypted
 * if the session is, and to a server whose certificate is as good. Its answer, if there is one, is the end of the query.
 *
 * @returns the socket, which the server closes when it has passed the request on; undefined when nothing can be cancelled
 */
export function requestCancel(client: Client): Socket | undefined {
  const known = client as unknown as Known;
  const { processID, secretKey } = known;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return undefined;
  const request = words(16, CANCEL_REQUEST, processID, secretKey);
  const { stream } = client.connection;
  const { remoteAddress, encrypted } = stream as Partial<TLSSocket>;
  const { host, port } = known;
  const socket = host.startsWith('/')
    ? connect(`${host}/.s.PGSQL.${port}`)
    : // A name can stand for several servers, of which only that of the session knows it.
      connect(port, remoteAddress ?? host);
  socket.on('error', () => undefined);
  if (encrypted === true) encrypt(socket, known, request);
  else socket.end(request).resume();
  return socket;
}

function encrypt(socket: Socket, known: Known, request: Buffer): void {
  const direct = known.sslNegotiation === 'direct';
  const secure = (): void => {
    const stream = connectSecurely({ ...optionsOf(known, direct), socket });
    stream.on('error', () => socket.destroy());
    stream.on('close', () => socket.destroy());
    // Not before: then its certificate has been found good.
    stream.once('secureConnect', () => stream.end(request).resume());
  };
  if (direct) {
    socket.once('connect', secure);
    return;
  }
  socket.write(words(8, TLS_REQUEST));
  socket.once('data', answer => {
    if (answer.toString('latin1') === 'S') secure();
    else socket.destroy();
  });
}

/** As pg makes them for the session. */
function optionsOf({ host, ssl }: Known, direct: boolean): ConnectionOptions {
  const given = typeof ssl === 'object' ? ssl : {};
  return {
    host,
    ...given,
    // pg hides it from those who enumerate.
    ...(given.key === undefined ? {} : { key: given.key }),
    ...(direct ? { ALPNProtocols: ['postgresql'] } : {}),
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
}

function words(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => buffer.writeInt32BE(value, index * 4));
  return buffer;
}
