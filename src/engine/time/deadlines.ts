import { IntrusiveList, type Links } from '../basics/intrusive-list.js';
import type { Alarm, Sleeper } from './alarm.js';

/** What can be given a time at which it expires. */
export interface Timed extends Links<Timed> {
  /** The bucket it waits in; undefined while it is not set. */
  bucket: Bucket | undefined;
  /** The time has come. Must not throw. */
  expire(now: number): void;
}

/** Something that happens at a time, unless it is cancelled before. */
export class Deadline implements Timed {
  prev: Timed | undefined = undefined;
  next: Timed | undefined = undefined;
  bucket: Bucket | undefined = undefined;

  /** @param expire what happens when the time has come; must not throw */
  constructor(readonly expire: (now: number) => void) {}
}

export class Bucket extends IntrusiveList<Timed> {
  constructor(readonly at: number) {
    super();
  }
}

/**
 * Deadlines on a time of their own, which can be made to stand still.
 *
 * A deadline is rounded up to a multiple of the largest power of two below 1/64 of its delay (8 ms at least), so it is
 * late by at most max(8 ms, 1.6 %) and never early, and all that fall on the same multiple share a bucket. However
 * many deadlines there are, buckets stay few (at most 64 for each doubling of the delay), so keeping those in a heap
 * makes setting and cancelling a deadline O(1) in the number of deadlines. The rounding is that of hashed timing
 * wheels (Varghese & Lauck 1987); the heap takes the place of the wheel's empty ticks.
 */
export class Deadlines implements Sleeper {
  /** A binary heap by `at`. Buckets that were emptied by cancelling stay until they come to the top. */
  private readonly heap: Bucket[] = [];
  private readonly buckets = new Map<number, Bucket>();
  /** The bucket that was needed last, and will be next as a rule: finding it again costs half as much as all of `set`. */
  private latest: Bucket | undefined = undefined;
  /** By how much this time lags behind the clock: as long as it has stood still. */
  private lag = 0;
  private stoppedAt: number | undefined = undefined;

  constructor(private readonly alarm: Alarm) {
    alarm.add(this);
  }

  now(): number {
    return this.stoppedAt ?? this.alarm.clock.now() - this.lag;
  }

  /** Lets the time stand still: no deadline comes nearer. */
  stop(): void {
    this.stoppedAt ??= this.now();
  }

  /** Lets the time go on, from where it stood: O(1), however many deadlines there are. */
  go(): void {
    if (this.stoppedAt === undefined) return;
    const now = this.alarm.clock.now();
    this.lag = now - this.stoppedAt;
    this.stoppedAt = undefined;
    this.alarm.expect(this.wakeAt, now);
  }

  /** Sets a deadline `delay` ms after `now` (of this time), in place of an earlier setting; Infinity unsets it. */
  set(deadline: Timed, now: number, delay: number): void {
    this.cancel(deadline);
    if (delay === Infinity) return;
    const grain = delay < 1024 ? 8 : powerOfTwoBelow(delay / 64);
    // Strictly later than now: a deadline set by an expiring one is for the next round.
    const at = Math.ceil(Math.max(now + delay, now + 0.001) / grain) * grain;
    const bucket = this.latest?.at === at ? this.latest : this.bucketAt(at);
    bucket.push(deadline);
    deadline.bucket = bucket;
    if (this.stoppedAt === undefined) this.alarm.expect(at + this.lag, now + this.lag);
  }

  cancel(deadline: Timed): void {
    deadline.bucket?.remove(deadline);
    deadline.bucket = undefined;
  }

  get wakeAt(): number {
    if (this.stoppedAt !== undefined) return Infinity;
    while (this.heap[0]?.length === 0) this.removeTop();
    return this.heap[0] ? this.heap[0].at + this.lag : Infinity;
  }

  wake(at: number, now: number): void {
    // An expiring deadline may stop the time.
    for (let top = this.heap[0]; top && this.stoppedAt === undefined; top = this.heap[0]) {
      if (top.at + this.lag > at) return;
      const due = top.shift();
      if (due) {
        due.bucket = undefined;
        due.expire(now - this.lag);
      } else {
        this.removeTop();
      }
    }
  }

  private bucketAt(at: number): Bucket {
    let bucket = this.buckets.get(at);
    if (!bucket) {
      bucket = new Bucket(at);
      this.buckets.set(at, bucket);
      this.insert(bucket);
    }
    return (this.latest = bucket);
  }

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
    if (top === this.latest) this.latest = undefined;
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

/** The largest power of two that is not larger. By its bits, as far as those reach: `**` and log2 cost as much as all else. */
function powerOfTwoBelow(value: number): number {
  return value < 2 ** 30 ? 1 << (31 - Math.clz32(value)) : 2 ** Math.floor(Math.log2(value));
}
