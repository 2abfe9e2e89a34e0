import { messageOf } from '../../engine/index.js';

/** What took too long. */
export type HttpTimeoutPhase = 'connect' | 'headers' | 'body' | 'total';

/** Those that undici has are called as it calls them: handlers of retries ask for these names. */
const TIMEOUT_CODES = {
  connect: 'UND_ERR_CONNECT_TIMEOUT',
  headers: 'UND_ERR_HEADERS_TIMEOUT',
  body: 'UND_ERR_BODY_TIMEOUT',
  total: 'HTTP_TOTAL_TIMEOUT',
} as const;

const WHAT: Readonly<Record<HttpTimeoutPhase, string>> = {
  connect: 'no connection',
  headers: 'no response headers',
  body: 'nothing of the response body was received, or read,',
  total: 'the exchange was not complete',
};

/** Something took longer than one of the `timeouts` of its session or request. */
export class HttpTimeoutError extends Error {
  override readonly name = 'HttpTimeoutError';
  /** For `connect`, `headers` and `body` that of undici, such as `UND_ERR_HEADERS_TIMEOUT`; else `HTTP_TOTAL_TIMEOUT`. */
  readonly code: (typeof TIMEOUT_CODES)[HttpTimeoutPhase];

  constructor(
    readonly phase: HttpTimeoutPhase,
    /** To which scheme, host and port; the path of a request may hold secrets, and is not kept. */
    readonly origin: string,
    /** The limit, in milliseconds. */
    readonly timeout: number,
  ) {
    super(`${origin}: ${WHAT[phase]} within ${timeout} ms (timeouts.${phase}).`);
    this.code = TIMEOUT_CODES[phase];
  }
}

/** A connection could not be made; `cause` says why. The pool tries again, and tells this one as its own error's cause. */
export class HttpConnectError extends Error {
  override readonly name = 'HttpConnectError';
  /** That of the cause, such as `ECONNREFUSED`. */
  readonly code: string | undefined;

  constructor(
    readonly origin: string,
    cause: unknown,
  ) {
    const { code } = (cause ?? {}) as { code?: unknown };
    super(`${origin}: could not connect: ${messageOf(cause)}`, { cause });
    this.code = typeof code === 'string' ? code : undefined;
  }
}

/** The pool took the connection away under a request: at the deadline of `close()`, or past `maxHold`. */
export class HttpConnectionTakenError extends Error {
  override readonly name = 'HttpConnectionTakenError';
  readonly code = 'HTTP_CONNECTION_TAKEN';

  constructor(
    readonly origin: string,
    reason: string,
  ) {
    super(`${origin}: the pool has taken the connection away while the request was under way (${reason}).`);
  }
}

/** What is said of a connection by whoever finds that it has ended. */
export class HttpConnectionClosedError extends Error {
  override readonly name = 'HttpConnectionClosedError';
  readonly code = 'HTTP_CONNECTION_CLOSED';

  constructor(readonly origin: string) {
    super(`${origin}: the connection has been closed.`);
  }
}

/** Reasons that time does not cure by itself: a host that does not exist, a certificate that is not trusted. */
const HOPELESS =
  /^(ENOTFOUND|ERR_INVALID_URL|ERR_SOCKET_BAD_PORT|ERR_TLS_.*|ERR_SSL_.*|CERT_.*|.*_CERT|.*_CERT_.*|UNABLE_TO_.*|HOSTNAME_MISMATCH)$/;

/** Is connecting again of little use? */
export function isHopeless(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && HOPELESS.test(code);
}
