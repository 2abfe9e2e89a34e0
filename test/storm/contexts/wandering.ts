import { AsyncResource } from 'node:async_hooks';
import type { Middleware } from '../middleware.js';
import type { Tenancy } from './tenancy.js';

/** So many requests come between two that a driver connects for. */
const RECONNECT = 25;

/** Middleware behind which a request goes on in no context, or in that of another request. */
export class Wandering implements Disposable {
  private readonly queue: (() => void)[] = [];
  /** It was set up before any request came, so what it calls runs in no scope. */
  private readonly ticking = setInterval(() => {
    for (const go of this.queue.splice(0)) go();
  }, 1);
  private come = 0;
  private callBack = (call: () => void): void => {
    call();
  };

  constructor(private readonly tenancy: Tenancy) {}

  readonly lost: Middleware = (_guest, _request, _response, next) => {
    this.queue.push(next);
  };

  /** As a driver does that has one connection, which was made by a request that may be over, or still going on. */
  readonly foreign: Middleware = (_guest, _request, _response, next) => {
    if (this.come++ % RECONNECT === 0) {
      this.callBack = AsyncResource.bind((call: () => void) => {
        call();
      });
    }
    setImmediate(this.callBack, next);
  };

  /** Comes after either. */
  readonly borrowing: Middleware = (guest, _request, _response, next) => {
    this.tenancy.check(guest, 'middleware').then(() => {
      next();
    }, next);
  };

  [Symbol.dispose](): void {
    clearInterval(this.ticking);
  }
}
