import type { Dispatcher } from 'undici';
import { Headers, fetch, type Request, type RequestInit, type Response } from 'undici';
import {
  PoolError,
  type CloseOptions,
  type KeyedPool,
  type KeyedPoolStats,
  type PoolListener,
  type PoolStats,
  type Priority,
} from '../../engine/index.js';
import { checkOwn, wrongOption } from '../../engine/options/own.js';
import { isObject, type Rule } from '../../engine/options/rules.js';
import { PooledAgent } from './agent.js';
import { CONTEXT, type CallContext, type Guard, type HttpTimeouts } from './call-context.js';
import type { HttpConnection } from './connection.js';
import { HttpConnectionTakenError, HttpTimeoutError } from './errors.js';
import { exchanges } from './exchange.js';
import { asOwnForm } from './form-data.js';
import { OneCall } from './one-call.js';
import { checkTimeouts, type HttpPoolOptions } from './options.js';
import { serverOf } from './origin.js';
import { OwnHeaders } from './own-headers.js';
import { plainPath } from './plain-path.js';

/** The settings of a pool of connections, and beside them what a session has for all its requests. */
export interface HttpSessionOptions extends HttpPoolOptions {
  /**
   * What relative URLs are taken from. Its path is a directory, also where it does not end with a slash: from
   * `https://api.example.com/v2`, `users` is `https://api.example.com/v2/users`, and `/users` is
   * `https://api.example.com/users`.
   */
  baseUrl?: string | URL;
  /**
   * Headers of every request to the origin of `baseUrl`. To other origins, of absolute URLs or of redirects, go only
   * `accept`, `accept-encoding`, `accept-language` and `user-agent`. Without a `baseUrl` all go to where a request begins,
   * and `authorization`, `cookie` and `proxy-authorization` are refused.
   */
  headers?: Readonly<Record<string, string>>;
  /** Interceptors of undici, such as `interceptors.redirect({ maxRedirections: 5 })`; the last one is asked first. */
  interceptors?: readonly Dispatcher.DispatcherComposeInterceptor[];
}

/** What one request has of its own, beside what `fetch` and undici know. */
export interface HttpCallOptions {
  /** In place of those of the session, whose `connect` is that of all. */
  timeouts?: Omit<HttpTimeouts, 'connect'>;
  /** Milliseconds to queue for a connection, and to make one. Default: `acquireTimeout` of the session. */
  acquireTimeout?: number;
  /** Who is served first where requests queue for connections. Default `normal`. */
  priority?: Priority;
}

/** As of `fetch`, and what else a request of a session has. */
export interface HttpFetchInit extends Omit<RequestInit, 'dispatcher' | 'body' | 'headers'>, HttpCallOptions {
  /** As of `fetch`; a `FormData` may be Node's own. */
  body?: RequestInit['body'] | globalThis.FormData;
  /** As of `fetch`; `Headers` may be Node's own. */
  headers?: RequestInit['headers'] | globalThis.Headers;
}

/** A URL, or a `Request`: of undici, or as Node or a polyfill has it. */
export type HttpFetchInput = string | URL | Request | globalThis.Request;

/** As of `request` of undici, and what else a request of a session has. */
export interface HttpRequestOptions<TOpaque = null>
  extends Omit<Dispatcher.RequestOptions<TOpaque>, 'origin' | 'path' | 'method' | 'body'>, HttpCallOptions {
  /** Default `GET`. */
  method?: Dispatcher.HttpMethod;
  /** As of undici; a `FormData` may be Node's own. */
  body?: Dispatcher.RequestOptions['body'] | globalThis.FormData;
}

/** What the base URL says, read once. */
interface Home {
  readonly origin: string;
  /** Ends with a slash. */
  readonly directory: string;
}

interface Target {
  readonly origin: string;
  readonly path: string;
}

const RULES: Readonly<Record<string, Rule>> = {
  baseUrl: { ok: isBaseUrl, allowed: 'an http: or https: URL without credentials, query and fragment' },
  headers: {
    ok: value => isObject(value) && Object.values(value).every(one => typeof one === 'string'),
    allowed: 'an object of strings',
  },
  interceptors: {
    ok: value => Array.isArray(value) && value.every(one => typeof one === 'function'),
    allowed: 'an array of interceptors of undici',
  },
};

