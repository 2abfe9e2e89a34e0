import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/**
 * What middleware on its way to a body has to wait for before it may borrow: a client that sends its body slowly, or
 * never, would have a resource for as long. Resolves when the body has come, or as much of it as Node takes in before
 * somebody reads it; rejects when the client leaves.
 *
 * @returns undefined where there is nothing to wait for, or the body is being read already
 */
export function bodyOnItsWay(
  request: IncomingMessage | undefined,
  response: ServerResponse | undefined,
): Promise<void> | undefined {
  if (!request || request.complete || !hasBody(request) || isBeingRead(request)) return undefined;
  // Nothing comes in before somebody reads over HTTP/2, nor in a request that a test or a serverless adapter has made.
  if (request.httpVersionMajor >= 2 || !(request.socket instanceof Socket)) return undefined;
  if (isFull(request) || request.destroyed) return undefined;
  // It is for the application to say whether it wants the body, which a client that waits for that does not send.
  if (request.headers.expect !== undefined && !(response as Continuing | undefined)?._sent100)
    return undefined;
  return new Promise(resolve => {
    const arrived = (): void => {
      Reflect.deleteProperty(request, 'push');
      request.off('close', arrived);
      resolve();
    };
    // There is no event for it that would not begin to read.
    const push = request.push.bind(request);
    request.push = (...args) => {
      const more = push(...args);
      if (request.complete || isFull(request)) arrived();
      return more;
    };
    // Whoever borrows then is told that the client has left.
    request.once('close', arrived);
  });
}

/** Node says so of a response that has asked for the body. */
interface Continuing {
  readonly _sent100?: boolean;
}

function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

function isBeingRead(request: IncomingMessage): boolean {
  return request.readableFlowing !== null || request.readableDidRead || request.listenerCount('readable') > 0;
}

function isFull(request: IncomingMessage): boolean {
  return request.readableLength >= request.readableHighWaterMark;
}
