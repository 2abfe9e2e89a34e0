import { mayAbandon } from './abandonments.js';

/** What the application may say in a storm: failures that were planned, killed backends, and what follows from them. */
const EXPECTED: readonly RegExp[] = [
  /PlannedError/,
  /division by zero/,
  /TimeoutErrorImpl/,
  /current transaction is aborted/,
  // Clients that leave in the middle of a body.
  /^error: Error: aborted/,
  /request aborted/,
  // Nest's words for a socket of a microservice that was reset.
  /The invalid received message from tcp server/,
  /ERR_STREAM_PREMATURE_CLOSE/,
  // The source of a stream fails before its first byte, and Nest answers with JSON after all.
  /Content-Type doesn't match Reply body/,
  // It is not told to stop here.
  /Nothing listens for SIGTERM/,
  // The backend was killed.
  /The COMMIT was sent, and there is no answer to it/,
  /terminating connection due to administrator command/,
  /Connection terminated/,
  /ECONNRESET|EPIPE/,
  // What a second transaction on one connection is told, and who is too late.
  /TransactionOverlapError|LeaseReleasedError/,
  // What it says of its resources, and to whom it cannot give any in time.
  /^(log|warn|error): Pool "storm-(db|tenants)"/,
  /ServiceUnavailableException|PoolTimeoutError|PoolQueueFullError|PoolUnavailableError/,
];

function isExpected(line: string): boolean {
  return EXPECTED.some(known => known.test(line)) || mayAbandon(line.replace('warn: ', ''));
}

/** Lines of the log that no part of the plan explains. */
export function unexpected(lines: readonly string[]): string[] {
  return lines.filter(line => /^(error|warn)/.test(line) && !isExpected(line));
}
