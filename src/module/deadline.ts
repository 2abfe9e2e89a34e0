import { Logger } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { kindOf } from '../engine/index.js';
import { timeoutIn } from '../transports/index.js';

/**
 * Finds out how long the client of a request waits: names of headers that say so, or a function.
 *
 * - Headers: a plain number of milliseconds, such as Envoy's `x-envoy-expected-rq-timeout-ms`; `grpc-timeout` as gRPC writes it
 *   (`250m`). Where several say something, the least counts. 0, and what is no such number, is as if it was not there.
 * - A function, called when the request arrives: milliseconds from now on; 0 or less when the time is over already, and
 *   `undefined` when it is not known. It is given Node's request (on Express, where that is its own, Express's). The request goes on
 *   without a deadline when it throws.
 */
export type RequestDeadline = readonly string[] | ((request: IncomingMessage) => number | undefined);

/** What names of headers are made of. */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** @throws TypeError naming what is wrong */
export function checkDeadline(deadline: unknown): void {
  if (deadline === undefined || typeof deadline === 'function') return;
  const wanted =
    "it must be names of headers, such as ['x-envoy-expected-rq-timeout-ms'], or a function request => milliseconds.";
  if (!Array.isArray(deadline)) {
    throw new TypeError(`PoolModule: deadline is ${nameOf(deadline)}; ${wanted}`);
  }
  if (deadline.length === 0) throw new TypeError(`PoolModule: deadline names no header; ${wanted}`);
  const wrong: unknown = deadline.find(name => typeof name !== 'string' || !NAME.test(name));
  if (wrong !== undefined || deadline.includes(undefined)) {
    throw new TypeError(
      `PoolModule: deadline has ${nameOf(wrong)} in it, which is no name of a header; ${wanted}`,
    );
  }
}

/** Milliseconds that the client of a request still waits, however it is found out; never throws. */
export type TimeLeft = (request: IncomingMessage) => number | undefined;

/** @param deadline checked; nothing is asked of requests where there is none */
export function timeLeftBy(deadline: RequestDeadline | undefined): TimeLeft | undefined {
  if (deadline === undefined) return undefined;
  if (typeof deadline === 'function') return guarded(deadline);
  const names = deadline.map(name => name.toLowerCase());
  return ({ headers }) => timeoutIn(headers, names);
}

/** A mistake in it is said once, and not with each request. */
function guarded(ask: (request: IncomingMessage) => unknown): TimeLeft {
  let said = false;
  const complain = (what: string): undefined => {
    if (said) return;
    said = true;
    new Logger('PoolModule').error(
      `The function deadline of PoolModule.forRoot() ${what}. It must return milliseconds, or undefined. Such requests go on ` +
        'without a deadline; this is said once.',
    );
  };
  return request => {
    try {
      const left = ask(request);
      // What is made of a header that is not there is NaN.
      if (typeof left === 'number') return left < Infinity ? left : undefined;
      if (left === undefined || left === null) return undefined;
      // Nobody waits for a promise, and its rejection would end the process.
      if (left instanceof Promise) left.catch(() => undefined);
      complain(`has returned ${typeof left === 'string' ? 'a text' : nameOf(left)}`);
      return;
    } catch (error) {
      // Not its message, which may quote the request.
      complain(`has thrown ${kindOf(error)}`);
      return;
    }
  };
}

/** What a value is; of an object not what it says. */
function nameOf(value: unknown): string {
  if (value instanceof Promise) return 'a promise';
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
