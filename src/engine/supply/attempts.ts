import { kindOf } from '../basics/thrown.js';
import { isRetryable } from '../options/factory.js';
import type { FailingCreates } from '../reports/stats.js';
import type { Slot } from '../slots/slot.js';
import { Deadline } from '../time/deadlines.js';
import type { Supply } from './supply.js';

/** What is to be known of creates that kept failing, when their pool has gone and there is another for the same. */
export interface FailureMemory {
  readonly attempts: number;
  readonly error: unknown;
  readonly hopeless: boolean;
  readonly since: number;
  /** When the next attempt may begin. */
  readonly retryAt: number;
}

/**
 * When creates may be tried, and tried again.
 *
 * The creates that are started together are one attempt. After a failed attempt the next one is a single probe, until one
 * succeeds, and each has to wait for longer. A probe that is late has missed as one that fails: the next one does not wait
 * for it. So an outage costs the backend one connect per back-off step, and at its end those who come back to it do not
 * come all at once: with each success one more may be under way, as in the slow start of TCP (Jacobson 1988).
 */
export class Attempts<T> {
  /** Failed attempts in a row. */
  failures = 0;
  /** Undefined unless the last attempt has failed: a create that rejects with nothing has an error made for it. */
  lastError: unknown = undefined;
  /** The attempt that a create belongs to which begins now. */
  current = 0;
  /** Creates of this attempt that are still running. One that hangs from an earlier attempt holds up nothing. */
  private running = 0;
  /** How many may be running. */
  private window = Infinity;
  /** There was an outage, and the window is still opening. */
  private recovering = false;
  /** Attempts in a row that have failed or are late: as long is the next back-off. */
  private misses = 0;
  /** Attempts before this one have been counted among the failures, and among the misses. */
  private notFailed = 0;
  private notMissed = 0;
  /** When the next attempt may begin; undefined when it may begin now. */
  private retryAt: number | undefined = undefined;
  /** When the first of the failed attempts failed. */
  private failingSince = 0;
  /** The last error said that trying again is no use. */
  hopeless = false;
  private readonly pause: Deadline;

  /** @param again called when the next attempt may begin */
  constructor(
    private readonly pool: Supply<T>,
    again: () => void,
  ) {
    this.pause = new Deadline(() => {
      this.retryAt = undefined;
      again();
    });
  }

  /** May a create begin now? */
  get open(): boolean {
    return this.retryAt === undefined && this.running < this.window;
  }

  /** Waits for the back-off to pass? */
  get backsOff(): boolean {
    return this.retryAt !== undefined;
  }

  /** Milliseconds until the next attempt may begin. */
  get retryInMs(): number {
    return this.retryAt === undefined ? 0 : Math.max(0, this.retryAt - this.pool.clock.now());
  }

  /** Have they failed so often, or in such a way, that whoever waits would wait in vain? */
  get inVain(): boolean {
    return this.failures > 0 && (this.hopeless || this.failures >= this.pool.settings.unavailableAfter);
  }

  /** Is this the attempt that has failed, or is late, last? */
  isLast(attempt: number): boolean {
    return attempt === this.notMissed - 1;
  }

  /** Undefined unless the last attempt has failed. */
  get failing(): FailingCreates | undefined {
    if (this.failures === 0) return undefined;
    const forMs = this.pool.clock.now() - this.failingSince;
    return { attempts: this.failures, forMs, error: kindOf(this.lastError) };
  }

  began(): void {
    this.running++;
  }

  /** A create has settled in a way that says nothing of the backend. */
  ended(slot: Slot<T>): void {
    if (slot.attempt === this.current) this.running--;
  }

  succeeded(slot: Slot<T>): void {
    this.ended(slot);
    // What began before it and fails later says nothing of the backend as it is now.
    this.notFailed = Math.max(this.notFailed, slot.attempt);
    // One that was merely slow is no outage.
    if (this.failures > 0 || this.misses > 1) this.recovering = true;
    this.window = this.recovering ? this.window + 1 : Infinity;
    if (this.window >= this.pool.limits.max) this.openWide();
    this.clear();
  }

  failed(slot: Slot<T>, error: unknown): void {
    const { clock, factory } = this.pool;
    // That a create with old credentials, or to an old address, has failed says nothing about the new ones.
    if (slot.doom !== 'recycled') {
      this.lastError = error === undefined ? new Error('create failed without an error') : error;
      this.hopeless = !isRetryable(factory, error);
    }
    if (slot.attempt < this.notFailed) return;
    this.notFailed = slot.attempt + 1;
    if (++this.failures === 1) this.failingSince = clock.now();
    this.missed(slot);
    this.window = 1;
    this.backOff(Math.max(this.failures, this.misses) - 1);
  }

  /** A create is late. The first time that need not mean anything: another one is tried at once. */
  late(slot: Slot<T>): void {
    if (this.missed(slot) && this.misses > 1) this.backOff(this.misses - 2);
  }

  /** What was before counts no longer: the next create may begin at once, and its failure is the first. */
  forget(): void {
    this.notFailed = this.notMissed = ++this.current;
    this.running = 0;
    this.openWide();
    this.clear();
  }

  /** What to {@link recall}; undefined unless the last attempt has failed. */
  get memory(): FailureMemory | undefined {
    if (this.failures === 0) return undefined;
    const { lastError: error, hopeless, failingSince: since, retryAt = -Infinity } = this;
    return { attempts: Math.max(this.failures, this.misses), error, hopeless, since, retryAt };
  }

  /** Goes on where the attempts of another pool for the same have ended. Once its back-off is over, one may try. */
  recall({ attempts, error, hopeless, since, retryAt }: FailureMemory): void {
    const { clock, deadlines, settings } = this.pool;
    const now = clock.now();
    const waits = retryAt > now;
    this.misses = attempts;
    this.failures = waits ? attempts : Math.min(attempts, settings.unavailableAfter - 1);
    this.hopeless = waits && hopeless;
    this.lastError = error;
    this.failingSince = since;
    this.window = 1;
    if (!waits) return;
    this.retryAt = retryAt;
    deadlines.set(this.pause, now, retryAt - now);
  }

  /** No attempt waits for its time any more. */
  stop(): void {
    this.pool.deadlines.cancel(this.pause);
    this.retryAt = undefined;
  }

  /** @returns whether this is the first that is heard of its attempt */
  private missed({ attempt }: Slot<T>): boolean {
    if (attempt < this.notMissed) return false;
    this.notMissed = attempt + 1;
    this.misses++;
    this.window = 1;
    if (attempt === this.current) {
      this.current++;
      this.running = 0;
    }
    return true;
  }

  private backOff(steps: number): void {
    const { settings, clock, deadlines } = this.pool;
    const { initial, max, factor } = settings.createBackoff;
    const now = clock.now();
    const delay = Math.random() * Math.min(max, initial * factor ** steps);
    if (this.retryAt !== undefined && this.retryAt > now + delay) return;
    this.retryAt = now + delay;
    deadlines.set(this.pause, now, delay);
  }

  private openWide(): void {
    this.window = Infinity;
    this.recovering = false;
  }

  private clear(): void {
    this.failures = this.misses = 0;
    this.hopeless = false;
    this.lastError = undefined;
    this.stop();
  }
}
