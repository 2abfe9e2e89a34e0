import type {
  DestroyReason,
  KeyedCreateContext,
  KeyedResourceFactory,
  ResourceTarget,
} from '../../engine/index.js';
import { openSocket, type ConnectSettings } from './connect.js';
import { HttpConnection, type KeepAliveSettings } from './connection.js';
import { HttpConnectionClosedError, isHopeless } from './errors.js';
import { serverOf } from './origin.js';

/** How a pool makes and ends connections. They are told apart by their origin, such as `https://api.example.com`. */
export class HttpFactory implements KeyedResourceFactory<string, HttpConnection> {
  // Private for the language too: keys must not appear in a log of the options.
  readonly #connect: ConnectSettings;
  readonly #keepAlive: KeepAliveSettings;

  constructor(
    connect: ConnectSettings,
    keepAlive: KeepAliveSettings,
    /** The server of most of them, where there is such a one. */
    readonly target: ResourceTarget | undefined,
  ) {
    this.#connect = connect;
    this.#keepAlive = keepAlive;
  }

  readonly create = async ({
    key,
    signal,
    invalidate,
  }: KeyedCreateContext<string>): Promise<HttpConnection> => {
    const socket = await openSocket(key, this.#connect, signal);
    socket.once('close', () => invalidate(new HttpConnectionClosedError(key)));
    return new HttpConnection(key, socket, this.#keepAlive);
  };

  readonly destroy = (connection: HttpConnection, reason: DestroyReason): Promise<void> => {
    return connection.end(reason);
  };

  readonly targetOf = (origin: string): ResourceTarget | undefined => {
    return serverOf(origin);
  };

  readonly isRetryable = (error: unknown): boolean => {
    return !isHopeless(error);
  };
}
