import type { Duplex } from 'node:stream';
import { util, type Dispatcher } from 'undici';

type Handler = Dispatcher.DispatchHandler;

/**
 * The handler that a client of undici 7 speaks to, as do its `request`, `stream` and `fetch`. undici calls it the old kind;
 * interceptors have handlers of the new one.
 */
export interface ClientHandler {
  onConnect?(abort: (reason?: Error) => void): void;
  onBodySent?(chunk: unknown): void;
  onRequestSent?(): void;
  onResponseStarted?(): void;
  onHeaders?(status: number, headers: Buffer[], resume: () => void, text: string): boolean;
  onData?(chunk: Buffer): boolean;
  onComplete?(trailers: string[] | null): void;
  onUpgrade?(status: number, headers: Buffer[] | string[] | null, socket: Duplex): void;
  onError?(error: Error): void;
}

type Headers = ReturnType<typeof util.parseHeaders>;

/** What a handler of the new kind steers its response with. */
class Controller implements Dispatcher.DispatchController {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders: Buffer[] | string[] | null = null;
  rawTrailers: Buffer[] | string[] | null = null;
  /** Lets the connection read on. */
  flow: (() => void) | undefined = undefined;

  constructor(private readonly stop: (reason?: Error) => void) {}

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.stop(reason);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.flow?.();
  }
}

/** Shows a handler of the new kind to who speaks to one of the old kind: a client, or an interceptor. */
export class Shown implements ClientHandler {
  private readonly shown: Handler;
  private controller: Controller | undefined = undefined;

  /** @param handler default itself: a handler of the new kind that extends this class is one of the old kind, too */
  constructor(handler?: Handler) {
    this.shown = handler ?? this;
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.controller = new Controller(abort);
    this.shown.onRequestStart?.(this.controller, {});
  }

  onUpgrade(status: number, raw: Buffer[] | string[] | null, socket: Duplex): void {
    const controller = this.controller!;
    controller.rawHeaders = raw;
    this.shown.onRequestUpgrade?.(controller, status, parsed(raw), socket);
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, text: string): boolean {
    const controller = this.controller!;
    controller.flow = resume;
    controller.rawHeaders = raw;
    this.shown.onResponseStart?.(controller, status, parsed(raw), text);
    return !controller.paused;
  }

  onData(chunk: Buffer): boolean {
    const controller = this.controller!;
    this.shown.onResponseData?.(controller, chunk);
    return !controller.paused;
  }

  onComplete(raw: string[] | null): void {
    const controller = this.controller!;
    controller.rawTrailers = raw;
    this.shown.onResponseEnd?.(controller, parsed(raw));
  }

  onError(error: Error): void {
    // It may fail before it has begun.
    this.controller ??= new Controller(() => undefined);
    this.shown.onResponseError?.(this.controller, error);
  }
}

function parsed(raw: Buffer[] | string[] | null): Headers {
  return util.parseHeaders(raw ?? []);
}

/** The handler itself, if it is of the old kind; or else what shows it to a client. */
export function forClient(handler: Handler): ClientHandler {
  return handler.onRequestStart ? new Shown(handler) : (handler as ClientHandler);
}

/** Tells a handler that its request is not sent, as the exchange that it belongs to has been aborted. */
export function refuse(handler: Handler, reason: Error): void {
  if (!handler.onRequestStart) {
    (handler as ClientHandler).onError?.(reason);
    return;
  }
  // One that says so: that of retries would try again.
  const controller = new Controller(() => undefined);
  controller.abort(reason);
  handler.onResponseError?.(controller, reason);
}
