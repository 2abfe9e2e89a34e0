import {
  Catch,
  Logger,
  ServiceUnavailableException,
  type ArgumentsHost,
  type HttpException,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { PoolDeadlockError } from '../engine/index.js';
import { RequestAbortedError } from '../scope/index.js';
import { CAPACITY_ERRORS, describeCapacityError } from './capacity-errors.js';
import { graphQLError, replyOverWs, rpcReply } from './error-replies.js';

/**
 * What a pool's error means to an HTTP client: 503 for "not now", with nothing of the pool, its factory or its backend
 * in the body. `undefined` for every other error. For applications whose own catch-all filter gets the errors first;
 * they set `Retry-After` from the `retryAfter` (seconds) that comes with it.
 */
export function toHttpException(
  error: unknown,
): { exception: HttpException; retryAfter: number } | undefined {
  const known = describeCapacityError(error);
  if (!known) return undefined;
  const exception = new ServiceUnavailableException(known.message, {
    cause: error,
    // NestJS 11 leaves it out of the body unless it is given.
    description: 'Service Unavailable',
  });
  return { exception, retryAfter: known.retryAfter };
}

interface RawResponse {
  readonly raw?: ServerResponse;
}

/**
 * Answers capacity errors so that a client knows to come back later, and nothing of the pool: over HTTP with 503 and
 * `Retry-After`, elsewhere in the transport's own form. Those of clients that have left are not answered over HTTP.
 *
 * `PoolModule` puts it in place for the application. Nest shows gateways no global filters: give them this one, with
 * `@UseFilters(PoolExceptionFilter)`.
 */
@Catch(...CAPACITY_ERRORS, RequestAbortedError)
export class PoolExceptionFilter extends BaseExceptionFilter {
  private readonly log = new Logger('PoolModule');

  override catch(error: Error, host: ArgumentsHost): unknown {
    const type = host.getType<string>();
    // To the client a deadlock is as good as any other; but the application can do something about it.
    if (error instanceof PoolDeadlockError) this.log.error(error.message);
    // It may have been an event, of which nobody else is told; that is not to be seen here.
    else if (type === 'rpc' && !(error instanceof RequestAbortedError)) this.log.warn(error.message);
    switch (type) {
      case 'http':
        this.answer(error, host);
        return undefined;
      case 'rpc':
        return rpcReply(error);
      case 'ws':
        replyOverWs(error, host);
        return undefined;
      case 'graphql':
        throw graphQLError(error);
      default:
        // Not handled: Nest logs the error, and throws it to whoever has called the handler.
        return undefined;
    }
  }

  private answer(error: Error, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<ServerResponse & RawResponse>();
    const raw = response.raw ?? response;
    const known = toHttpException(error);
    // Nobody is there, or has been told of a success already; but the response has to end for what waits for it.
    // It is asked itself, as Fastify's reply does not know of a head that was written past it (NestJS 11).
    if (!known || raw.headersSent) {
      raw.end();
      return;
    }
    const adapter = this.applicationRef ?? this.httpAdapterHost?.httpAdapter;
    adapter?.setHeader(response, 'Retry-After', String(known.retryAfter));
    super.catch(known.exception, host);
  }
}
