import {
  BorrowScope,
  BorrowScopeEndedError,
  Borrowed,
  inScope,
  runHeld,
  type KeyedBorrowOptions,
  type ScopeHost,
} from '../scope/index.js';
import { holdFor } from './forgotten.js';
import type { KeyOf, PoolName, ResourceOf } from './pools.js';
import { PoolRegistry } from './registry.js';

/**
 * A borrow scope that is open until it is closed: `await using scope = scopes.open()`. For scripts, tests, and work that begins
 * in one place and ends in another. It is always one of its own, whatever scope it is opened in; what runs in it, and
 * `scopes.run` and `@UseBorrowScope()` in there, share what it has borrowed.
 *
 * It is no context of the code around it, as that would not end with the block: only what is given to `run` runs in it.
 */
export class OpenBorrowScope implements AsyncDisposable {
  private readonly scope: TellingScope;
  private readonly drop: () => void;
  private closed = false;

  /** @internal */
  constructor(private readonly host: ScopeHost) {
    this.scope = new TellingScope(host);
    const why = 'A scope of scopes.open() was never closed: `await using scope = scopes.open()` does it.';
    this.drop = holdFor(this, this.scope, why);
  }

  /**
   * Runs work in it, as often as you like, also side by side. What is borrowed stays until the scope is closed.
   *
   * @throws BorrowScopeEndedError when it was closed; and what the work throws, which the scope takes for its own failure
   */
  run<R>(work: () => R | PromiseLike<R>): Promise<R> {
    const { scope } = this;
    return this.begin(() => runHeld(scope, work));
  }

  /**
   * The resource of this scope, of what `@InjectBorrowed` has injected or of the pool of a name.
   *
   * @throws BorrowScopeEndedError when it was closed
   * @throws UnknownPoolError
   * @throws as `Borrowed.get`
   */
  get<T, K>(borrowed: Borrowed<T, K>, options?: KeyedBorrowOptions<K>): Promise<T>;
  get<N extends PoolName>(pool: N, options?: KeyedBorrowOptions<KeyOf<N>>): Promise<ResourceOf<N>>;
  get(what: Borrowed<unknown> | string, options?: KeyedBorrowOptions): Promise<unknown> {
    const { host, scope } = this;
    return this.begin(() => {
      const borrowed = typeof what === 'string' ? borrowedOf(host, what) : what;
      return inScope(scope, () => borrowed.get(options));
    });
  }

  /**
   * Aborted when a pool has taken away what the scope has borrowed: `maxHold`, or the deadline of a shutdown. As with
   * `@BorrowSignal()`.
   */
  get signal(): AbortSignal {
    return this.scope.signal;
  }

  /** The work went wrong: resources show this to `isFatal` when they go back. The first error counts. */
  fail(error: unknown): void {
    this.scope.fail(error);
  }

  /**
   * Nothing is borrowed or begun in it any more. Resolves when what is still running has settled and all has gone back, so
   * it is not to be awaited by what runs in it. Closing it again waits for the same.
   */
  close(): Promise<void> {
    if (!this.closed) {
      this.closed = true;
      this.drop();
    }
    return this.scope.allBack;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Not at once: the pool remembers from where something was borrowed, and with that all whose methods are being called. This
   * object must not be among them, or it would never be missed.
   */
  private begin<R>(work: () => Promise<R>): Promise<R> {
    if (this.closed) return Promise.reject(new BorrowScopeEndedError());
    return Promise.resolve().then(work).finally(this.scope.hold());
  }
}

function borrowedOf(host: ScopeHost, pool: string): Borrowed<unknown> {
  if (host instanceof PoolRegistry) return new Borrowed(host.require(pool), host, host.keyRule(pool));
  throw new TypeError(
    'Without an application no pool is known by its name. Give get() what is borrowed from.',
  );
}

/** Tells when all has gone back, also when nothing was borrowed. */
class TellingScope extends BorrowScope {
  private tell!: () => void;
  readonly allBack = new Promise<void>(resolve => {
    this.tell = resolve;
  });

  override leave(): void {
    super.leave();
    // Otherwise it waits for what may be going on unseen, and ends by itself.
    if (!this.held && (this.ended || this.unused)) this.tell();
  }

  protected override close(): void {
    this.tell();
  }
}
