import type { DestroyReason, ResourceFactory } from '../engine/index.js';

/** What has become of a resource. */
export interface Destroyed<T> {
  readonly resource: T;
  readonly reason: DestroyReason;
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
}
