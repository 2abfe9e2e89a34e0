/** One call, from the moment it was sent until its worker says that it has ended. Its caller may be told before. */
export class Call {
  readonly result: Promise<unknown>;
  private resolve!: (value: unknown) => void;
  private reject!: (error: unknown) => void;
  private stopTimer: NodeJS.Timeout | undefined = undefined;
  private forget: () => void = () => undefined;
  /** Nobody waits for its result any more. */
  aborted = false;

  constructor() {
    this.result = new Promise<unknown>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Calls back when the signal aborts, for as long as the caller waits. */
  follow(signal: AbortSignal, aborted: (reason: unknown) => void): void {
    const listener = (): void => aborted(signal.reason);
    signal.addEventListener('abort', listener, { once: true });
    this.forget = () => signal.removeEventListener('abort', listener);
    // By a getter of the payload.
    if (signal.aborted) listener();
  }

  /** Its caller is told now; it is over in the worker when that has said so, or `overdue` is called. */
  abort(reason: unknown, stopTimeout: number, overdue: () => void): void {
    this.aborted = true;
    this.fail(reason);
    this.stopTimer = after(stopTimeout, overdue);
  }

  /** It has ended with a value. */
  succeed(value: unknown): void {
    this.end();
    this.resolve(value);
  }

  /** Its task has thrown. */
  throw(error: unknown): void {
    this.end();
    this.reject(error);
  }

  /** It has ended for a reason that is not its task's, and that a caller need not hear of who has forgotten about it. */
  fail(error: unknown): void {
    this.end();
    this.result.catch(() => undefined);
    this.reject(error);
  }

  private end(): void {
    clearTimeout(this.stopTimer);
    this.forget();
  }
}

/** The longest that a timer of Node can be. */
const LONGEST = 2 ** 31 - 1;

/** A timer that takes `Infinity`. */
export function after(ms: number, callback: () => void): NodeJS.Timeout | undefined {
  return ms > LONGEST ? undefined : setTimeout(callback, ms);
}
