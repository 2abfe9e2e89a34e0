import type { EventEmitter } from 'node:events';
import { connectionOf } from '../connections.js';
import { isUpgraded } from '../upgrades.js';

/** Whom an operation over a WebSocket is for. */
export interface Peer {
  /** That by which it has connected: the platform's where the context value has that, otherwise Node's. */
  readonly request: unknown;
  readonly connection: NonNullable<ReturnType<typeof connectionOf>>;
  /** Tells that it has unsubscribed from what is being subscribed to now. @returns forgets it */
  whenDropped(tell: () => void): () => void;
}

/** The context of a connection in the package graphql-ws. */
interface Connected {
  readonly extra: { readonly request: unknown; readonly socket?: EventEmitter };
  /** By what the client calls them; null until one has been subscribed to. */
  readonly subscriptions: Readonly<Record<string, unknown>>;
}

/** What Mercurius keeps of one subscription. */
interface Queue {
  close?: (...args: unknown[]) => unknown;
}

/** The peer is somewhere in the context value, by whatever name the application gave it. */
export function peerOf(context: unknown): Peer | undefined {
  if (typeof context !== 'object' || context === null) return undefined;
  for (const value of [context, ...valuesOf(context)]) {
    if (typeof value !== 'object' || value === null) continue;
    if (isConnected(value))
      return peer(value.extra.request, value.extra.request, tell => idDeleted(value, tell));
    const raw = isUpgraded(value) ? value : (value as { raw?: unknown }).raw;
    if (isUpgraded(raw)) return peer(value, raw, tell => queueClosed(context, tell));
  }
  return undefined;
}

/** Not what is made when it is asked for: Mercurius prints the query then. */
function valuesOf(context: object): unknown[] {
  return Object.values(Object.getOwnPropertyDescriptors(context)).map(property => property.value as unknown);
}

function peer(request: unknown, raw: unknown, whenDropped: Peer['whenDropped']): Peer | undefined {
  const connection = isUpgraded(raw) ? connectionOf(raw) : undefined;
  return connection && { request, connection, whenDropped };
}

function isConnected(value: object): value is Connected {
  const { extra, subscriptions } = value as Partial<Connected>;
  return typeof subscriptions === 'object' && isUpgraded(extra?.request);
}

/** One listener for each socket, however many are subscribing over it. */
const lookers = new WeakMap<EventEmitter, Set<() => void>>();

/**
 * The client may have begun several at once, and which of them this is cannot be known. It is over when all are that it may
 * be: one that has come about is not.
 */
function idDeleted({ extra: { socket }, subscriptions }: Connected, tell: () => void): () => void {
  if (typeof socket?.on !== 'function') return () => undefined;
  let mine = Object.keys(subscriptions).filter(id => subscriptions[id] === null);
  const look = (): void => {
    mine = mine.filter(id => !(id in subscriptions) || subscriptions[id] === null);
    if (!mine.some(id => id in subscriptions)) tell();
  };
  const all = lookers.get(socket) ?? new Set();
  lookers.set(socket, all.add(look));
  // After that of graphql-ws, which deletes at once.
  if (all.size === 1) socket.on('message', ((all as Lookers).listen ??= () => all.forEach(one => one())));
  return () => {
    if (all.delete(look) && all.size === 0) socket.off('message', (all as Lookers).listen!);
  };
}
interface Lookers extends Set<() => void> {
  listen?: () => void;
}

function queueClosed(context: object, tell: () => void): () => void {
  const { pubsub } = context as { pubsub?: Queue };
  if (typeof pubsub?.close !== 'function' || !('queue' in pubsub)) return () => undefined;
  const { close } = pubsub;
  pubsub.close = (...args) => {
    tell();
    return close.apply(pubsub, args);
  };
  return () => Reflect.deleteProperty(pubsub, 'close');
}
