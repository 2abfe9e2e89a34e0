import type { IncomingHttpHeaders } from 'node:http';

/** Milliseconds, as a plain decimal number: no sign, no exponent, no other notation that `Number()` would take. */
const MILLISECONDS = /^\d+(\.\d+)?$/;

/** Of gRPC over HTTP/2: at most eight digits, and a unit. */
const GRPC_TIMEOUT = /^(\d{1,8})([HMSmun])$/;

const UNITS: Readonly<Record<string, number>> = { H: 3.6e6, M: 6e4, S: 1e3, m: 1, u: 1e-3, n: 1e-6 };

/** What a value of a header `grpc-timeout` says, in milliseconds; undefined when it is none. */
export function grpcTimeout(value: string): number | undefined {
  const [, digits, unit = ''] = GRPC_TIMEOUT.exec(value) ?? [];
  return digits === undefined ? undefined : Number(digits) * UNITS[unit]!;
}

/** 0 is none: Envoy, and most others, mean by it that there is no limit. */
function plainTimeout(value: string): number | undefined {
  const left = MILLISECONDS.test(value) ? Number(value) : 0;
  return left > 0 ? left : undefined;
}

/**
 * How long the client of a request waits, as its headers say: milliseconds, the least of all that can be understood.
 * Anybody may have written them, so that what cannot be is as if it was not there.
 *
 * @param names in lower case; one that is called `grpc-timeout` is read as gRPC writes it, and 0 there is a deadline that has
 *   passed, as its clients send that
 */
export function timeoutIn(headers: IncomingHttpHeaders, names: readonly string[]): number | undefined {
  let least: number | undefined;
  for (const name of names) {
    const value = headers[name];
    if (value === undefined) continue;
    const parse = name === 'grpc-timeout' ? grpcTimeout : plainTimeout;
    // Node.js has joined those that were sent several times.
    for (const part of String(value).split(',')) {
      const left = parse(part.trim());
      if (left !== undefined && left < (least ?? Infinity)) least = left;
    }
  }
  return least;
}
