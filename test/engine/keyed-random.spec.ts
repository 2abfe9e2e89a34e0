import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { follow } from '../support/follow.js';
import { KeyedWorld } from '../support/keyed-world.js';
import { turn } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';

const RUNS = Number(process.env.POOL_KEYED_RUNS ?? 200);
const STEPS = 80;
const IDLE_MS = 5_000;

/** What a run went through, so that we know that the runs go where it is interesting. */
type Seen = Record<'evicted' | 'waited' | 'failed' | 'timedOut' | 'aborted' | 'acquired', number>;

/** One run: whatever happens, in any order; then everything ends well. */
async function run(seed: number): Promise<Seen> {
  const random = randomFrom(seed);
  // What the engine draws by itself: back-offs, and when lives end.
  jest.spyOn(Math, 'random').mockImplementation(randomFrom(-seed));
  const chance = (probability: number): boolean => random() < probability;
  const below = (count: number): number => Math.floor(random() * count);
  const one = <E>(choices: readonly E[]): E => choices[below(choices.length)]!;
  const keys = ['a', 'b', 'c', 'd', 'e', 'f'].slice(0, 2 + below(5));
  let over = false;
  const world = new KeyedWorld(
    keys,
    {
      maxTotal: 1 + below(4),
      max: 1 + below(3),
      overflow: below(2),
      createConcurrency: one([Infinity, Infinity, 1]),
      growth: one(['adaptive', 'adaptive', 'eager', 'single']),
    },
    {
      idleTimeout: IDLE_MS,
      order: one(['lifo', 'fifo']),
      keepAlive: one([Infinity, 150]),
      validateAfterIdle: one([500, 0, 100]),
      maxUses: one([Infinity, Infinity, 2]),
      maxLifetime: one([Infinity, Infinity, 1_000]),
    },
    probability => !over && chance(probability),
    () => !over && chance(0.5),
  );
  const { pools, clock, held, running, links, down } = world;

  const acquire = (): void => {
    const key = one(keys);
    const timeout = chance(0.3) ? below(4) * 50 : undefined;
    const abort = new AbortController();
    const wish = { timeout, signal: abort.signal, priority: one(['high', 'normal', 'low'] as const) };
    world.borrowers.push({ key, timeout, abort, lease: follow(pools.acquire(key, wish)) });
  };
  const steps: [weight: number, step: () => unknown][] = [
    [30, acquire],
    [
      6,
      () => {
        const key = one(keys);
        const lease = pools.tryAcquire(key);
        if (lease) world.took(lease, key);
      },
    ],
    [24, () => held.length > 0 && world.letGo(below(held.length), 'release')],
    [4, () => held.length > 0 && world.letGo(below(held.length), 'destroy')],
    [4, () => world.borrowers.length > 0 && one(world.borrowers).abort.abort(new Error('enough'))],
    [14, () => clock.advance(one([1, 20, 60, 250]))],
    [30, () => running.splice(below(running.length), 1)[0]?.()],
    [3, () => down.add(one(keys))],
    [4, () => down.clear()],
    [1, () => pools.recycle({ spread: one([0, 100]) })],
    [2, () => pools.recycle({ key: one(keys) })],
    [2, () => links.length > 0 && one(links).invalidate()],
    [
      1,
      () => {
        pools.suspend();
        world.suspended = true;
      },
    ],
    [
      4,
      () => {
        world.suspended = false;
        pools.resume();
      },
    ],
  ];
  const lots = steps.flatMap(([weight, step]) => Array.from({ length: weight }, () => step));

  const rest = async (): Promise<void> => {
    await turn();
    world.collect();
    world.check();
  };
  for (let step = 0; step < STEPS; step++) {
    await one(lots)();
    await rest();
  }

  over = true;
  down.clear();
  const finish = async (): Promise<void> => {
    for (let round = 0; round < 50 && world.borrowers.length + held.length + running.length > 0; round++) {
      for (const settle of running.splice(0)) settle();
      while (held.length > 0) world.letGo(0, 'release');
      await clock.advance(100);
      await rest();
    }
  };
  world.suspended = false;
  if (chance(0.5)) {
    pools.resume();
    await finish();
    // A replacement that is owed is made as soon as there is room, and may then be idle for as long.
    await clock.advance(3 * IDLE_MS);
  } else {
    world.closing = true;
    const closed = follow(pools.close({ drain: chance(0.5) }));
    await rest();
    await finish();
    expect(closed.state).toBe('fulfilled');
  }
  await rest();
  const { keys: left, total, waiting, totals } = pools.stats();
  expect([left, total, waiting, world.outside(), clock.timersLeft]).toEqual([0, 0, 0, 0, 0]);
  const { waited, timedOut, aborted, acquired, destroyedBy } = totals;
  return { evicted: destroyedBy.evicted ?? 0, waited, failed: world.failed, timedOut, aborted, acquired };
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a keyed pool, whatever happens in whatever order', () => {
  it(`agrees with what is seen from outside, and forgets nobody, in ${RUNS} runs`, async () => {
    const sum: Seen = { evicted: 0, waited: 0, failed: 0, timedOut: 0, aborted: 0, acquired: 0 };
    for (let seed = 1; seed <= RUNS; seed++) {
      const seen = await run(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      });
      for (const name of Object.keys(sum) as (keyof Seen)[]) sum[name] += seen[name];
    }
    // The runs go where it is interesting.
    const rare = Object.entries(sum).filter(([, count]) => count < RUNS / 2);
    expect(rare).toEqual([]);
  });
});
