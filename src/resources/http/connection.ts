import type { Socket } from 'node:net';
import { Client, type buildConnector } from 'undici';
import { HttpConnectionClosedError, HttpConnectionTakenError } from './errors.js';
import { Watchdog } from './watchdog.js';

/** How long an idle connection is kept, in milliseconds. */
export interface KeepAliveSettings {
  /** When the server does not say. */
  readonly keepAliveTimeout: number;
  /** At most, when it does. */
  readonly keepAliveMaxTimeout: number;
}

/** One connection to an origin, on which one request after the other is made. What the pool of a session lends. */
export class HttpConnection {
  /** How many requests it has begun. */
  served = 0;
  /** Is its client in the middle of ending a response, so that it cannot be given another request at once? */
  completing = false;
  /** @internal */
  readonly watchdog = new Watchdog();
  /** @internal */
  readonly client: Client;
  readonly #socket: Socket;
  #handed = false;

  constructor(
    /** Scheme, host and port: `https://api.example.com`. */
    readonly origin: string,
    socket: Socket,
    keepAlive: KeepAliveSettings,
  ) {
    this.#socket = socket;
    // Until the first request its client does not have it, and nothing is to keep the process for it.
    socket.unref();
    this.client = new Client(origin, {
      ...keepAlive,
      pipelining: 1,
      // Those of the watchdog are in their place.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: this.#hand,
    });
  }

  /** As far as it is known here: the server may have closed it already. */
  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.client.destroyed;
  }

  /** Is it the other side that has to take something now, rather than this one to give it? */
  get isCongested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Resolves when its socket is closed. A request that is under way fails. */
  async end(reason: string): Promise<void> {
    const socket = this.#socket;
    this.watchdog.stop();
    const closed = socket.closed || new Promise(resolve => socket.once('close', resolve));
    // Not waited for: where the socket is closing just now, it would not hear of it.
    void this.client.destroy(new HttpConnectionTakenError(this.origin, reason));
    // Also one that the client does not have yet, or not any more after an upgrade.
    socket.destroy();
    await closed;
  }

  /** Gives the client the one socket there is. It would go on with another when that is closed; the pool does that. */
  readonly #hand: buildConnector.connector = (_options, callback) => {
    const first = !this.#handed;
    this.#handed = true;
    // A client does not go on when it is called back at once.
    queueMicrotask(() => {
      if (!first) {
        callback(new HttpConnectionClosedError(this.origin), null);
        return;
      }
      this.#socket.ref();
      callback(null, this.#socket);
    });
  };
}
