import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkSequences } from '../support/model/run.js';
import type { Weights } from '../support/model/sequences.js';
import type { Setup } from '../support/model/setup.js';

const { constantFrom, boolean } = fc;

/** What every kind of pool may have. */
const common = {
  min: constantFrom(0, 0, 1, 2),
  max: constantFrom(2, 1, 3, 4),
  overflow: constantFrom(0, 0, 1, 2),
  order: constantFrom('lifo', 'fifo'),
  createConcurrency: constantFrom(Infinity, 1, 2),
  growth: constantFrom('adaptive', 'adaptive', 'eager', 'single'),
};

/** The kinds of pool, and what happens to them more often than to others. */
const worlds: [name: string, setup: fc.Arbitrary<Setup>, weights: Weights, hooked?: boolean][] = [
  [
    'a plain pool',
    fc.record({ ...common, maxWaiting: constantFrom(Infinity, Infinity, 2, 0) }),
    { settle: 300, close: 5 },
  ],
  [
    'a pool that validates and resets',
    fc.record({
      ...common,
      validate: constantFrom(true),
      reset: boolean(),
      validateAfterIdle: constantFrom(150, 0, Infinity),
      keepAlive: constantFrom(Infinity, 100),
      maxUses: constantFrom(Infinity, 1, 3),
    }),
    { settle: 340, pass: 160 },
  ],
  [
    // Then one that is fit lies behind one that has to be validated.
    'a pool that lends in turn',
    fc.record({
      min: constantFrom(2, 3),
      max: constantFrom(3, 4),
      order: constantFrom('fifo'),
      validate: constantFrom(true),
      validateAfterIdle: constantFrom(100, 200),
    }),
    {
      acquire: 300,
      tryAcquire: 100,
      release: 300,
      settle: 300,
      pass: 250,
      ...{ invalidate: 0, destroy: 0, detach: 0, resize: 0, suspend: 0, recycle: 0, close: 0 },
    },
  ],
  [
    'a pool in an outage',
    fc.record({
      ...common,
      reset: boolean(),
      unavailableAfter: constantFrom(3, 1, Infinity),
      createTimeout: constantFrom(400, 60),
      recycleOnFatal: boolean(),
    }),
    { manner: 100, pass: 200, start: 30, invalidate: 50, recycle: 30 },
  ],
  [
    'a pool of short lives',
    fc.record({
      ...common,
      reset: boolean(),
      validate: boolean(),
      maxLifetime: constantFrom(300, 1_000),
      idleTimeout: constantFrom(100, 500),
      destroyTimeout: constantFrom(300, 40),
    }),
    { pass: 300, recycle: 30, resize: 30 },
  ],
  [
    'a pool whose borrowers hold on',
    fc.record({
      ...common,
      reset: boolean(),
      maxHold: constantFrom(150, 400, Infinity),
      maxHoldAction: constantFrom('report', 'destroy'),
      shed: constantFrom(undefined, { target: 20, interval: 100 }),
    }),
    { acquire: 320, release: 100, pass: 200, detach: 30 },
  ],
  [
    'a pool that is suspended, recycled and resized',
    fc.record({ ...common, reset: boolean(), validate: boolean() }),
    { suspend: 60, resume: 60, recycle: 60, resize: 80, detach: 30, pass: 200 },
  ],
  [
    'a pool that is closed at any time',
    fc.record({ ...common, reset: boolean(), validate: boolean() }),
    { close: 60, start: 40 },
  ],
  [
    'a pool with everything',
    fc.record({
      ...common,
      validate: boolean(),
      reset: boolean(),
      maxWaiting: constantFrom(Infinity, 3),
      unavailableAfter: constantFrom(3, 1),
      validateAfterIdle: constantFrom(100, 0),
      keepAlive: constantFrom(Infinity, 100),
      maxLifetime: constantFrom(Infinity, 1_000),
      maxUses: constantFrom(Infinity, 2),
      maxHold: constantFrom(Infinity, 300),
      maxHoldAction: constantFrom('report', 'destroy'),
      shed: constantFrom(undefined, { target: 20, interval: 100 }),
    }),
    { pass: 180 },
  ],
  [
    'a pool with session hooks',
    fc.record({
      ...common,
      validate: boolean(),
      reset: boolean(),
      onCreate: boolean(),
      onBorrow: constantFrom(true, true, false),
      onReturn: boolean(),
      maxUses: constantFrom(Infinity, Infinity, 2),
      maxHold: constantFrom(Infinity, 300),
      maxHoldAction: constantFrom('report', 'destroy'),
    }),
    { settle: 340, manner: 80, pass: 160 },
    true,
  ],
];

const { POOL_MODEL_RUNS, POOL_MODEL_PATH } = process.env;
const runs = Number(POOL_MODEL_RUNS ?? 270);

describe('whatever happens in whatever order, every promise is kept', () => {
  it.each(worlds)(
    'by %s',
    async (name, setup, weights, hooked = false) => {
      const { kept, leases } = await checkSequences(`by ${name}`, runs, setup, weights, hooked);
      expect(kept).toBe(runs);
      // One sequence that is had again may be short.
      expect(leases).toBeGreaterThan(POOL_MODEL_PATH ? -1 : kept);
    },
    30_000 + 200 * runs,
  );
});
