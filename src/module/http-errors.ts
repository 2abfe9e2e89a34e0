import {
  Catch,
  Logger,
  ServiceUnavailableException,
  type ArgumentsHost,
  type HttpException,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import {
  PoolClosedError,
  PoolDeadlockError,
  PoolQueueFullError,
  PoolShedError,
  PoolTimeoutError,
  PoolUnavailableError,
} from '../engine/index.js';
import { RequestAbortedError } from '../scope/index.js';

/** The errors that mean "not now": the client may come back later. */
const CAPACITY = [
  PoolTimeoutError,
  PoolQueueFullError,
  PoolShedError,
  PoolUnavailableError,
  PoolDeadlockError,
  PoolClosedError,
] as const;

/** Seconds after which a client may try again, for the `Retry-After` header. */
function retryAfter(error: unknown): number {
  return error instanceof PoolUnavailableError ? Math.max(1, Math.ceil(error.retryInMs / 1000)) : 1;
}

/**
 * What a pool's error means to an HTTP client: 503 for "not now", with nothing of the pool, its factory or its backend
 * in the body. `undefined` for every other error. For applications whose own catch-all filter gets the errors first;
 * they set `Retry-After` from the `retryAfter` (seconds) that comes with it.
 */
export function toHttpException(
  error: unknown,
): { exception: HttpException; retryAfter: number } | undefined {
  if (!CAPACITY.some(kind => error instanceof kind)) return undefined;
  const exception = new ServiceUnavailableException('The service is busy, try again later', {
    cause: error,
    // NestJS 11 leaves it out of the body unless it is given.
    description: 'Service Unavailable',
  });
  return { exception, retryAfter: retryAfter(error) };
}

interface RawResponse {
  readonly raw?: ServerResponse;
}

/** Answers capacity errors with 503 and `Retry-After`, and those of clients that have left not at all. */
@Catch(...CAPACITY, RequestAbortedError)
export class PoolExceptionFilter extends BaseExceptionFilter {
  private readonly log = new Logger('PoolModule');

  override catch(error: Error, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error;
    const response = host.switchToHttp().getResponse<ServerResponse & RawResponse>();
    if (error instanceof RequestAbortedError) {
      // Nobody is there, but the response has to end for what waits for it.
      (response.raw ?? response).end();
      return;
    }
    const answer = toHttpException(error);
    if (!answer) throw error;
    // To the client it is as good as any other; but the application can do something about it.
    if (error instanceof PoolDeadlockError) this.log.error(error.message);
    const adapter = this.applicationRef ?? this.httpAdapterHost?.httpAdapter;
    if (adapter && !adapter.isHeadersSent(response)) {
      adapter.setHeader(response, 'Retry-After', String(answer.retryAfter));
    }
    super.catch(answer.exception, host);
  }
}
