import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { KeyedPool, type KeyedPoolOptions } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { ManualClock, turn } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';

interface Link {
  readonly key: string;
  readonly id: number;
}

/** A keyed pool of links, and what the other side sees of it. */
class Outside {
  readonly clock = new ManualClock();
  readonly open = new Set<Link>();
  peak = 0;
  made = 0;
  readonly pools: KeyedPool<string, Link>;

  constructor(options: Partial<KeyedPoolOptions<string, Link>> = {}) {
    this.pools = new KeyedPool<string, Link>({
      name: 'links',
      maxTotal: 50,
      clock: this.clock,
      create: ({ key }) => this.create(key),
      destroy: link => Promise.resolve().then(() => this.open.delete(link)),
      ...options,
    } as KeyedPoolOptions<string, Link>);
  }

  create(key: string): Promise<Link> {
    const link = { key, id: ++this.made };
    this.open.add(link);
    this.peak = Math.max(this.peak, this.open.size);
    return Promise.resolve(link);
  }
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a keyed pool', () => {
  it('serves 1,000 keys under a total of 50, skewed: the cap holds, all are served, memory returns', async () => {
    const outside = new Outside({ max: 10, acquireTimeout: 60_000, idleTimeout: 5_000 });
    const { pools, clock } = outside;
    const random = randomFrom(7);
    const served = new Map<string, number>();
    const failed: unknown[] = [];
    let left = 12_000;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const key = `k${Math.floor(1_000 * random() ** 3)}`;
        try {
          const lease = await pools.acquire(key);
          if (lease.resource.key !== key) failed.push(`${lease.resource.key} for ${key}`);
          await turn();
          lease.release();
          served.set(key, (served.get(key) ?? 0) + 1);
        } catch (error) {
          failed.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: 200 }, worker));
    expect(failed).toEqual([]);
    expect(outside.peak).toBe(50);
    expect(served.size).toBeGreaterThan(900);
    expect(pools.stats()).toMatchObject({ leased: 0, waiting: 0, totals: { acquired: 12_000 } });
    await clock.advance(6_000);
    expect(pools.stats()).toMatchObject({ keys: 0, total: 0 });
    expect(outside.open.size).toBe(0);
    await clock.advance(1_000);
    expect(clock.timersLeft).toBe(0);
  }, 60_000);

  it('does not let a busy key starve a quiet one', async () => {
    const outside = new Outside({ maxTotal: 2, max: 2, acquireTimeout: 60_000 });
    const { pools } = outside;
    let stop = false;
    let busy = 0;
    const worker = async (): Promise<void> => {
      while (!stop) {
        await pools.use('busy', () => turn());
        busy++;
      }
    };
    const workers = Array.from({ length: 50 }, worker);
    await turn();
    for (let i = 0; i < 5; i++) {
      const before = busy;
      const quiet = follow(pools.acquire('quiet'));
      while (quiet.state === 'pending' && busy - before < 1_000) await turn();
      expect(busy - before).toBeLessThan(10);
      quiet.value!.release();
    }
    stop = true;
    await Promise.all(workers);
    await pools.close();
    expect(outside.peak).toBe(2);
    expect(outside.open.size).toBe(0);
  });
});
