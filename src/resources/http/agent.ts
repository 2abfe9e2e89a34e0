import { Dispatcher, errors } from 'undici';
import { KeyedPool } from '../../engine/index.js';
import { EXCHANGE, withoutForeignHeaders, type PooledDispatchOptions } from './call-context.js';
import { Call, type CallSettings } from './call.js';
import type { HttpConnection } from './connection.js';
import { forClient, refuse } from './client-handler.js';
import { httpPool, type HttpPoolOptions } from './options.js';
import { Origins } from './origin.js';

const DEFAULT_TIMEOUT = 60_000;

/**
 * A dispatcher of undici over a pool of connections by origin: for `request`, `stream`, `fetch` and the rest of undici, and
 * under its interceptors.
 *
 * ```ts
 * const agent = new PooledAgent({ max: 20, maxTotal: 200, acquireTimeout: 2_000 });
 * const { body } = await request('https://api.example.com/orders', { dispatcher: agent });
 * ```
 *
 * `dispatch` never refuses: what finds no connection queues, and fails with the errors of `pool.acquire()`.
 */
export class PooledAgent extends Dispatcher {
  /** Its connections, by origin. Watch it, resize it, close it; borrow from it only to close a connection. */
  readonly pool: KeyedPool<string, HttpConnection>;
  private readonly settings: CallSettings;
  private readonly origins = new Origins();

  /**
   * @param pool one that was made of {@link httpPool}; default one of its own, of these options
   * @throws PoolOptionsError naming the option and what is allowed
   */
  constructor(options: HttpPoolOptions = {}, pool?: KeyedPool<string, HttpConnection>) {
    super();
    const { headers = DEFAULT_TIMEOUT, body = DEFAULT_TIMEOUT } = options.timeouts ?? {};
    this.pool = pool ?? new KeyedPool<string, HttpConnection>(httpPool(options));
    this.settings = { pool: this.pool, headersTimeout: headers, bodyTimeout: body };
  }

  override dispatch(options: PooledDispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const exchange = options[EXCHANGE];
    if (exchange?.aborted) {
      refuse(handler, exchange.reason!);
      return true;
    }
    const shown = forClient(handler);
    const origin = this.origins.of(options.origin);
    if (origin === undefined) {
      shown.onError?.(new errors.InvalidArgumentError('opts.origin must be an http: or https: URL.'));
    } else {
      new Call(this.settings, origin, withoutForeignHeaders(options, origin), shown).start();
    }
    return true;
  }

  /** Refuses further requests, and waits for those that it has, up to 10 000 ms; then they fail. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    return told(this.pool.close({ drain: true }), callback);
  }

  /** Ends all connections at once; requests that are under way fail. */
  override destroy(error?: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | void {
    return told(this.pool.close({ timeout: 0 }), typeof error === 'function' ? error : callback);
  }
}

function told(closed: Promise<void>, callback: (() => void) | undefined): Promise<void> | void {
  return callback ? void closed.then(callback) : closed;
}
