import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { PoolUnavailableError } from '../../src/engine/index.js';
import { FaultBench } from '../support/fault-bench.js';
import { failureOf } from '../support/follow.js';
import { launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

describe('a port that refuses connections', () => {
  it('takes nothing from the connections that there are', async () => {
    await using bench = await FaultBench.open(server, { min: 3, max: 3 });
    await bench.pool.start();
    const before = await bench.backends();
    bench.proxy.refuse();

    // The killed one cannot be replaced, and all are served nevertheless.
    await bench.kill(before.slice(0, 1));
    await until(
      () => bench.pool.stats().totals.destroyed,
      destroyed => destroyed === 1,
    );
    const visits = Array.from({ length: 12 }, () => bench.visit());
    for (const pid of await Promise.all(visits)) expect(before.slice(1)).toContain(pid);
    await until(
      () => bench.pool.stats().totals.createFailed,
      // More than unavailableAfter: a pool that can serve is not unavailable.
      failed => failed > 3,
    );
    expect(bench.pool.stats()).toMatchObject({ state: 'ready', idle: 2 });

    await bench.proxy.reopen();
    await until(
      () => bench.pool.stats().idle,
      idle => idle === 3,
    );
    await bench.expectWhole();
  });

  it('makes a pool that has lost everything say so, with the cause, until it opens again', async () => {
    await using bench = await FaultBench.open(server, { max: 3 });
    await bench.expectWhole();
    const before = await bench.backends();

    bench.proxy.refuse();
    bench.proxy.resetAll();
    await until(
      () => bench.pool.stats().idle,
      idle => idle === 0,
    );
    const errors = await Promise.all(Array.from({ length: 9 }, () => failureOf(bench.visit())));
    for (const error of [...errors, await failureOf(bench.visit())]) {
      expect(error).toBeInstanceOf(PoolUnavailableError);
      expect(error).toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    }

    await bench.proxy.reopen();
    await until(
      () => bench.pool.stats().state,
      state => state === 'ready',
    );
    expect(before).not.toContain(await bench.visit());
    await bench.expectWhole();
  });
});
