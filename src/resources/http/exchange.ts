import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { startTimer, type Timer } from '../../engine/time/timer.js';
import { CONTEXT, EXCHANGE, type Abortable, type PooledDispatchOptions } from './call-context.js';
import { Shown } from './client-handler.js';
import { HttpTimeoutError } from './errors.js';
import { originOf } from './origin.js';

type Controller = Dispatcher.DispatchController;
type Handler = Dispatcher.DispatchHandler;
type Raw = Exclude<Controller['rawHeaders'], undefined>;
type Parsed = Parameters<NonNullable<Handler['onResponseEnd']>>[1];

/**
 * The outermost interceptor of a session that has interceptors. They may pause between two requests, as that of retries
 * does: nobody below them is there then to keep the deadline, or to be aborted.
 */
export const exchanges: Dispatcher.DispatcherComposeInterceptor = dispatch => (options, handler) =>
  new Exchange(options, handler).begin(dispatch);

/**
 * All that the interceptors do for one dispatch: the handler of what they tell, and the controller that the handler above
 * them has for all of it. At the deadline, or when it is aborted, it ends for that handler at once; what they do about it,
 * and tell later, is nobody's concern any more.
 */
class Exchange extends Shown implements Handler, Controller, Abortable {
  paused = false;
  aborted = false;
  reason: Error | null = null;
  /** Has the handler been told its end? */
  private over = false;
  private timer: Timer | undefined = undefined;
  /** That of the present request. */
  private current: Controller | undefined = undefined;
  /** The handler has it from the beginning; what interceptors say of it is added. */
  private readonly context = {};

  constructor(
    private readonly options: PooledDispatchOptions,
    private readonly handler: Handler,
  ) {
    super();
  }

  begin(dispatch: Dispatcher['dispatch']): boolean {
    this.watch();
    try {
      // Now, and not with its first request: an interceptor may pause before that, too.
      this.handler.onRequestStart?.(this, this.context);
    } catch (error) {
      this.abort(error as Error);
    }
    if (this.over) return true;
    try {
      return dispatch({ ...this.options, [EXCHANGE]: this } as PooledDispatchOptions, this);
    } catch (error) {
      return this.refused(error);
    }
  }

  /** An interceptor throws: that is for the caller, unless the handler has been told already. */
  private refused(error: unknown): boolean {
    if (this.over) return true;
    this.finish();
    throw error;
  }

  private watch(): void {
    const { [CONTEXT]: context, origin } = this.options;
    if (!context?.deadline) return;
    const { at, timeout } = context.deadline;
    const late = (): void => {
      if (!this.over)
        this.abort(new HttpTimeoutError('total', originOf(origin) ?? 'an unknown origin', timeout));
    };
    this.timer = startTimer(late, Math.max(0, at - performance.now()));
  }

  private finish(): void {
    this.over = true;
    this.timer?.cancel();
  }

  // ---- what its handler may do ----

  abort(reason?: Error): void {
    if (this.over) return;
    this.reason = reason ?? new DOMException('The operation was aborted.', 'AbortError');
    this.aborted = true;
    this.finish();
    try {
      this.current?.abort(this.reason);
    } finally {
      this.handler.onResponseError?.(this, this.reason);
    }
  }

  pause(): void {
    this.paused = true;
    this.current?.pause();
  }

  resume(): void {
    this.paused = false;
    this.current?.resume();
  }

  get rawHeaders(): Raw {
    return this.current?.rawHeaders ?? null;
  }

  get rawTrailers(): Raw {
    return this.current?.rawTrailers ?? null;
  }

  // ---- what the interceptors tell ----

  /** Is what a request tells still wanted? One that began in a pause, or that did not hear of the abort, hears of it now. */
  private wants(controller: Controller): boolean {
    if (this.over) {
      if (this.aborted && !controller.aborted) controller.abort(this.reason!);
      return false;
    }
    if (controller !== this.current) {
      this.current = controller;
      if (this.paused) controller.pause();
    }
    return true;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    if (this.wants(controller)) Object.assign(this.context, context);
  }

  onRequestUpgrade(controller: Controller, status: number, headers: Parsed, socket: Duplex): void {
    if (!this.wants(controller)) {
      socket.destroy();
      return;
    }
    // From here on the socket is its handler's own.
    this.finish();
    this.handler.onRequestUpgrade?.(this, status, headers, socket);
  }

  onResponseStart(controller: Controller, status: number, headers: Parsed, text?: string): void {
    if (this.wants(controller)) this.handler.onResponseStart?.(this, status, headers, text);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.wants(controller)) this.handler.onResponseData?.(this, chunk);
  }

  onResponseEnd(controller: Controller, trailers: Parsed): void {
    if (!this.wants(controller)) return;
    this.over = true;
    try {
      this.handler.onResponseEnd?.(this, trailers);
    } catch (error) {
      // Told as an error later: that of retries does not like the response.
      this.over = false;
      throw error;
    }
    this.finish();
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (this.over) return;
    this.finish();
    this.handler.onResponseError?.(this, error);
  }
}
