import { brand } from '../engine/basics/brand.js';
import { copiesLoaded } from './copies.js';

/** A borrowed resource was asked for where no borrow scope is running. */
export class NoBorrowScopeError extends Error {
  override readonly name = 'NoBorrowScopeError';

  /**
   * @param pool the pool's name; undefined where nothing but the scope was asked for
   * @param request it was asked for by a handler of an HTTP request
   */
  constructor(pool?: string, request = false) {
    super(
      (pool === undefined ? '' : `Pool "${pool}": `) +
        (request ? noModule() : lostContext()) +
        (copiesLoaded() > 1 ? twoCopies() : ''),
    );
  }
}

/** A borrowed resource was asked for after the unit of work had ended, e.g. by code that nobody awaited. */
export class BorrowScopeEndedError extends Error {
  override readonly name = 'BorrowScopeEndedError';

  /** @param pool the pool's name; undefined where nothing but the scope was asked for */
  constructor(pool?: string) {
    super(
      `${pool === undefined ? 'The' : `Pool "${pool}": the`} borrow scope has ended and its resources are back in their pools. Await all work before the ` +
        'handler returns, or run work that outlives the request in a scope of its own: `scopes.run(work, { own: true })`.',
    );
  }
}

/** A keyed pool was borrowed from, and it is not known for which key. */
export class BorrowKeyError extends Error {
  override readonly name = 'BorrowKeyError';

  constructor(pool: string, why: string, remedy: string) {
    super(`Keyed pool "${pool}": the key is missing: ${why}. ${remedy}`);
  }
}

/** The client went away while a borrow was queueing for it; nobody is left to be answered. */
export class RequestAbortedError extends Error {
  override readonly name = 'RequestAbortedError';

  constructor() {
    super('The client has left before its request was answered.');
  }
}

/**
 * Whoever the work is for has given up: the time that the caller had for it is over. No pool is to blame for it, and none
 * counts it as a timeout.
 */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';

  /** @param pool the pool's name; undefined where it is not about a borrow */
  constructor(
    pool: string | undefined,
    /** Milliseconds that the borrow had waited for; 0 for one that was refused at once. */
    readonly waitedMs: number,
    overdueMs: number,
  ) {
    super(
      `${pool === undefined ? 'The' : `Pool "${pool}": the`} caller's deadline has passed, ${milliseconds(overdueMs)} ms ago, so ` +
        'that nobody waits for the answer any more. ' +
        (waitedMs > 0
          ? `That, and not acquireTimeout, has ended a wait of ${milliseconds(waitedMs)} ms. `
          : '') +
        (pool !== undefined && waitedMs === 0 ? 'Nothing was asked of the pool. ' : '') +
        'What has to be done all the same needs a scope of its own: `scopes.run(work, { own: true })`.',
    );
  }
}

/**
 * Nobody could tell whether work still went on with what a scope had borrowed, so that it was destroyed instead of being
 * lent to somebody else.
 */
export class AbandonedError extends Error {
  override readonly name = 'AbandonedError';

  constructor(scope: string, waitedMs: number) {
    super(
      `${scope}: the client has left, or a stream was given up half-way, and for ${waitedMs} ms nobody has ended the answer. ` +
        'It cannot be known whether code goes on using what was borrowed, so that is destroyed. End the answer ' +
        '(`response.end()`, or `end()` of the stream) also then, or say what there is to wait for: ' +
        '`scopes.until(promiseOrStream)`.',
    );
  }
}

/** A method or handler cannot run in, or without, the transaction that it finds. */
export class TransactionRefusedError extends Error {
  override readonly name = 'TransactionRefusedError';

  constructor(pool: string, why: string) {
    super(`Pool "${pool}": ${why}.`);
  }
}

/** A borrowed resource was asked for by code that runs on after the transaction in which it was started. */
export class TransactionOverError extends Error {
  override readonly name = 'TransactionOverError';

  constructor(pool: string) {
    super(
      `Pool "${pool}": the transaction that this code was started in has ended, so that what it does could not be undone ` +
        'with it any more. Await all work before the method returns, or run work that outlives it in a scope of its own: ' +
        '`scopes.run(work, { own: true })`.',
    );
  }
}

/** A transaction that several take part in was rolled back, as one of them has failed; `cause` is how. */
export class TransactionRolledBackError extends Error {
  override readonly name = 'TransactionRolledBackError';

  constructor(pool: string, cause: unknown) {
    super(
      `Pool "${pool}": the transaction was rolled back, as somebody else who took part in it has failed.`,
      { cause },
    );
  }
}

brand({
  TransactionRefusedError,
  TransactionRolledBackError,
  TransactionOverError,
  NoBorrowScopeError,
  BorrowScopeEndedError,
  BorrowKeyError,
  RequestAbortedError,
  DeadlineExceededError,
  AbandonedError,
});

function milliseconds(ms: number): string {
  return String(Math.round(ms * 10) / 10);
}

function noModule(): string {
  return (
    'this request has no borrow scope. Is PoolModule.forRoot({ pools: […] }) among the imports of the root module of the ' +
    'application that serves it?'
  );
}

function lostContext(): string {
  return (
    'there is no borrow scope here to give a resource back in. Borrowed.get() works while a request, a message or a ' +
    'GraphQL operation is handled, in methods with @UseBorrowScope(), and inside `await scopes.run(async () => …)` with ' +
    'BorrowScopes injected. If this code runs in one of these, something on the way here has lost the AsyncLocalStorage context (an event listener, a queue of your own). Everywhere else, inject the ' +
    'pool with @InjectPool and call pool.use().'
  );
}

function twoCopies(): string {
  return (
    ` This process has loaded nestjs-pool ${copiesLoaded()} times, and a scope is known only to the copy that has begun it. ` +
    'If this code imports another copy than the module that has PoolModule, that is the reason: `npm ls nestjs-pool` ' +
    'lists them, and `npm dedupe` or a peer dependency leaves one. Jest makes copies with resetModules().'
  );
}
