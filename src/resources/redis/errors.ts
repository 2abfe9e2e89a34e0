import { PoolError, PoolOptionsError } from '../../engine/index.js';

const DEPTH = 5;

/** Reasons that time does not cure: bad credentials, a library that is not there, an impossible address. */
const HOPELESS_CODES = new Set(['ERR_MODULE_NOT_FOUND', 'ERR_INVALID_URL', 'ERR_SOCKET_BAD_PORT']);
const HOPELESS_WORDS = /^(WRONGPASS|NOAUTH|NOPERM|ERR DB index is out of range|ERR invalid DB index)\b/;

/** What a server says that is not, or not any more, the one that is wanted. */
const UNFIT = /^(READONLY|MASTERDOWN|LOADING|UNBLOCKED|NOAUTH)\b/;

/** Is connecting again pointless until somebody changes something? */
export function isHopeless(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < DEPTH; depth++) {
    if (current instanceof PoolOptionsError) return true;
    // Not beyond the error of a pool, whose causes are another connection's.
    if (typeof current !== 'object' || current === null || current instanceof PoolError) return false;
    const { code, message, cause } = current as { code?: unknown; message?: unknown; cause?: unknown };
    if (typeof code === 'string' && HOPELESS_CODES.has(code)) return true;
    if (typeof message === 'string' && HOPELESS_WORDS.test(message)) return true;
    current = cause;
  }
  return false;
}

/**
 * Does the server say with this that it does not serve now: a primary that has become a replica, one that loads its data?
 * Most errors only say that a command has failed.
 */
export function isUnfit(error: unknown): boolean {
  return error instanceof Error && UNFIT.test(error.message);
}

/** What libraries put into their errors, and may hold a password: the command that has failed, the URL. */
const TELLTALES = ['command', 'input', 'base'];

/** The error of a connection that was not made, without what it must not tell. */
export function discreet(error: unknown, secrets: readonly unknown[]): unknown {
  if (typeof error !== 'object' || error === null) return error;
  for (const telltale of TELLTALES) Reflect.deleteProperty(error, telltale);
  const { message } = error as Error;
  if (!secrets.some(secret => typeof secret === 'string' && secret !== '' && message.includes(secret)))
    return error;
  // A short password is found where it is none; that is no harm.
  return new Error(
    'Connecting has failed; the message of the library is kept back, as it has a secret in it',
  );
}
