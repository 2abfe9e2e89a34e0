/** A borrowed resource was asked for where no borrow scope is running. */
export class NoBorrowScopeError extends Error {
  override readonly name = 'NoBorrowScopeError';

  constructor(pool: string) {
    super(
      `Pool "${pool}": there is no borrow scope here to give the resource back in. Borrowed.get() works during an HTTP ` +
        'request, or inside `await scopes.run(async () => …)` with BorrowScopes injected. If this code runs during a ' +
        'request, something on the way here has lost the AsyncLocalStorage context (an event listener, a queue of your ' +
        'own). Everywhere else, inject the pool with @InjectPool and call pool.use().',
    );
  }
}

/** A borrowed resource was asked for after the unit of work had ended, e.g. by code that nobody awaited. */
export class BorrowScopeEndedError extends Error {
  override readonly name = 'BorrowScopeEndedError';

  constructor(pool: string) {
    super(
      `Pool "${pool}": the borrow scope has ended and its resources are back in their pools. Await all work before the ` +
        'handler returns, or run work that outlives the request in a scope of its own: `scopes.run(work, { own: true })`.',
    );
  }
}

/** The client went away while a borrow was queueing for it; nobody is left to be answered. */
export class RequestAbortedError extends Error {
  override readonly name = 'RequestAbortedError';

  constructor() {
    super('The client has left before its request was answered.');
  }
}
