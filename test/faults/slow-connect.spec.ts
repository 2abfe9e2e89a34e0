import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { PoolTimeoutError, PoolUnavailableError } from '../../src/engine/index.js';
import { FaultBench, pidOf, withBareClients } from '../support/fault-bench.js';
import { failureOf } from '../support/follow.js';
import { launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

describe('connections that are slow to be made', () => {
  it('are made once, however many wait for them', async () => {
    await using bench = await FaultBench.open(server, { max: 3 });
    bench.proxy.delay(50);

    await Promise.all(Array.from({ length: 12 }, () => bench.visit()));

    expect(bench.proxy.attempts).toBe(3);
    await bench.expectWhole();
    expect(bench.proxy.attempts).toBe(3);
  });

  it('do not keep anybody waiting whom a returned one can serve', async () => {
    await using bench = await FaultBench.open(server, { max: 2 });
    const lease = await bench.acquire();
    const first = pidOf(lease.resource);
    bench.proxy.blackhole('new');
    const next = bench.visit();
    await once(bench.proxy, 'connection');
    bench.release(lease);

    expect(await next).toBe(first);
    bench.proxy.restore();
    await until(
      () => bench.pool.stats().idle,
      idle => idle === 2,
    );
    await bench.expectWhole();
    expect(bench.proxy.attempts).toBe(2);
  });

  it('are there for the next one when their borrower has stopped waiting', async () => {
    await using bench = await FaultBench.open(server, { max: 1 });
    bench.proxy.blackhole('new');
    expect(await failureOf(bench.visit({ timeout: 20 }))).toBeInstanceOf(PoolTimeoutError);
    expect(bench.pool.stats()).toMatchObject({ creating: 1, waiting: 0 });
    bench.proxy.restore();

    await bench.expectWhole();
    expect(bench.proxy.attempts).toBe(1);
  });

  it('are given up after createTimeout, with nothing left open, and the pool recovers', async () => {
    await using bench = await FaultBench.open(server, { max: 3, createTimeout: 1_000, unavailableAfter: 1 });
    bench.proxy.delay(20_000);

    const errors = await Promise.all(Array.from({ length: 9 }, () => failureOf(bench.visit())));
    for (const error of errors) {
      expect(error).toBeInstanceOf(PoolUnavailableError);
      expect((error as Error).cause).toMatchObject({ message: 'create did not settle within 1000 ms' });
    }
    bench.proxy.delay(0);
    await until(
      () => bench.pool.stats().state,
      state => state === 'ready',
    );

    await bench.expectWhole();
    // None of those that were given up has come as far as the server.
    expect(bench.proxy.reached).toBe(3);
  });

  it('are closed when they are there after all, by a factory that does not listen to the signal', async () => {
    await using bench = await FaultBench.open(server, { max: 1, createTimeout: 200 }, withBareClients);
    bench.proxy.blackhole('new');
    expect(await failureOf(bench.visit())).toBeInstanceOf(PoolUnavailableError);
    expect(bench.pool.stats().abandoned).toBeGreaterThanOrEqual(3);

    bench.proxy.restore();
    const { totals } = await until(
      () => bench.pool.stats(),
      ({ state, abandoned }) => state === 'ready' && abandoned === 0,
    );

    expect(totals.destroyedBy.late).toBe(totals.createFailed);
    await until(
      () => bench.backends(),
      pids => pids.length === 1,
    );
  });
});
