import { PoolError, PoolOptionsError } from '../../engine/index.js';

const DEPTH = 5;

/** SQLSTATEs with which the server ends the session. */
const SESSION_ENDING = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
]);

/** Nobody can connect to such an address. */
const IMPOSSIBLE = new Set(['ERR_INVALID_URL', 'ERR_SOCKET_BAD_PORT']);

/** The server knows who wants to connect, and does not admit them. */
const REFUSED_LOGIN = new Set(['28P01', '28000', '3D000']);

/** What OpenSSL and Node say of the certificate of a server, which somebody has to change, or of what it is checked by. */
const CERTIFICATE = new Set([
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_UNTRUSTED', 'CERT_REJECTED'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...[
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_REVOKED',
    'CERT_SIGNATURE_FAILURE',
    'CERT_CHAIN_TOO_LONG',
  ],
  ...[
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'HOSTNAME_MISMATCH',
    'INVALID_CA',
    'INVALID_PURPOSE',
    'PATH_LENGTH_EXCEEDED',
  ],
]);

/** What pg says when the server has no TLS, in words only. */
const NO_TLS = 'The server does not support SSL connections';

/** What the server says when a statement has failed, or when it ends the session. */
export interface ServerError extends Error {
  readonly code?: string;
  readonly severity?: string;
}

/**
 * Does the server end the session with this word? With most it only says that a statement has failed, and what a statement
 * has raised or passed on from another server may have any code. The server can speak other languages than English.
 */
export function endsSession({ code, severity }: ServerError): boolean {
  if (severity === 'ERROR') return false;
  return severity === 'FATAL' || severity === 'PANIC' || (code !== undefined && SESSION_ENDING.has(code));
}

/** Is connecting again pointless until somebody changes something? */
export function isHopeless(error: unknown): boolean {
  if (error instanceof PoolOptionsError) return true;
  if (error instanceof HostsError) return error.hopeless;
  return isRefusedLogin(error) || some(error, isIncurable);
}

function isIncurable({ code, message }: Symptoms): boolean {
  return message === NO_TLS || (typeof code === 'string' && (IMPOSSIBLE.has(code) || CERTIFICATE.has(code)));
}

/** Has the server refused the login, for a reason that time does not cure? */
export function isRefusedLogin(error: unknown): boolean {
  return some(error, ({ code }) => typeof code === 'string' && REFUSED_LOGIN.has(code));
}

/** None of several hosts could be used; `errors` has that of each that was tried, in order. */
export class HostsError extends AggregateError {
  override readonly name = 'HostsError';

  constructor(
    message: string,
    errors: readonly unknown[],
    /** Is it pointless to try again? */
    readonly hopeless: boolean,
  ) {
    super(errors, message);
  }
}

/**
 * OpenSSL's words about a certificate name neither the server nor a remedy. Any other error stays as it is.
 *
 * @param address of the server
 */
export function explained(error: unknown, address: string): unknown {
  if (typeof error !== 'object' || error === null) return error;
  const { code, message } = error as ServerError;
  if (code === undefined || !CERTIFICATE.has(code)) return error;
  const says = `The certificate of the server at ${address} was not accepted: ${message} (${code}).`;
  return Object.assign(new Error(`${says} ${remedyFor(code)}`, { cause: error }), { code });
}

function remedyFor(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'It has to be renewed.';
  if (/ALTNAME|HOSTNAME/.test(code)) return 'Connect to a host that it names, or set ssl: { servername }.';
  return 'Tell whom to trust with ssl: { ca }, or with sslrootcert in the connection string.';
}

interface Symptoms {
  code?: unknown;
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

const REMEDY =
  'Pass the client on to who is to take part, or run it with tx.run() or @Transactional(). Who is not to take part ' +
  'borrows another connection ({ fresh: true } in a scope), or waits for the end. Within a transaction use SAVEPOINT.';

/**
 * A statement was not sent, since it would have mixed the work of two that share a connection: any statement of somebody
 * who does not take part in the transaction that is open, a BEGIN while another's is, or what follows from such a BEGIN.
 */
export class TransactionOverlapError extends Error {
  readonly code = 'PG_TRANSACTION_OVERLAP';
  override readonly name = 'TransactionOverlapError';

