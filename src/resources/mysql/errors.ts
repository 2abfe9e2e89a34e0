import { PoolError, PoolOptionsError } from '../../engine/index.js';

const DEPTH = 5;

/** With which the server ends the session. */
const SESSION_ENDING: ReadonlySet<number> = new Set([
  1053, // ER_SERVER_SHUTDOWN
  1077, // ER_NORMAL_SHUTDOWN
  1079, // ER_SHUTDOWN_COMPLETE
  1080, // ER_FORCING_CLOSE
  1152, // ER_ABORTING_CONNECTION
  1184, // ER_NEW_ABORTING_CONNECTION
  1927, // ER_CONNECTION_KILLED
  3168, // ER_SERVER_ISNT_AVAILABLE
  4031, // ER_CLIENT_INTERACTION_TIMEOUT
]);

/** The server refuses to write. */
const READ_ONLY: ReadonlySet<number> = new Set([
  1290, // ER_OPTION_PREVENTS_STATEMENT
  1836, // ER_READ_ONLY_MODE
  1792, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
]);

/** Reasons that time does not cure: bad credentials, an unknown database, an impossible address. */
const HOPELESS: ReadonlySet<unknown> = new Set([
  1044, // ER_DBACCESS_DENIED_ERROR
  1045, // ER_ACCESS_DENIED_ERROR
  1049, // ER_BAD_DB_ERROR
  1129, // ER_HOST_IS_BLOCKED: each try makes it worse
  1130, // ER_HOST_NOT_PRIVILEGED
  1251, // ER_NOT_SUPPORTED_AUTH_MODE
  1698, // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1862, // ER_MUST_CHANGE_PASSWORD_LOGIN
  3118, // ER_ACCOUNT_HAS_BEEN_LOCKED
  4151, // the same, of MariaDB
  'HANDSHAKE_NO_SSL_SUPPORT',
  'AUTH_SWITCH_PLUGIN_ERROR',
  'ERR_INVALID_URL',
  'ERR_SOCKET_BAD_PORT',
]);

/** Does the server end the session with this error? With most it only says that a statement has failed. */
export function endsSession(errno: number): boolean {
  return SESSION_ENDING.has(errno);
}

export function refusesToWrite(errno: number): boolean {
  return READ_ONLY.has(errno);
}

interface Symptoms {
  code?: unknown;
  errno?: unknown;
  cause?: unknown;
}

/**
 * Is connecting again pointless until somebody changes something? Looks at an error and at its causes; not beyond the error
 * of a pool, whose causes are another connection's.
 */
export function isHopeless(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < DEPTH; depth++) {
    if (current instanceof PoolOptionsError) return true;
    if (typeof current !== 'object' || current === null || current instanceof PoolError) return false;
    const { code, errno, cause } = current as Symptoms;
    if (HOPELESS.has(code) || HOPELESS.has(errno)) return true;
    current = cause;
  }
  return false;
}
