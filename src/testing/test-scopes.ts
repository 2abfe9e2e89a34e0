import { BorrowScopes } from '../module/borrow-scopes.js';
import { BorrowScope, Borrowed, type AnyPool, type ScopeHost } from '../scope/index.js';
import { fakePool } from './fake-pool.js';

const host = (): ScopeHost => ({ stopping: new AbortController().signal });

/**
 * Borrow scopes for unit tests, without an application.
 *
 * ```ts
 * const scopes = new TestScopes();
 * const repository = new OrdersRepository(scopes.borrowed(pool));
 * await scopes.run(() => repository.find('42'));
 * await assertNoLeases(pool);
 * ```
 */
export class TestScopes extends BorrowScopes {
  private readonly own: ScopeHost;

  constructor(own: ScopeHost = host()) {
    super(own);
    this.own = own;
  }

  /** What `@InjectBorrowed` would inject. */
  borrowed<T>(pool: AnyPool<T>): Borrowed<T> {
    return new Borrowed(pool, this.own);
  }
}

/**
 * What `@InjectBorrowed` would inject, for a unit test that does not care about scopes: `get()` gives the same resource
 * at any time and anywhere.
 */
export function fakeBorrowed<T>(resource: T): Borrowed<T> {
  return new FakeBorrowed(resource);
}

class FakeBorrowed<T> extends Borrowed<T> {
  private readonly everything: BorrowScope;

  constructor(resource: T) {
    const own = host();
    super(
      fakePool(() => resource, { max: 1_000 }),
      own,
    );
    this.everything = new BorrowScope(own);
    this.everything.hold();
  }

  protected override current(): BorrowScope {
    return this.everything;
  }
}
