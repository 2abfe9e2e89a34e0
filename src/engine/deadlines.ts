import type { Clock, ClockTimer } from './clock.js';
import { IntrusiveList, type Links } from './intrusive-list.js';
import { neutrally } from './neutral.js';

/** The longest delay setTimeout takes; a longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Something that happens at a time, unless it is cancelled before. */
export class Deadline implements Links<Deadline> {
  prev: Deadline | undefined = undefined;
  next: Deadline | undefined = undefined;
  /** The bucket it waits in; undefined while it is not set. */
  bucket: Bucket | undefined = undefined;

  /** @param expire what happens when the time has come; must not throw */
  constructor(readonly expire: (now: number) => void) {}
}

class Bucket extends IntrusiveList<Deadline> {
  constructor(readonly at: number) {
    super();
  }
}

/**
 * All deadlines of one pool on one timer.
 *
 * A deadline is rounded up to a multiple of the largest power of two below 1/64 of its delay (8 ms at least), so it is
 * late by at most max(8 ms, 1.6 %) and never early, and all that fall on the same multiple share a bucket. However
 * many deadlines there are, buckets stay few (at most 64 for each doubling of the delay), so keeping those in a heap
 * makes setting and cancelling a deadline O(1) in the number of deadlines. The rounding is that of hashed timing
 * wheels (Varghese & Lauck 1987); the heap takes the place of the wheel's empty ticks.
 */
export class Deadlines {
  /** A binary heap by `at`. Buckets that were emptied by cancelling stay until they come to the top. */
  private readonly heap: Bucket[] = [];
  private readonly buckets = new Map<number, Bucket>();
  private timer: ClockTimer | undefined;
  private timerAt = Infinity;
  private awaited = 0;

  constructor(private readonly clock: Clock) {}

  /** Sets a deadline `delay` ms after `now`, in place of an earlier setting; Infinity unsets it. */
  set(deadline: Deadline, now: number, delay: number): void {
    this.cancel(deadline);
    if (delay === Infinity) return;
    const grain = delay < 1024 ? 8 : 2 ** Math.floor(Math.log2(delay / 64));
    // Strictly later than now: a deadline set by an expiring one is for the next round.
    const at = Math.ceil(Math.max(now + delay, now + 0.001) / grain) * grain;
    let bucket = this.buckets.get(at);
    if (!bucket) {
      bucket = new Bucket(at);
      this.buckets.set(at, bucket);
      this.insert(bucket);
    }
    bucket.push(deadline);
    deadline.bucket = bucket;
    if (at < this.timerAt) this.arm(now);
  }

  cancel(deadline: Deadline): void {
    deadline.bucket?.remove(deadline);
    deadline.bucket = undefined;
  }

  /** Somebody awaits the pool from now on: the process stays alive until as many {@link letGo} have been called. */
  hold(): void {
    if (this.awaited++ > 0) return;
    if (this.timer) this.timer.ref();
    else this.arm(this.clock.now());
  }

  letGo(): void {
    if (--this.awaited === 0) this.timer?.unref();
  }

  /** Forgets every deadline and stops the timer. */
  clear(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.timerAt = Infinity;
    for (const bucket of this.heap) while (bucket.first) this.cancel(bucket.first);
    this.heap.length = 0;
    this.buckets.clear();
  }

  private arm(now: number): void {
    while (this.heap[0]?.length === 0) this.removeTop();
    const at = this.heap[0]?.at ?? (this.awaited > 0 ? now + LONGEST_TIMER : Infinity);
    this.timer?.cancel();
    this.timer = undefined;
    this.timerAt = at;
    if (at === Infinity) return;
    const ms = Math.min(Math.max(at - now, 0), LONGEST_TIMER);
    this.timer = neutrally(() => this.clock.setTimer(this.fire, ms));
    if (this.awaited === 0) this.timer.unref();
  }

  private readonly fire = (): void => {
    const now = this.clock.now();
    for (let bucket = this.heap[0]; bucket && bucket.at <= now; bucket = this.heap[0]) {
      this.removeTop();
      for (let due = bucket.first; due; due = bucket.first) {
        this.cancel(due);
        due.expire(now);
      }
    }
    this.arm(this.clock.now());
  };

  private insert(bucket: Bucket): void {
    const heap = this.heap;
    let i = heap.push(bucket) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent]!;
      if (above.at <= bucket.at) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = bucket;
  }

  private removeTop(): void {
    const heap = this.heap;
    const top = heap[0]!;
    this.buckets.delete(top.at);
    const bucket = heap.pop()!;
    if (bucket === top) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      const below = heap[child]!;
      if (below.at >= bucket.at) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = bucket;
  }
}
