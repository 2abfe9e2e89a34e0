import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { PoolUnavailableError } from '../../src/engine/index.js';
import { FaultBench, MAKERS } from '../support/fault-bench.js';
import { failureOf } from '../support/follow.js';
import { launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

describe.each(MAKERS)('a server that is stopped and started again, with %s,', (_name, make) => {
  it('takes nothing away that does not come back, also under load', async () => {
    await using bench = await FaultBench.open(server, { max: 4 }, make);
    const work = new AbortController();
    let served = 0;
    const errors: unknown[] = [];
    const worker = async (): Promise<void> => {
      while (!work.signal.aborted) {
        try {
          await bench.visit();
          served++;
        } catch (error) {
          errors.push(error);
          // Who is refused at once and asks again at once would leave nobody else a turn.
          await turn();
        }
      }
    };
    const workers = Array.from({ length: 12 }, worker);
    const serve = async (more: number): Promise<void> => {
      const enough = served + more;
      await until(
        () => served,
        seen => seen >= enough,
      );
    };

    await serve(50);
    await server.stop();
    await until(
      () => bench.pool.stats().state,
      state => state === 'unavailable',
    );
    await server.start();
    await serve(50);
    work.abort();
    await Promise.all(workers);

    // Nobody was told anything but that the connection, or the pool, had failed.
    for (const error of errors) {
      if (error instanceof PoolUnavailableError) expect(error.cause).toHaveProperty('message');
      else expect((error as Error).message).toMatch(/terminat|ECONNRESET|EPIPE|not queryable|closed/);
    }
    expect(errors.some(error => error instanceof PoolUnavailableError)).toBe(true);
    await bench.expectWhole();
  });

  it('fills the pool up to min again, whether anybody borrows or not', async () => {
    await using bench = await FaultBench.open(server, { min: 3, max: 3, unavailableAfter: 1 }, make);
    await bench.pool.start();
    const lease = await bench.acquire();
    const query = failureOf(lease.resource.query('select pg_sleep(3600)'));
    await bench.untilAsleep(1);

    await server.stop();
    const error = await query;
    expect(error).toMatchObject({ code: '57P01' });
    bench.release(lease, error);
    await until(
      () => bench.pool.stats().state,
      state => state === 'unavailable',
    );
    await server.start();

    await until(
      () => bench.pool.stats(),
      ({ state, idle }) => state === 'ready' && idle === 3,
    );
    await bench.expectWhole();
  });
});
