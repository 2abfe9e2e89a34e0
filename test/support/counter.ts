import { expect } from '@jest/globals';
import type { AcquireOptions, Lease } from '../../src/engine/index.js';
import { follow, type Followed } from './follow.js';
import { scriptedPool, type ScriptedOptions, type ScriptedPool } from './invariants.js';
import { turn } from './manual-clock.js';
import type { Thing } from './scripted-factory.js';

/** The defaults of the option shed. */
export const TARGET = 50;
export const INTERVAL = 2_000;

/** A pool of one that is always lent: the test decides who waits, and for how long. */
export class Counter {
  private readonly waiters: Followed<Lease<Thing>>[] = [];

  private constructor(
    readonly scripted: ScriptedPool<Thing>,
    private holder: Lease<Thing>,
  ) {}

  static async open(options: ScriptedOptions<Thing> = {}): Promise<Counter> {
    const scripted = scriptedPool({ max: 1, acquireTimeout: Infinity, shed: {}, ...options });
    const counter = new Counter(scripted, await scripted.pool.acquire());
    // Ends the interval that began when the pool was made. Nobody has waited in it.
    await counter.pass(options.shed?.interval ?? INTERVAL);
    await counter.serveAfter(80);
    counter.waiters.length = 0;
    return counter;
  }

  /** Nobody has waited for less than 80 ms for a whole interval; the one in which it is slow has just begun. */
  static async slow(options: ScriptedOptions<Thing> = {}): Promise<Counter> {
    const counter = await Counter.open(options);
    await counter.stand(options.shed?.interval);
    expect(counter.shed).toBe(0);
    counter.waiters.length = 0;
    return counter;
  }

  get shed(): number {
    return this.scripted.pool.stats().totals.shed;
  }

  /** What has become of those who joined since it was slow: served, refused, or waiting. */
  get fates(): string {
    return this.waiters.map(({ state }) => state[0]).join('');
  }

  pass(ms: number): Promise<void> {
    return this.scripted.clock.advance(ms);
  }

  /** Somebody begins to wait, at the moment at which it is called. */
  join(options?: AcquireOptions): Followed<Lease<Thing>> {
    const waiter = follow(this.scripted.pool.acquire(options));
    this.waiters.push(waiter);
    return waiter;
  }

  /** What is lent comes back. */
  async serve(): Promise<void> {
    this.holder.release();
    await turn();
    this.holder = this.waiters.findLast(({ value }) => value?.released === false)?.value ?? this.holder;
  }

  /** Somebody waits for as long, and is served. */
  async serveAfter(ms: number): Promise<void> {
    this.join();
    await this.pass(ms);
    await this.serve();
  }

  /** Everybody waits for 80 ms, until an interval has ended. */
  async stand(interval = INTERVAL): Promise<void> {
    const end = this.scripted.clock.now() + interval;
    while (this.scripted.clock.now() < end) await this.serveAfter(80);
  }
}