/**
 * Requests that have connections, headers and limits in common.
 *
 * ```ts
 * const github = new HttpSession({ name: 'github', baseUrl: 'https://api.github.com', headers: { authorization }, max: 20 });
 * const response = await github.fetch('/repos/nodejs/undici');
 * const { statusCode, body } = await github.request('/zen');
 * ```
 *
 * A request queues for its connection as any borrower of a pool does, and fails with the errors of `pool.acquire()`.
 */
export class HttpSession {
  readonly name: string;
  /** The connections, by origin. */
  readonly pool: KeyedPool<string, HttpConnection>;
  /** For what takes a dispatcher of undici: the connections and interceptors, without base URL and headers. */
  readonly dispatcher: Dispatcher;
  private readonly base: URL | undefined;
  private readonly home: Home | undefined;
  private readonly timeouts: HttpTimeouts;
  // Private for the language too: they may be secrets, and must not appear where a session is logged.
  readonly #headers: OwnHeaders;

  /**
   * @param pool one that was made of `httpPool(options)`, such as that of a `PoolModule`; default one of its own
   * @throws PoolOptionsError naming the option and what is allowed
   */
  constructor(options: HttpSessionOptions = {}, pool?: KeyedPool<string, HttpConnection>) {
    const { baseUrl, headers = {}, interceptors = [], timeouts = {}, ...others } = options;
    const { name = 'http' } = others;
    const title = `HttpSession "${name}"`;
    checkOwn(name, title, { baseUrl, headers, interceptors }, RULES);
    checkTimeouts(name, title, timeouts);
    this.base = baseUrl === undefined ? undefined : asDirectory(baseUrl);
    this.home = this.base && { origin: this.base.origin, directory: this.base.pathname };
    this.#headers = new OwnHeaders(headers, this.home?.origin);
    if (!this.base && this.#headers.haveCredentials) {
      const allowed =
        'without authorization, cookie and proxy-authorization, or there must be a baseUrl to send them to';
      throw wrongOption(name, title, 'headers', headers, allowed);
    }
    const { target = this.base && serverOf(this.base) } = others;
    const agent = new PooledAgent({ ...others, target, timeouts }, pool);
    this.name = name;
    this.pool = agent.pool;
    this.dispatcher = interceptors.length > 0 ? agent.compose(...interceptors, exchanges) : agent;
    this.timeouts = timeouts;
  }

  /**
   * `fetch` of undici over the connections of this session. Needs no `this`.
   *
   * @throws HttpTimeoutError, HttpConnectionTakenError, and what `pool.acquire()` throws
   * @throws TypeError as fetch does, with what has happened as its `cause`; also when reading the body fails
   */
  readonly fetch = async (input: HttpFetchInput, init: HttpFetchInit = {}): Promise<Response> => {
    const { timeouts, acquireTimeout, priority, body, ...own } = init;
    const request = isRequest(input) ? input : undefined;
    const url = this.resolve(request ? request.url : (input as string | URL));
    const given = new Headers((own.headers ?? request?.headers) as RequestInit['headers']);
    const { headers, guard } = this.#headers.under(given, url.origin);
    const context = this.context({ timeouts, acquireTimeout, priority }, guard);
    const dispatcher = context ? new OneCall(this.dispatcher, context) : this.dispatcher;
    try {
      return await fetch(url, {
        ...(request && partsOf(request)),
        ...own,
        ...(body !== undefined && { body: asOwnForm(body) as NonNullable<RequestInit['body']> }),
        headers: headers as Record<string, string>,
        dispatcher,
      });
    } catch (error) {
      const { cause } = error as Error;
      // What the queue or a timeout has to say is not to be looked for behind "fetch failed".
      throw isOurs(cause) ? cause : error;
    }
  };

  /**
   * `request` of undici over the connections of this session: faster than fetch, without its redirects and its decoding.
   * Read the body, or `await body.dump()`: it holds its connection until then. Needs no `this`.
   *
   * @throws HttpTimeoutError, HttpConnectionTakenError, what `pool.acquire()` throws, and the errors of undici
   */
  readonly request = <TOpaque = null>(
    url: string | URL,
    options: HttpRequestOptions<TOpaque> = {},
  ): Promise<Dispatcher.ResponseData<TOpaque>> => {
    const { timeouts, acquireTimeout, priority, ...own } = options;
    try {
      const { origin, path } = this.target(url);
      const { headers, guard } = this.#headers.under(own.headers, origin);
      return this.dispatcher.request<TOpaque>({
        method: 'GET',
        ...own,
        body: asOwnForm(own.body),
        headers: headers ?? null,
        origin,
        path,
        [CONTEXT]: this.context({ timeouts, acquireTimeout, priority }, guard),
      } as Dispatcher.RequestOptions<TOpaque>);
    } catch (error) {
      return Promise.reject(error);
    }
  };

