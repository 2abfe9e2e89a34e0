import type { DestroyReason, OpenTransaction, ResourceFactory, TransactionOptions } from '../engine/index.js';

/** What has become of a resource. */
export interface Destroyed<T> {
  readonly resource: T;
  readonly reason: DestroyReason;
}

/** A transaction that was begun on a fake. Nothing is undone by it: it says what would have become of a real one. */
export interface FakeTransaction<T> {
  readonly resource: T;
  readonly options: TransactionOptions;
  /** `open` also when its resource went back before it was ended: a real one is rolled back then. */
  readonly state: 'open' | 'committed' | 'rolled back';
  /** It was begun within another one (a savepoint). */
  readonly nested: boolean;
}

/**
 * A factory for tests: it remembers what it has made and destroyed, and fails when it is told to.
 *
 * ```ts
 * const factory = new FakeFactory(() => new FakeClient());
 * const pool = fakePool(factory, { max: 1 });
 * factory.failNext(new Error('the database is down'));
 * ```
 */
export class FakeFactory<T> implements ResourceFactory<T> {
  /** All that it has made, in that order. */
  readonly made: T[] = [];
  readonly destroyed: Destroyed<T>[] = [];
  /** All transactions that were begun, in that order. */
  readonly transactions: FakeTransaction<T>[] = [];
  private readonly failures: unknown[] = [];
  private broken = new Set<T>();

  /** @param make gives a resource, another each time */
  constructor(private readonly make: () => T | PromiseLike<T>) {}

  /** What it has made and not destroyed. */
  get live(): T[] {
    const left = [...this.made];
    for (const { resource } of this.destroyed) left.splice(left.indexOf(resource), 1);
    return left;
  }

  /** The next creates fail with this error, one after the other. */
  failNext(error: unknown, times = 1): void {
    for (let i = 0; i < times; i++) this.failures.push(error);
  }

  /** All that is live now has become unusable: its next validation says so. */
  breakLive(): void {
    this.broken = new Set(this.live);
  }

  async create(): Promise<T> {
    if (this.failures.length > 0) throw this.failures.shift();
    const resource = await this.make();
    this.made.push(resource);
    return resource;
  }

  validate(resource: T): boolean {
    return !this.broken.has(resource);
  }

  destroy(resource: T, reason: DestroyReason): void {
    this.destroyed.push({ resource, reason });
  }

  begin(resource: T, options: TransactionOptions): OpenTransaction {
    return this.note(resource, options, false);
  }

  private note(resource: T, options: TransactionOptions, nested: boolean): OpenTransaction {
    const noted: { -readonly [P in keyof FakeTransaction<T>]: FakeTransaction<T>[P] } = {
      resource,
      options,
      state: 'open',
      nested,
    };
    this.transactions.push(noted);
    return {
      commit: () => {
        noted.state = 'committed';
      },
      rollback: () => {
        noted.state = 'rolled back';
      },
      begin: () => this.note(resource, options, true),
    };
  }
}