  private constructor(
    message: string,
    /** Where the transaction was begun that is open. */
    readonly openedAt: string,
    /** Where the statement was sent that was refused, if that is known. */
    readonly refusedAt: string | undefined,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** @internal */
  static begin(openedAt: string, refusedAt: string): TransactionOverlapError {
    const message = `This BEGIN (${refusedAt}) was not sent: the transaction begun before (${openedAt}) is still open. ${REMEDY}`;
    return new TransactionOverlapError(message, openedAt, refusedAt);
  }

  /** @internal A statement of somebody who does not take part. */
  static stranger(text: string, openedAt: string, refusedAt?: string): TransactionOverlapError {
    const from = refusedAt === undefined ? '' : ` (${refusedAt})`;
    const message =
      `${short(text)}${from} was not sent: a transaction (${openedAt}) is open on the connection that it shares, and it ` +
      `does not take part in that. ${REMEDY}`;
    return new TransactionOverlapError(message, openedAt, refusedAt);
  }

  /** @internal A statement that would end what its sender has not begun, or perhaps not. */
  static end(text: string, openedAt: string, refusedAt: string | undefined): TransactionOverlapError {
    const why = refusedAt
      ? `the BEGIN of its sender (${refusedAt}) was refused`
      : 'another BEGIN was refused meanwhile, and it is not known which of the two this belongs to';
    const message = `${short(text)} was not sent: it would end the transaction begun before (${openedAt}), while ${why}. ${REMEDY}`;
    return new TransactionOverlapError(message, openedAt, refusedAt);
  }

  /** @internal */
  static managed(text: string, openedAt: string): TransactionOverlapError {
    const message =
      `${short(text)} was not sent: it would end the transaction of the pool (${openedAt}), which ends with its own ` +
      'commit() or rollback(), or with what it was begun for. To undo a part of it, use tx.begin() or SAVEPOINT.';
    return new TransactionOverlapError(message, openedAt, undefined);
  }

  /** @internal */
  static unfinished(openedAt: string, within: string): TransactionOverlapError {
    const message =
      `The transaction (${openedAt}) was not committed: one within it (${within}) has not ended. It was rolled back. ` +
      'Await the end of those within before you commit.';
    return new TransactionOverlapError(message, openedAt, undefined);
  }

  /** @internal What belongs to a transaction comes too late for it. */
  static ended(openedAt: string, refusedAt?: string): TransactionOverlapError {
    const what = refusedAt === undefined ? 'Nothing' : `A statement (${refusedAt})`;
    const message = `${what} was ${refusedAt === undefined ? '' : 'not '}sent: the transaction that it belongs to (${openedAt}) has ended before, or was never begun. Await all of its work before its end.`;
    return new TransactionOverlapError(message, openedAt, refusedAt);
  }

  /** @internal */
  static follow(text: string, cause: TransactionOverlapError): TransactionOverlapError {
    const message = `${short(text)} was not sent: it was to follow a BEGIN that was refused. ${cause.message}`;
    return new TransactionOverlapError(message, cause.openedAt, cause.refusedAt, { cause });
  }

  /** @internal */
  static gone(openedAt: string): TransactionOverlapError {
    const message =
      `There is nothing to commit: the transaction (${openedAt}) was rolled back after another BEGIN had been tried ` +
      `within it. ${REMEDY}`;
    return new TransactionOverlapError(message, openedAt, undefined);
  }
}

function short(text: string): string {
  return `"${text.trim().slice(0, 60)}"`;
}

/** A query of `PgDatabase` has taken longer than its `timeout`. It was cancelled at the server, but may have been done by then. */
export class PgQueryTimeoutError extends Error {
  readonly code = 'PG_QUERY_TIMEOUT';
  override readonly name = 'PgQueryTimeoutError';

  /** @internal */
  constructor(timeout: number, waitedMs: number) {
    super(
      `The query did not end within ${timeout} ms, ${Math.round(waitedMs)} ms of which it waited for a connection. ` +
        'It was cancelled at the server, but may have been done by then.',
    );
  }
}
