import { PoolError, PoolOptionsError } from '../../engine/index.js';

const DEPTH = 5;

/** SQLSTATEs with which the server ends the session, apart from class 08. */
const SESSION_ENDING = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
]);

const SOCKET_ERRORS = new Set([
  ...['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTCONN'],
  ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENETRESET'],
]);

/** pg's own, which have no code. */
const CLIENT_GONE = /^Connection terminated|is not queryable$/;

/** Reasons that time does not cure: bad credentials, unknown role or database, an impossible address. */
const HOPELESS = new Set(['28P01', '28000', '3D000', 'ERR_INVALID_URL', 'ERR_SOCKET_BAD_PORT']);

/** Does this error mean that the connection it came from is gone? A failed statement alone does not. */
export function isConnectionError(error: unknown): boolean {
  if (isSocketError(error)) return true;
  return some(error, ({ code, severity, message }) => {
    if (typeof code === 'string' && (/^08...$/.test(code) || SESSION_ENDING.has(code))) return true;
    return (
      severity === 'FATAL' ||
      severity === 'PANIC' ||
      (typeof message === 'string' && CLIENT_GONE.test(message))
    );
  });
}

/**
 * Did a socket break that was connected? Borrowers report errors of all kinds: one that could not connect (`fetch` to a
 * service that is down, with this as its cause) was not that of a connection that is in use.
 */
function isSocketError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, syscall } = error as Symptoms;
  return SOCKET_ERRORS.has(code as string) && (syscall === 'read' || syscall === 'write');
}

/** Is connecting again pointless until somebody changes something? */
export function isHopeless(error: unknown): boolean {
  if (error instanceof PoolOptionsError) return true;
  return some(error, ({ code }) => typeof code === 'string' && HOPELESS.has(code));
}

interface Symptoms {
  code?: unknown;
  syscall?: unknown;
  severity?: unknown;
  message?: unknown;
  cause?: unknown;
}

/** Looks at an error and at its causes; not beyond the error of a pool, whose causes are another connection's. */
function some(error: unknown, matches: (error: Symptoms) => boolean): boolean {
  let current = error;
  for (let depth = 0; depth < DEPTH; depth++) {
    if (typeof current !== 'object' || current === null || current instanceof PoolError) return false;
    if (matches(current)) return true;
    current = (current as Symptoms).cause;
  }
  return false;
}
