import { afterAll, describe, expect, it } from '@jest/globals';
import { Pool, type Lease } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { ManualClock, turn } from '../support/manual-clock.js';
import { StepCounter } from '../support/steps.js';

// Before anything else runs.
const steps = new StepCounter();
afterAll(() => {
  steps.stop();
});

const STEPS = ['join', 'abort', 'release', 'hand over', 'replace', 'invalidate', 'acquire'] as const;
type Costs = Record<(typeof STEPS)[number], number>;

describe('the cost of each step', () => {
  it('is the same however many are leased, idle and waiting', async () => {
    const few = await costsAmong(40);
    const many = await costsAmong(1_000);
    for (const step of STEPS) {
      expect(few[step]).toBeGreaterThan(10);
      // Not to the last one: some deadlines happen to share a bucket.
      if (many[step] > few[step] * 1.2) throw new Error(`${step}: ${few[step]} steps, then ${many[step]}`);
    }
  });
});

/** What ten of each cost in a pool of `n`; from the middle, where no end is near. */
async function costsAmong(n: number): Promise<Costs> {
  const invalidates: (() => void)[] = [];
  const pool = new Pool({
    clock: new ManualClock(),
    max: n,
    create: ({ invalidate }) => {
      invalidates.push(invalidate);
      return {};
    },
  });
  const ten = <X>(items: readonly X[]): X[] => items.slice(n / 2, n / 2 + 10);
  const each = <X>(items: readonly X[], work: (item: X) => void): number =>
    steps.count(() => {
      for (const item of items) work(item);
    });
  const held = await Promise.all(Array.from({ length: n }, () => pool.acquire()));
  const aborts = Array.from({ length: n }, () => new AbortController());
  const waiters = aborts.map(({ signal }) => follow(pool.acquire({ signal })));

  const join = each(new Array(10).fill(undefined), () => waiters.push(follow(pool.acquire())));
  const abort = each(ten(aborts), one => {
    one.abort();
  });
  const handOver = each(ten(held), one => {
    one.release();
  });
  const replace = each(held.slice(0, 10), one => {
    one.destroy();
  });
  for (const lease of held) lease.release();
  await turn();
  const borrowers = waiters.flatMap(({ value }) => value ?? []);
  const release = each(ten(borrowers), one => {
    one.release();
  });
  for (const lease of borrowers) lease.release();
  expect(pool.stats()).toMatchObject({ idle: n, leased: 0, waiting: 0 });
  // Not the ten that were released first.
  const invalidate = each(invalidates.slice(n / 4, n / 4 + 10), one => {
    one();
  });
  const leases: Promise<Lease<object>>[] = [];
  const acquire = each(new Array(10).fill(undefined), () => leases.push(pool.acquire()));
  await pool.close({ timeout: 0 });
  return { join, abort, release, 'hand over': handOver, replace, invalidate, acquire };
}
