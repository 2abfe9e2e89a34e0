/** A browser has ended while contexts of it were lent, or kept ready. The cause of a `ResourceInvalidatedError`. */
export class BrowserGoneError extends Error {
  override readonly name = 'BrowserGoneError';
}

/** A page of the borrowed context has crashed. The cause of a `ResourceInvalidatedError`. */
export class PageCrashedError extends Error {
  override readonly name = 'PageCrashedError';
}
