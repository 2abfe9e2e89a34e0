/* eslint-disable @typescript-eslint/no-unnecessary-condition -- ioredis does not declare that blmove may answer null */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Pool } from '../../../src/engine/index.js';
import { ioredisPool } from '../../../src/resources/redis.js';
import { LocalRedis, describeWithRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

let server: LocalRedis;
let pool: Pool<Redis>;

// Those of docs/redis.md.
describeWithRedis()('the recipes for redis', () => {
  beforeAll(async () => {
    server = await LocalRedis.start();
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    await pool.close();
    await server.untilClients(0);
  });

  describe('optimistic locking', () => {
    async function take(sku: string): Promise<boolean> {
      return pool.use(async redis => {
        for (;;) {
          await redis.watch(`stock:${sku}`);
          const left = Number(await redis.get(`stock:${sku}`));
          if (left < 1) return false;
          const done = await redis.multi().decr(`stock:${sku}`).rpush('sold', sku).exec();
          if (done) return true;
        }
      });
    }

    it('sells what there is, and no more, to many at once', async () => {
      pool = new Pool(ioredisPool({ ...server.address, max: 5 }));
      await server.call('SET', 'stock:shoe', '20');
      const taken = await Promise.all(Array.from({ length: 30 }, () => take('shoe')));
      expect(taken.filter(Boolean)).toHaveLength(20);
      expect(await server.call('GET', 'stock:shoe')).toBe('0');
      expect(await server.call('LLEN', 'sold')).toBe(20);
      expect(pool.stats().totals.created).toBeLessThanOrEqual(5);
    });
  });

  describe('a worker on a queue', () => {
    const done: string[] = [];
    const handle = (job: string): Promise<unknown> => Promise.resolve(done.push(job));

    async function work(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const lease = await pool.acquire({ signal });
        const stop = (): void => lease.destroy();
        signal.addEventListener('abort', stop, { once: true });
        try {
          // ioredis does not declare that there may be none.
          const job = await lease.resource.blmove('jobs', 'working', 'RIGHT', 'LEFT', 30);
          if (job !== null) await handle(job).then(() => lease.resource.lrem('working', 1, job));
        } catch (error) {
          if (!signal.aborted) throw error;
        } finally {
          signal.removeEventListener('abort', stop);
          lease.release();
        }
      }
    }

    it('does them all, and ends by a signal while it waits', async () => {
      pool = new Pool(ioredisPool({ ...server.address, max: 1 }));
      const abort = new AbortController();
      const working = work(abort.signal);
      await server.call('LPUSH', 'jobs', 'a', 'b', 'c');
      await until(
        () => done.length,
        count => count === 3,
      );
      await server.untilFlags('b');
      abort.abort();
      await working;
      expect(done).toEqual(['a', 'b', 'c']);
      expect(await server.call('EXISTS', 'jobs', 'working')).toBe(0);
      await server.untilClients(0);
    });
  });

  describe('a subscriber', () => {
    it('hears no more once it has been given back, and hears when it has lost its connection', async () => {
      pool = new Pool(ioredisPool({ ...server.address, max: 1 }));
      const heard: string[] = [];
      const subscribe = async (): ReturnType<typeof pool.acquire> => {
        const lease = await pool.acquire();
        lease.resource.on('message', (_channel, message) => heard.push(message));
        await lease.resource.subscribe('news');
        return lease;
      };
      const first = await subscribe();
      await server.call('PUBLISH', 'news', 'one');
      await until(
        () => heard.length,
        count => count === 1,
      );
      first.release();
      await server.call('PUBLISH', 'news', 'two');
      const second = await subscribe();
      const lost = new Promise(resolve => second.signal.addEventListener('abort', resolve));
      await server.kill((await server.client()).id);
      await lost;
      second.release();
      expect(heard).toEqual(['one']);
    });
  });
});
