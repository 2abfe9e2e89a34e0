import {
  Catch,
  GatewayTimeoutException,
  InternalServerErrorException,
  Logger,
  ServiceUnavailableException,
  type ArgumentsHost,
  type HttpException,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { PoolDeadlockError, TransactionOutcomeUnknownError } from '../engine/index.js';
import { DeadlineExceededError, RequestAbortedError } from '../scope/index.js';
import type { Filter } from '../transports/index.js';
import { CAPACITY_ERRORS, describeCapacityError } from './capacity-errors.js';
import { DEADLINE_EXCEEDED, OUTCOME_UNKNOWN, graphQLError, replyOverWs, rpcReply } from './error-replies.js';

/**
 * What a pool's error means to an HTTP client, with nothing of the pool, its factory or its backend in the body: 503 for
 * "not now", 504 when the deadline of the client itself has passed, and 500 with the code `TRANSACTION_OUTCOME_UNKNOWN` when nobody
 * knows whether what was asked for was committed.
 * `undefined` for every other error. For what answers without filters of Nest; it sets
 * `Retry-After` from `retryAfter` (seconds), if that comes with it: what may have been done is not to be repeated.
 */
export function toHttpException(
  error: unknown,
): { exception: HttpException; retryAfter: number | undefined } | undefined {
  if (error instanceof TransactionOutcomeUnknownError) {
    const body = { statusCode: 500, error: 'Internal Server Error', ...OUTCOME_UNKNOWN };
    return { exception: new InternalServerErrorException(body, { cause: error }), retryAfter: undefined };
  }
  if (error instanceof DeadlineExceededError) {
    const options = { cause: error, description: 'Gateway Timeout' };
    return {
      exception: new GatewayTimeoutException(DEADLINE_EXCEEDED.message, options),
      retryAfter: undefined,
    };
  }
  const known = describeCapacityError(error);
  if (!known) return undefined;
  const exception = new ServiceUnavailableException(known.message, {
    cause: error,
    // NestJS 11 leaves it out of the body unless it is given.
    description: 'Service Unavailable',
  });
  return { exception, retryAfter: known.retryAfter };
}

const log = new Logger('PoolModule');

/** Logs what an application can do something about, while to the client it is as good as any other. Tells if it has. */
export function reportToOperators(error: Error): boolean {
  if (error instanceof PoolDeadlockError) log.error(error.message);
  else if (error instanceof TransactionOutcomeUnknownError) log.error(error.message, error.stack);
  else return false;
  return true;
}

/** Nobody waits for the answer any more; that is no news to an operator. */
function isGivenUp(error: Error): boolean {
  return error instanceof RequestAbortedError || error instanceof DeadlineExceededError;
}

interface RawResponse {
  readonly raw?: ServerResponse;
}

const ANSWERED = [
  ...CAPACITY_ERRORS,
  TransactionOutcomeUnknownError,
  RequestAbortedError,
  DeadlineExceededError,
];

/**
 * Answers capacity errors, and commits of which nobody has heard, so that a client knows what to do, and nothing of the pool: over HTTP with
 * {@link toHttpException}, elsewhere in the transport's own form. Those of clients that have left are not answered over HTTP.
 *
 * `PoolModule` puts it in place for the application, also where Nest shows handlers no global filters. It is the last to be asked:
 * any filter of the application that catches these errors gets them before. Bind it to a controller to have it asked there first.
 */
@Catch(...ANSWERED)
export class PoolExceptionFilter extends BaseExceptionFilter {
  override catch(error: Error, host: ArgumentsHost): unknown {
    const type = host.getType<string>();
    const isReported = reportToOperators(error);
    // It may have been an event, of which nobody else is told; that is not to be seen here.
    if (!isReported && type === 'rpc' && !isGivenUp(error)) log.warn(error.message);
    switch (type) {
      case 'http':
        this.answer(error, host);
        return undefined;
      case 'rpc':
        return rpcReply(error, host);
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
    if (known.retryAfter !== undefined) adapter?.setHeader(response, 'Retry-After', String(known.retryAfter));
    super.catch(known.exception, host);
  }
}

/** That of `PoolModule`, which Nest tells from one that the application has bound itself by the list that it has of its own. */
@Catch(...ANSWERED)
export class DefaultPoolFilter extends PoolExceptionFilter {}

/** What Nest keeps about a filter; the name is the same in NestJS 11 and 12. */
const CATCHES = '__filterCatchExceptions__';

/** The filter as Nest keeps it, for handlers that it shows no global ones. */
export function poolFilter(): Filter {
  const filter = new DefaultPoolFilter();
  return {
    func: (error, host) => filter.catch(error as Error, host),
    exceptionMetatypes: Reflect.getMetadata(CATCHES, DefaultPoolFilter) as readonly unknown[],
  };
}
