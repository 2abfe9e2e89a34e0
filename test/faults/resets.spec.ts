import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { FaultBench, MAKERS, pidOf } from '../support/fault-bench.js';
import { failureOf } from '../support/follow.js';
import { launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

describe.each(MAKERS)('connections that are reset, with %s,', (_name, make) => {
  it('in the middle of a query fail that query; those who wait are served', async () => {
    await using bench = await FaultBench.open(server, { max: 3 }, make);
    const leases = await Promise.all([1, 2, 3].map(() => bench.acquire()));
    const before = leases.map(lease => pidOf(lease.resource));
    const queries = leases.map(lease => failureOf(lease.resource.query('select pg_sleep(3600)')));
    const waiting = Array.from({ length: 6 }, () => bench.visit());
    await bench.untilAsleep(3);

    bench.proxy.resetAll();
    for (const [i, error] of (await Promise.all(queries)).entries()) {
      expect(error).toMatchObject({ message: expect.stringMatching(/ECONNRESET|terminated/) });
      bench.release(leases[i]!, error);
    }

    for (const pid of await Promise.all(waiting)) expect(before).not.toContain(pid);
    // A server does not notice before the query ends that nobody waits for it.
    await bench.kill(before);
    await bench.expectWhole();
  });

  it('in the middle of an answer never give the rest of it to somebody else', async () => {
    await using bench = await FaultBench.open(server, { max: 1 }, make);
    const lease = await bench.acquire();
    const answer = failureOf(lease.resource.query('select generate_series(1, 1000000)'));
    const waiting = Array.from({ length: 3 }, () => bench.visit());
    await once(lease.resource.connection, 'dataRow');

    bench.proxy.resetAll();
    bench.release(lease, await answer);

    await Promise.all(waiting);
    await bench.expectWhole();
  });

  it('while idle are replaced without anybody asking', async () => {
    await using bench = await FaultBench.open(server, { min: 3, max: 3 }, make);
    await bench.pool.start();

    bench.proxy.resetAll();
    await until(
      () => bench.pool.stats(),
      ({ idle, totals }) => idle === 3 && totals.destroyed === 3,
    );

    expect(bench.pool.stats().totals.destroyedBy).toEqual({ invalid: 3 });
    await bench.expectWhole();
  });

  it('while they are being made cost those who wait for them nothing', async () => {
    await using bench = await FaultBench.open(server, { max: 2 }, make);
    bench.proxy.blackhole('new');
    const waiting = [bench.visit(), bench.visit(), bench.visit()];
    while (bench.proxy.attempts < 2) await once(bench.proxy, 'held');

    bench.proxy.resetAll();
    bench.proxy.restore();

    await Promise.all(waiting);
    expect(bench.pool.stats().totals.createFailed).toBe(2);
    await bench.expectWhole();
  });
});