  /** A snapshot of the counts of all origins together. */
  stats(): KeyedPoolStats;
  /** A snapshot of the counts of one origin, such as `https://api.github.com`; undefined when it has and wants nothing. */
  stats(origin: string): PoolStats | undefined;
  stats(origin?: string): KeyedPoolStats | PoolStats | undefined {
    return origin === undefined ? this.pool.stats() : this.pool.stats(origin);
  }

  /**
   * Tells one more what happens with the connections of all origins from now on.
   *
   * @returns removes it again
   */
  addListener(listener: PoolListener): () => void {
    return this.pool.addListener(listener);
  }

  /**
   * Ends the session: refuses new requests and those that queue (with `drain: true` these are served), and waits for those
   * that are under way; at the deadline, 10 000 ms by default, they fail with `HttpConnectionTakenError`.
   *
   * @throws PoolOptionsError when `timeout` is not a duration
   */
  close(options: CloseOptions = {}): Promise<void> {
    return this.pool.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws what {@link resolve} throws */
  private target(url: string | URL): Target {
    const { home } = this;
    const path = home && typeof url === 'string' ? plainPath(url, home.directory) : undefined;
    if (home && path !== undefined) return { origin: home.origin, path };
    const { origin, pathname, search } = this.resolve(url);
    return { origin, path: pathname + search };
  }

  /** @throws TypeError, which does not say what the URL is: it may hold secrets */
  private resolve(url: string | URL): URL {
    const { base, name } = this;
    let resolved: URL;
    try {
      resolved = new URL(url, base);
    } catch {
      const why = base || /^\w+:/.test(String(url)) ? 'not valid' : 'relative, and there is no baseUrl';
      throw new TypeError(`HttpSession "${name}": the URL of the request is ${why}.`);
    }
    if (!isHttp(resolved))
      throw new TypeError(`HttpSession "${name}": the URL of the request is not one of http: or https:.`);
    if (resolved.username || resolved.password) {
      throw new TypeError(
        `HttpSession "${name}": the URL of the request has credentials. Give them in its headers.`,
      );
    }
    return resolved;
  }

  private context(
    { timeouts, acquireTimeout, priority }: { [O in keyof HttpCallOptions]: HttpCallOptions[O] | undefined },
    guard: Guard | undefined,
  ): CallContext | undefined {
    if (timeouts) checkTimeouts(this.name, `HttpSession "${this.name}"`, timeouts);
    const { total = this.timeouts.total ?? Infinity, headers, body } = timeouts ?? {};
    const timed = total !== Infinity;
    if (!timed && !guard && !timeouts && acquireTimeout === undefined && priority === undefined)
      return undefined;
    return {
      priority,
      acquireTimeout,
      headersTimeout: headers,
      bodyTimeout: body,
      deadline: timed ? { at: performance.now() + total, timeout: total } : undefined,
      guard,
    };
  }
}

function isHttp({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

function isBaseUrl(value: unknown): boolean {
  // A URL of another realm is one, too.
  const text = isObject(value) ? (value as Partial<URL>).href : value;
  if (typeof text !== 'string' || !URL.canParse(text)) return false;
  const url = new URL(text);
  return isHttp(url) && !url.username && !url.password && !url.search && !url.hash;
}

function asDirectory(baseUrl: string | URL): URL {
  const url = new URL(baseUrl);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

function isRequest(input: HttpFetchInput): input is Request {
  return typeof input === 'object' && 'url' in input;
}

/** undici takes no Request but its own. */
function partsOf({
  method,
  body,
  signal,
  redirect,
  integrity,
  referrerPolicy,
  credentials,
  cache,
}: Request): RequestInit {
  return {
    method,
    body,
    signal,
    redirect,
    integrity,
    referrerPolicy,
    credentials,
    cache,
    duplex: 'half',
  };
}

function isOurs(error: unknown): boolean {
  return (
    error instanceof PoolError ||
    error instanceof HttpTimeoutError ||
    error instanceof HttpConnectionTakenError
  );
}
