import type { EventEmitter } from 'node:events';
import { onceClosed } from '../connections.js';

/** Whoever has sent a message, where its transport can tell when they are gone. */
export interface Peer {
  readonly gone: boolean;
  /** @returns forgets it; to be called once */
  onceGone(tell: () => void): () => void;
}

/** A client of socket.io, or of ws. */
interface Client extends EventEmitter {
  readonly disconnected?: boolean;
  readonly readyState?: number;
}

/** Nest's wrapper of a TCP socket. */
interface TcpContext {
  getSocketRef?(): { readonly netSocket?: EventEmitter & { readonly destroyed: boolean } };
}

/** What grpc-js gives to the handler of a call. */
export interface GrpcCall extends EventEmitter {
  readonly cancelled: boolean;
  readonly metadata: { getMap(): Record<string, unknown>; readonly constructor: unknown };
  getPeer(): string;
  getDeadline(): Date | number;
  readonly writableFinished?: boolean;
}

/** @param args of the execution context: over WebSockets the client first, in microservices data and context, or call */
export function peerOf(type: string, args: readonly unknown[]): Peer | undefined {
  if (type === 'ws') return clientPeer(args[0]);
  if (type !== 'rpc') return undefined;
  const call = grpcCallOf(args);
  if (call) return on(call, 'cancelled', () => call.cancelled);
  const socket = (args[1] as TcpContext | null | undefined)?.getSocketRef?.().netSocket;
  return socket && on(socket, 'close', () => socket.destroyed);
}

/** Of a unary call and a stream with Nest's help it is the third argument, of one by hand the first. */
export function grpcCallOf(args: readonly unknown[]): GrpcCall | undefined {
  return [args[2], args[0]].find(isCall);
}

/** Until when the caller waits, in milliseconds of `performance.now()`; only gRPC tells. */
export function deadlineOf(type: string, args: readonly unknown[]): number | undefined {
  // Of the caller's `grpc-timeout`, added to this process's own clock when the call came in.
  const deadline = type === 'rpc' ? grpcCallOf(args)?.getDeadline() : undefined;
  return deadline === undefined || deadline === Infinity
    ? undefined
    : performance.now() + Number(deadline) - Date.now();
}

function isCall(value: unknown): value is GrpcCall {
  const call = value as Partial<GrpcCall> | null | undefined;
  return (
    typeof call === 'object' && typeof call?.getPeer === 'function' && typeof call.cancelled === 'boolean'
  );
}

function clientPeer(client: unknown): Peer | undefined {
  const { disconnected, readyState, once } = (client ?? {}) as Partial<Client>;
  if (typeof once !== 'function') return undefined;
  const socket = client as Client;
  if (typeof disconnected === 'boolean') return on(socket, 'disconnect', () => socket.disconnected === true);
  // CLOSING is not yet gone for ws, but nothing can be sent any more.
  if (typeof readyState === 'number') return on(socket, 'close', () => (socket.readyState ?? 0) > 1);
  return undefined;
}

function on(emitter: EventEmitter, event: string, isGone: () => boolean): Peer {
  return {
    get gone() {
      return isGone();
    },
    onceGone: tell => onceClosed(emitter, tell, event),
  };
}
