import { MAX_N } from '../limits/limits.js';

/** How far a count has come. */
export interface Counted {
  readonly upTo: number;
  readonly primes: number;
}

/** Odd numbers in one step: as many bytes as a core has close at hand, and about a millisecond. */
const SEGMENT = 2 ** 18;

/** Made once in a worker, when it starts: what a borrower finds warm. */
const SMALL_PRIMES = oddPrimesUpTo(Math.floor(Math.sqrt(MAX_N)));

/** Counts the primes up to n with the sieve of Eratosthenes, segment by segment: memory does not grow with n. */
export function* countPrimes(n: number): Generator<Counted, number> {
  if (n < 2) return 0;
  let primes = 1;
  // The odd number with the index i is 3 + 2i.
  const odd = Math.floor((n - 1) / 2);
  const composite = new Uint8Array(SEGMENT);
  /** For each small prime in use, where its next multiple is, from the start of the segment. */
  const next: number[] = [];
  for (let start = 0; start < odd; start += SEGMENT) {
    const length = Math.min(SEGMENT, odd - start);
    const last = 1 + 2 * (start + length);
    for (let prime = SMALL_PRIMES[next.length]; prime; prime = SMALL_PRIMES[next.length]) {
      if (prime * prime > last) break;
      next.push((prime * prime - 3) / 2 - start);
    }
    composite.fill(0);
    for (let k = 0; k < next.length; k++) next[k] = crossOut(composite, length, next[k]!, SMALL_PRIMES[k]!);
    for (let i = 0; i < length; i++) primes += 1 - composite[i]!;
    yield { upTo: last, primes };
  }
  return primes;
}

/** Every prime-th from `first` on; returns where it goes on in the next segment. */
function crossOut(composite: Uint8Array, length: number, first: number, prime: number): number {
  let i = first;
  for (; i < length; i += prime) composite[i] = 1;
  return i - length;
}

function oddPrimesUpTo(limit: number): number[] {
  const found: number[] = [];
  for (let candidate = 3; candidate <= limit; candidate += 2) {
    if (isPrime(candidate, found)) found.push(candidate);
  }
  return found;
}

function isPrime(candidate: number, smaller: readonly number[]): boolean {
  for (const prime of smaller) {
    if (prime * prime > candidate) return true;
    if (candidate % prime === 0) return false;
  }
  return true;
}
