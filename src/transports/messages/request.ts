import { grpcCallOf } from './peers.js';

/** What every request has of which the key of a keyed pool is found. */
interface WithHeaders {
  readonly headers: Readonly<Record<string, unknown>>;
}

/**
 * What stands for the request of a message: over WebSockets that which the connection began with, where the client has kept
 * it as socket.io's does, and of gRPC its metadata as `headers`. Other transports have none.
 */
export function requestOfMessage(type: string, args: readonly unknown[]): WithHeaders | undefined {
  if (type === 'ws') {
    const { request } = (args[0] ?? {}) as { request?: Partial<WithHeaders> };
    return request?.headers ? (request as WithHeaders) : undefined;
  }
  const call = type === 'rpc' ? grpcCallOf(args) : undefined;
  return call && { headers: call.metadata.getMap() };
}
