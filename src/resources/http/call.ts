import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { AcquireSignal, KeyedPool, Lease } from '../../engine/index.js';
import { startTimer, type Timer } from '../../engine/time/timer.js';
import { CONTEXT, type CallContext, type PooledDispatchOptions } from './call-context.js';
import type { ClientHandler } from './client-handler.js';
import type { HttpConnection } from './connection.js';
import { HttpConnectionTakenError, HttpTimeoutError } from './errors.js';
import type { Watched } from './watchdog.js';

/** What the calls of an agent have in common. */
export interface CallSettings {
  readonly pool: KeyedPool<string, HttpConnection>;
  /** Milliseconds. */
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
}

/** Methods that may be sent twice, since the second has no effect that the first has not had: RFC 9110, 9.2.2. */
const IDEMPOTENT = new Set<string>(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/**
 * One request, from the queue for a connection to the last byte of its response: between its handler, which wants an
 * answer, and the client of a connection, to which it is the handler.
 *
 * When an idle connection turns out to be dead, the request goes on with another one, if it can have had no effect: it was
 * not sent, or it is idempotent and no byte of a response has come.
 */
export class Call implements ClientHandler, AcquireSignal, Watched {
  private lease: Lease<HttpConnection> | undefined = undefined;
  /** That of the lease, also where the pool has taken it away. */
  private connection: HttpConnection | undefined = undefined;
  private readonly context: CallContext | undefined;
  /** Does the handler know how to abort it? It is told once, on whatever connection. */
  private introduced = false;
  /** On the present connection: aborts it there. Undefined until it is about to be written. */
  private stop: ((reason?: Error) => void) | undefined = undefined;
  /** Has all of the request been written? */
  private sent = false;
  /** Has a byte of the response come? */
  private answered = false;
  private reused = false;
  private done = false;
  private aborted = false;
  private totalTimer: Timer | undefined = undefined;
  /** Who listens for an abort while it queues. */
  private waiting: { handleEvent(): void } | undefined = undefined;
  reason: unknown = undefined;

  constructor(
    private readonly settings: CallSettings,
    private readonly origin: string,
    private readonly options: PooledDispatchOptions,
    private readonly handler: ClientHandler,
  ) {
    this.context = options[CONTEXT];
  }

  start(): void {
    const deadline = this.context?.deadline;
    if (deadline) {
      const { at, timeout } = deadline;
      const late = (): HttpTimeoutError => new HttpTimeoutError('total', this.origin, timeout);
      const left = at - performance.now();
      // A redirect or another try, for which there is no time any more.
      if (left <= 0) {
        this.fail(late());
        return;
      }
      this.totalTimer = startTimer(() => {
        this.abort(late());
      }, left);
    }
    this.begin();
  }

  // ---- to a connection ----

  private begin(): void {
    const { pool } = this.settings;
    let lease: Lease<HttpConnection> | undefined;
    try {
      while ((lease = pool.tryAcquire(this.origin)) && !lease.resource.isOpen) lease.destroy();
    } catch (error) {
      this.fail(error);
      return;
    }
    if (lease) this.send(lease);
    else this.queue();
  }

  private queue(): void {
    // It can be aborted from now on, not only when it has a connection.
    this.introduce();
    if (this.done) return;
    const { priority, acquireTimeout } = this.context ?? {};
    this.settings.pool.acquire(this.origin, { signal: this, priority, timeout: acquireTimeout }).then(
      lease => {
        if (this.done) lease.release();
        else if (lease.resource.isOpen) this.send(lease);
        else {
          lease.destroy();
          this.begin();
        }
      },
      (error: unknown) => {
        this.fail(error);
      },
    );
  }

  private send(lease: Lease<HttpConnection>): void {
    const connection = lease.resource;
    this.lease = lease;
    this.connection = connection;
    if (!connection.completing) {
      this.write(connection);
      return;
    }
    // The end of a response has led to this request, as with a redirect. Whether the connection stays open shows when its
    // client is done with the former.
    queueMicrotask(() => {
      if (this.done) this.giveBack();
      else if (connection.isOpen) this.write(connection);
      else {
        this.giveBack(new HttpConnectionTakenError(this.origin, 'it was closed'));
        this.begin();
      }
    });
  }

  private write(connection: HttpConnection): void {
    this.reused = connection.served++ > 0;
    connection.client.dispatch(this.optionsForClient(), this);
  }

  private optionsForClient(): Dispatcher.DispatchOptions {
    const { options } = this;
    const secure = this.origin.startsWith('https:');
    if (!secure && options.headersTimeout === undefined && options.bodyTimeout === undefined) return options;
    return {
      ...options,
      // Those of the watchdog are in their place.
      headersTimeout: 0,
      bodyTimeout: 0,
      // A host header does not change whose certificate is wanted: for another one the client would connect anew.
      ...(secure && { servername: new URL(this.origin).hostname }),
    };
  }

  // ---- what its handler may do ----

  private readonly abort = (reason?: Error): void => {
    if (this.done || this.aborted) return;
    this.aborted = true;
    this.reason = reason ?? new DOMException('The operation was aborted.', 'AbortError');
    if (this.stop) {
      this.stop(this.reason as Error);
      return;
    }
    // In the queue; or with the client, which has not begun to write, and will find out.
    if (!this.lease) this.fail(this.reason);
  };

  private introduce(): void {
    if (this.introduced) return;
    this.introduced = true;
    try {
      this.handler.onConnect?.(this.abort);
    } catch (error) {
      this.abort(error as Error);
    }
  }

  // ---- as the signal of its acquire ----

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  addEventListener(_event: 'abort', listener: { handleEvent(): void }): void {
    this.waiting = listener;
  }

  removeEventListener(): void {
    this.waiting = undefined;
  }

  // ---- what the client tells ----

  onConnect(stop: (reason?: Error) => void): void {
    this.introduce();
    // Thrown, and not stopped: nothing was written, and the connection stays good.
    if (this.aborted) throw this.reason;
    this.stop = stop;
    const { options, context, settings } = this;
    const timeout = limit(options.headersTimeout) ?? context?.headersTimeout ?? settings.headersTimeout;
    this.watch(timeout, 'headers');
  }

  onBodySent(chunk: unknown): void {
    this.connection?.watchdog.refresh();
    this.handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.sent = true;
    this.handler.onRequestSent?.();
  }

  onResponseStarted(): void {
    this.answered = true;
    this.handler.onResponseStarted?.();
  }

  onHeaders(status: number, headers: Buffer[], resume: () => void, text: string): boolean {
    this.answered = true;
    if (status >= 200) {
      const { options, context, settings } = this;
      this.watch(limit(options.bodyTimeout) ?? context?.bodyTimeout ?? settings.bodyTimeout, 'body');
    }
    const readOn = (): void => {
      this.connection?.watchdog.refresh();
      resume();
    };
    return this.handler.onHeaders?.(status, headers, readOn, text) ?? true;
  }

  onData(chunk: Buffer): boolean {
    this.connection?.watchdog.refresh();
    return this.handler.onData?.(chunk) ?? true;
  }

  onComplete(trailers: string[] | null): void {
    const connection = this.connection!;
    this.finish();
    connection.completing = true;
    try {
      // First, so that whoever goes on after this response finds the connection idle.
      this.giveBack();
      this.handler.onComplete?.(trailers);
    } catch (error) {
      // That of retries throws where it does not like the response that is complete now.
      this.handler.onError?.(error as Error);
    } finally {
      connection.completing = false;
    }
  }

  onUpgrade(status: number, headers: Buffer[] | string[] | null, socket: Duplex): void {
    const lease = this.lease!;
    this.lease = undefined;
    this.finish();
    this.connection!.watchdog.stop();
    // It is a connection to the server as before, and counts as one for as long as it is open.
    socket.once('close', lease.destroy);
    this.handler.onUpgrade?.(status, headers, socket);
  }

  onError(error: Error): void {
    const begun = this.stop !== undefined;
    this.giveBack(begun ? error : undefined);
    if (this.mayRepeat(error, begun)) {
      this.stop = undefined;
      this.sent = false;
      this.begin();
    } else this.fail(error);
  }

  // ---- its end ----

  /**
   * The connection was gone: can nobody tell the difference if the request is sent once more? Each time another reused
   * connection has ended, and a new one is the last: a server that was restarted may have closed all that are idle.
   */
  private mayRepeat(error: Error, begun: boolean): boolean {
    if (this.aborted || this.done || error instanceof HttpConnectionTakenError) return false;
    if (!begun) return (error as { code?: unknown }).code === 'HTTP_CONNECTION_CLOSED';
    if (this.answered || !this.reused) return false;
    const { method, body, idempotent = IDEMPOTENT.has(method) } = this.options;
    return idempotent && isRepeatable(body);
  }

  private fail(error: unknown): void {
    if (this.done) return;
    this.finish();
    const { waiting } = this;
    this.waiting = undefined;
    // Out of the queue, if it is there.
    waiting?.handleEvent();
    this.handler.onError?.(error as Error);
  }

  private finish(): void {
    this.done = true;
    this.totalTimer?.cancel();
  }

  private giveBack(error?: Error): void {
    const { lease } = this;
    if (!lease) return;
    this.lease = undefined;
    this.connection!.watchdog.disarm();
    if (error) lease.destroy(error);
    else lease.release();
  }

  private watch(timeout: number, phase: 'headers' | 'body'): void {
    this.connection!.watchdog.arm(timeout, this, phase);
  }

  /** Of the watchdog: nothing has happened for as long as is allowed. */
  late(timeout: number, phase: 'headers' | 'body'): void {
    const { watchdog, isCongested } = this.connection!;
    // It is the caller's own body that does not come on.
    if (phase === 'headers' && !this.sent && !isCongested) watchdog.arm(timeout, this, phase);
    else this.abort(new HttpTimeoutError(phase, this.origin, timeout));
  }
}

/** That of an undici option, to which 0 means none; undefined is one that was not given. */
function limit(timeout: number | null | undefined): number | undefined {
  return timeout === 0 ? Infinity : (timeout ?? undefined);
}

function isRepeatable(body: unknown): boolean {
  return body === undefined || body === null || typeof body === 'string' || ArrayBuffer.isView(body);
}
