import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { startTimer } from '../../engine/time/timer.js';
import { HttpConnectError, HttpTimeoutError } from './errors.js';
import { bare } from './origin.js';
import type { TlsSessions } from './tls-sessions.js';

/** What Node's TLS is told beside the server's address. */
export type HttpTlsOptions = Pick<
  ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'checkServerIdentity'
  | 'ciphers'
  | 'crl'
  | 'key'
  | 'maxVersion'
  | 'minVersion'
  | 'passphrase'
  | 'pfx'
  | 'rejectUnauthorized'
  | 'secureContext'
  | 'servername'
>;

export interface ConnectSettings {
  /** Milliseconds. */
  readonly timeout: number;
  readonly tls: HttpTlsOptions;
  readonly sessions: TlsSessions;
}

/** As undici reads: a quarter of it would cost a third of the throughput of large bodies. */
const READ_AHEAD = 64 * 1024;
/** TCP keep-alive begins after so many milliseconds of silence. */
const TCP_KEEP_ALIVE = 60_000;

/**
 * Opens a connection to an origin, with TLS if that is https.
 *
 * @throws HttpTimeoutError, HttpConnectError, or the signal's reason; then nothing is left open
 */
export function openSocket(
  origin: string,
  { timeout, tls, sessions }: ConnectSettings,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const { protocol, hostname, port } = new URL(origin);
    const host = bare(hostname);
    const secure = protocol === 'https:';
    const common = { host, highWaterMark: READ_AHEAD };
    const socket = secure
      ? connectTls({
          ...common,
          port: Number(port || 443),
          ALPNProtocols: ['http/1.1'],
          session: sessions.get(origin),
          ...(isIP(host) === 0 && { servername: host }),
          ...tls,
        })
      : connectTcp({ ...common, port: Number(port || 80) });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE);
    // For as long as it lives: an error that nobody listens to would end the process.
    socket.on('error', () => undefined);
    if (secure) socket.on('session', (session: Buffer) => sessions.set(origin, session));

    const settle = (): void => {
      timer?.cancel();
      signal.removeEventListener('abort', aborted);
      socket
        .off('error', failed)
        .off('close', hungUp)
        .off(secure ? 'secureConnect' : 'connect', connected);
    };
    const giveUp = (error: unknown): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const connected = (): void => {
      settle();
      resolve(socket);
    };
    const failed = (error: Error): void => {
      // It may be the session that the server does not like.
      sessions.forget(origin);
      giveUp(new HttpConnectError(origin, error));
    };
    const hungUp = (): void => {
      failed(new Error('the server hung up'));
    };
    const aborted = (): void => {
      giveUp(signal.reason);
    };
    const timer =
      timeout === Infinity
        ? undefined
        : startTimer(() => giveUp(new HttpTimeoutError('connect', origin, timeout)), timeout);
    socket
      .once(secure ? 'secureConnect' : 'connect', connected)
      .once('error', failed)
      .once('close', hungUp);
    signal.addEventListener('abort', aborted);
  });
}
