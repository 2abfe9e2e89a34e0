import type { ArgumentsHost } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { brandLike } from '../engine/basics/brand.js';
import type { Filter } from '../transports/index.js';
import { reportToOperators, toHttpException } from './http-errors.js';

interface RawResponse {
  readonly raw?: ServerResponse;
}

/**
 * What a filter is told of an error. One that catches everything asks over HTTP if it is an `HttpException`, and would make a 500
 * of a pool that cannot serve in time: it is told of the exception that this means to a client ({@link toHttpException}), and
 * `Retry-After` is set by then. That is the pool's error, too: by `instanceof`, and by what else is known of it.
 */
export function presented(error: unknown, filter: Filter, host: ArgumentsHost): unknown {
  const catchesAll = filter.exceptionMetatypes.every(kind => kind === Error);
  if (!catchesAll || host.getType<string>() !== 'http') return error;
  const known = toHttpException(error);
  if (!known) return error;
  reportToOperators(error as Error);
  const response = host.switchToHttp().getResponse<ServerResponse & RawResponse>();
  const raw = response.raw ?? response;
  if (known.retryAfter !== undefined && !raw.headersSent) raw.setHeader('Retry-After', known.retryAfter);
  return bothOf(known.exception, error as Error);
}

/** Its message, name and body are for a client; its stack is for a log. */
function bothOf(exception: Error, error: Error): Error {
  brandLike(exception, error);
  Object.defineProperty(exception, 'stack', { value: error.stack, configurable: true, writable: true });
  for (const key of [...Object.keys(error), 'stats']) {
    if (key in exception || !(key in error)) continue;
    Object.defineProperty(exception, key, { value: error[key as keyof Error], configurable: true });
  }
  return exception;
}
