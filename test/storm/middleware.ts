import type { INestApplication } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Tenancy } from './contexts/tenancy.js';
import { Wandering } from './contexts/wandering.js';
import { GuestBook, type Guest } from './guest.js';
import { Kit } from './kit.js';
import type { Kind } from './kinds.js';
import { Teller } from './money/teller.js';
import { TransferMiddleware } from './money/transfer-middleware.js';
import { StreamingMiddleware } from './streams/middleware.js';

export type Next = (error?: unknown) => void;
/** As a platform's, with the guest whose request it is. */
export type Middleware = (
  guest: Guest,
  request: IncomingMessage,
  response: ServerResponse,
  next: Next,
) => unknown;

/** Mounts all middleware of the storm. To be disposed of when the application is closed. */
export function useMiddleware(app: INestApplication): Disposable {
  const kit = app.get(Kit);
  const book = app.get(GuestBook);

  // Mounted by hand: where a platform mounts it, `request.url` has lost its beginning, by which a scope is told.
  const use = (kind: Kind, middleware: Middleware): void => {
    const path = new RegExp(`^/[a-z]+/${kind}$`);
    app.use((request: IncomingMessage, response: ServerResponse, next: Next) => {
      if (!path.test(request.url ?? '')) {
        next();
        return undefined;
      }
      const guest = book.of(request);
      guest.at('asking');
      // Who borrows for the first time when the client has left may be refused; nobody has to be told of it.
      const go: Next = error => {
        if (error !== undefined && response.destroyed) response.end();
        else next(error);
      };
      return middleware(guest, request, response, go);
    });
  };

  use('middleware', (guest, _request, _response, next) => {
    kit.facade
      .get()
      .then(db => kit.custody.begin(db, guest))
      .then(begun => {
        begun[Symbol.dispose]();
        next();
      })
      .catch(next);
  });

  const streaming = new StreamingMiddleware(kit);
  use('async-middleware', (guest, _request, response) => streaming.awaited(guest, response));
  use('callback-middleware', (guest, _request, response) => {
    streaming.byCallback(guest, response, true);
  });
  use('endless-middleware', (guest, _request, response) => {
    if (guest.visit.deep) return streaming.withoutEnd(guest, response);
    streaming.byCallback(guest, response, false);
    return undefined;
  });
  use('piping-middleware', (guest, _request, response) => {
    streaming.piping(guest, response);
  });

  const wandering = new Wandering(app.get(Tenancy));
  const { lost, foreign, borrowing } = wandering;
  for (const middleware of [lost, borrowing, lost]) use('lost-context', middleware);
  for (const middleware of [foreign, borrowing, foreign]) use('foreign-context', middleware);

  const transfers = new TransferMiddleware(kit.facade, kit.custody, app.get(Teller));
  use('transfer-middleware', transfers.awaited);
  use('transfer-callback', transfers.unseen);
  return wandering;
}
