import type { ArgumentsHost } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { TransactionOutcomeUnknownError } from '../engine/index.js';
import { DeadlineExceededError, RequestAbortedError } from '../scope/index.js';
import { grpcCallOf } from '../transports/index.js';
import { describeCapacityError, type CapacityErrorDescription } from './capacity-errors.js';
import { retryMetadata } from './grpc-errors.js';

// What pool errors are answered with where there is no HTTP: each in the form in which Nest's own filter of that
// transport would answer. Their packages are not imported, as applications need not have them.

/** Of a COMMIT that nobody has heard of: nothing that would have a client repeat what may have been done. */
export const OUTCOME_UNKNOWN = {
  code: 'TRANSACTION_OUTCOME_UNKNOWN',
  message: 'It is not known whether this was done: find out before you repeat it',
} as const;

/** Of a request whose client has said until when it waits. */
export const DEADLINE_EXCEEDED = {
  code: 'DEADLINE_EXCEEDED',
  message: 'The deadline of the request has passed',
} as const;

/**
 * What the client is told; of a request that nobody waits for any more (RequestAbortedError), CANCELLED of gRPC, of one
 * whose deadline has passed its DEADLINE_EXCEEDED, and where nobody knows whether it was done, its UNKNOWN.
 */
function replyTo(error: Error): CapacityErrorDescription | { message: string; code: 1 | 2 | 4 } {
  if (error instanceof TransactionOutcomeUnknownError) return { message: OUTCOME_UNKNOWN.message, code: 2 };
  if (error instanceof DeadlineExceededError) return { message: DEADLINE_EXCEEDED.message, code: 4 };
  return describeCapacityError(error) ?? { message: 'The request was cancelled', code: 1 };
}

/** To a microservice's client, as `BaseRpcExceptionFilter` does; gRPC takes its status from `code` and its trailers from `metadata`. */
export function rpcReply(error: Error, host: ArgumentsHost): Observable<never> {
  const reply = { status: 'error', ...replyTo(error) };
  const call = grpcCallOf(host.getArgs());
  if (!call || !('retryAfter' in reply)) return throwError(() => reply);
  const metadata = retryMetadata(call, reply.code, reply.message, reply.retryAfter);
  return throwError(() => ({ ...reply, metadata }));
}

/** Of socket.io, and of a native WebSocket. */
interface WsClient {
  readonly emit?: (event: string, data: unknown) => void;
  readonly readyState?: number;
  readonly send?: (text: string) => void;
}

/** To the client of a gateway, as `BaseWsExceptionFilter` does: an `exception` that names the message it is about. */
export function replyOverWs(error: Error, host: ArgumentsHost): void {
  const ws = host.switchToWs();
  const client = ws.getClient<WsClient>();
  const reply = {
    status: 'error',
    ...replyTo(error),
    cause: { pattern: ws.getPattern(), data: ws.getData<unknown>() },
  };
  // A native socket can emit too, but its events do not leave the process; NestJS 11 says them there.
  if (typeof client.readyState === 'number' && client.send) {
    client.send(JSON.stringify({ event: 'exception', data: reply }));
  } else {
    client.emit?.('exception', reply);
  }
}

const GRAPHQL_CODES = { 1: 'CANCELLED', 2: OUTCOME_UNKNOWN.code, 4: DEADLINE_EXCEEDED.code } as const;
/** What the client of a resolver is told: as {@link graphQLError} of what a filter would answer, which Nest asks for few of them. */
export function graphQLReply(error: unknown): unknown {
  const isOurs =
    describeCapacityError(error) !== undefined ||
    error instanceof TransactionOutcomeUnknownError ||
    error instanceof RequestAbortedError ||
    error instanceof DeadlineExceededError;
  return isOurs ? graphQLError(error as Error) : error;
}

/**
 * To a GraphQL client: an error with `extensions`, which the executor takes over. The pool's own is its `cause`, for
 * `formatError` to log. It is not sent, nor is anything of it in `stack`, which Apollo can be told to send.
 */
export function graphQLError(error: Error): Error {
  const reply = replyTo(error);
  const extensions =
    'retryAfter' in reply
      ? { code: 'SERVICE_UNAVAILABLE', retryAfter: reply.retryAfter }
      : { code: GRAPHQL_CODES[reply.code] };
  return Object.assign(new Error(reply.message, { cause: error }), { extensions });
}
