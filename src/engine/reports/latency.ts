/** How long something took, over all times it happened. Milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly meanMs: number;
  /** Half took no longer; percentiles are within 10 %, and never below the truth. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** How long something took, as a histogram: how many took no longer than each of its bounds. */
export interface LatencyHistogram {
  readonly count: number;
  /** Milliseconds of all of them together. */
  readonly sumMs: number;
  /** In rising order; from 1.024 ms on each bound is twice the last one, up to 33 554 ms. */
  readonly buckets: readonly LatencyBucket[];
}

export interface LatencyBucket {
  /** Milliseconds. */
  readonly upToMs: number;
  /** How many took no longer than that, those in the buckets before included. */
  readonly count: number;
}

/** Of which doublings of {@link LEAST_MS} a histogram tells: 1.024 ms to 33 554 ms. */
const FIRST_TOLD = 10;
const LAST_TOLD = 25;

/** Buckets for each doubling: an upper bound is at most 2^(1/8) = 9 % above what is in its bucket. */
const PER_DOUBLING = 8;
/** The first bucket ends here: 1 µs. */
const LEAST_MS = 0.001;
/** How much of a moving average each new value is: that of TCP's round-trip times (Jacobson 1988). */
const GAIN = 1 / 8;
/** Up to 2^42 µs, about 50 days; the last one has no end. */
const BUCKETS = 42 * PER_DOUBLING + 1;

/**
 * Durations in buckets of exponential width, as in HdrHistogram and Prometheus's native histograms: recording one is
 * O(1), takes no memory, and a percentile is right within the width of a bucket.
 */
export class Latency {
  /** How many. */
  recorded = 0;
  /** A moving average, in milliseconds; undefined while there is none. */
  recent: number | undefined = undefined;
  private sum = 0;
  private max = 0;
  private readonly buckets = new Uint32Array(BUCKETS);
  /** The first and the last bucket that has anything: durations of one kind are close together. */
  private first = BUCKETS;
  private last = -1;
  /** The last summary, and of how many recorded ones it was. */
  private told: LatencySummary | undefined = undefined;
  private toldOf = -1;

  record(ms: number): void {
    this.recorded++;
    this.sum += ms;
    this.recent = this.recent === undefined ? ms : this.recent + GAIN * (ms - this.recent);
    if (ms > this.max) this.max = ms;
    const exact = Math.ceil(Math.log2(ms / LEAST_MS) * PER_DOUBLING);
    const bucket = Math.min(Math.max(exact, 0), BUCKETS - 1);
    if (bucket < this.first) this.first = bucket;
    if (bucket > this.last) this.last = bucket;
    this.buckets[bucket]!++;
  }

  /** Adds what another one has recorded. Of a pool by key there may be thousands to add up, each time somebody looks. */
  add(other: Latency): void {
    this.recorded += other.recorded;
    this.sum += other.sum;
    this.max = Math.max(this.max, other.max);
    for (let i = other.first; i <= other.last; i++) this.buckets[i]! += other.buckets[i]!;
    this.first = Math.min(this.first, other.first);
    this.last = Math.max(this.last, other.last);
  }

  /** @param zeros how many further ones took no time, and were not recorded */
  summary(zeros = 0): LatencySummary {
    // Many who time out at once are told the same: finding the percentiles was most of what each of them cost.
    if (this.told?.count !== this.recorded + zeros || this.toldOf !== this.recorded) {
      this.told = this.summarise(zeros);
      this.toldOf = this.recorded;
    }
    return this.told;
  }

  /** @param zeros as those of a {@link summary} */
  histogram(zeros = 0): LatencyHistogram {
    const buckets: LatencyBucket[] = [];
    let count = zeros;
    let next = 0;
    for (let doubling = FIRST_TOLD; doubling <= LAST_TOLD; doubling++) {
      while (next <= doubling * PER_DOUBLING) count += this.buckets[next++]!;
      buckets.push({ upToMs: LEAST_MS * 2 ** doubling, count });
    }
    return { count: this.recorded + zeros, sumMs: this.sum, buckets };
  }

  private summarise(zeros: number): LatencySummary {
    const count = this.recorded + zeros;
    const [p50Ms, p95Ms, p99Ms] = this.bounds(
      0.5 * count - zeros,
      0.95 * count - zeros,
      0.99 * count - zeros,
    );
    return { count, meanMs: count === 0 ? 0 : this.sum / count, p50Ms, p95Ms, p99Ms, maxMs: this.max };
  }

  /** For each rank, in rising order: an upper bound of as many of the shortest that were recorded. */
  private bounds(...ranks: [number, number, number]): [number, number, number] {
    let bucket = -1;
    let counted = 0;
    return ranks.map(rank => {
      if (rank <= 0) return 0;
      while (counted < rank) counted += this.buckets[++bucket]!;
      const end = bucket < BUCKETS - 1 ? LEAST_MS * 2 ** (bucket / PER_DOUBLING) : Infinity;
      return Math.min(end, this.max);
    }) as [number, number, number];
  }
}

/** The latencies a pool keeps. */
export class Latencies {
  /** Of acquires that queued and were served. */
  readonly wait = new Latency();
  /** Of leases; the first 64, then one in 64, unless a listener asks for all. */
  readonly hold = new Latency();
  readonly create = new Latency();
  /** When the very first lease began. */
  firstLeaseAt = NaN;

  add(other: Latencies): void {
    this.wait.add(other.wait);
    this.hold.add(other.hold);
    this.create.add(other.create);
  }
}
