import type { Dispatcher } from 'undici';
import type { Priority } from '../../engine/index.js';

/** How long the parts of an exchange may take. All in milliseconds; `Infinity` turns a limit off. */
export interface HttpTimeouts {
  /** For the TCP connection, and the TLS handshake. Default 5 000. */
  connect?: number;
  /**
   * From when the request has been sent to the headers of the response; a part of an upload that is taken starts it anew.
   * Default 60 000.
   */
  headers?: number;
  /**
   * Between two parts of the response body. It counts also while nobody reads, so that a body which nobody reads does not
   * hold its connection for ever. Default 60 000.
   */
  body?: number;
  /** For everything, from the call to the last byte: the queue, connecting, redirects, retries and their pauses. Default `Infinity`. */
  total?: number;
}

/** Headers of a session that are for one origin only. */
export interface Guard {
  readonly origin: string;
  /** In lower case. */
  readonly names: ReadonlySet<string>;
}

/** What a session says of one call to the agent below it, past `fetch` and interceptors that know nothing of it. */
export interface CallContext {
  readonly priority?: Priority | undefined;
  readonly acquireTimeout?: number | undefined;
  readonly headersTimeout?: number | undefined;
  readonly bodyTimeout?: number | undefined;
  /** When all must be done, by `performance.now()`; and the limit that this comes from. */
  readonly deadline?: { readonly at: number; readonly timeout: number } | undefined;
  readonly guard?: Guard | undefined;
  /** Was it redirected to another origin? From then on the session's own headers are not sent, wherever it goes. */
  strayed?: boolean;
}

/** Where it is in the options of a dispatch: interceptors copy what they do not know. */
export const CONTEXT = Symbol('nestjs-pool.http.call');

/** An exchange of a session with interceptors, which may make several requests for it, one after the other. */
export interface Abortable {
  readonly aborted: boolean;
  /** Why, where it is. */
  readonly reason: Error | null;
}

/** Where a request finds the exchange that it belongs to. */
export const EXCHANGE = Symbol('nestjs-pool.http.exchange');

export interface PooledDispatchOptions extends Dispatcher.DispatchOptions {
  [CONTEXT]?: CallContext;
  [EXCHANGE]?: Abortable;
}

/** The options of a dispatch, without the headers of a session that are not for the origin it goes to. */
export function withoutForeignHeaders(options: PooledDispatchOptions, origin: string): PooledDispatchOptions {
  const context = options[CONTEXT];
  if (!context?.guard) return options;
  const { names } = context.guard;
  if (context.guard.origin !== origin) context.strayed = true;
  if (!context.strayed) return options;
  const headers = headerPairs(options.headers).filter(([name]) => !names.has(name.toLowerCase()));
  return { ...options, headers: headers.flat() as string[] };
}

type HeaderValue = string | string[] | undefined;

/** All the shapes that undici takes headers in, as pairs. */
export function headerPairs(headers: Dispatcher.DispatchOptions['headers']): [string, HeaderValue][] {
  if (headers === undefined || headers === null) return [];
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    const pairs: [string, HeaderValue][] = [];
    for (let i = 0; i < headers.length; i += 2) pairs.push([String(headers[i]), headers[i + 1]]);
    return pairs;
  }
  if (Symbol.iterator in headers) return [...(headers as Iterable<[string, HeaderValue]>)];
  return Object.entries(headers);
}
