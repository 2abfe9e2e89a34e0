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

describe.each(MAKERS)('backends that are killed, with %s,', (_name, make) => {
  it('while idle are replaced without anybody asking', async () => {
    await using bench = await FaultBench.open(server, { min: 3, max: 3 }, make);
    await bench.pool.start();
    const before = await bench.backends();

    await bench.kill(before);
    await until(
      () => bench.pool.stats(),
      ({ idle, totals }) => idle === 3 && totals.destroyed === 3,
    );

    expect(bench.pool.stats().totals.destroyedBy).toEqual({ invalid: 3 });
    await bench.expectWhole();
    for (const pid of await bench.backends()) expect(before).not.toContain(pid);
  });

  it('while idle are lent to nobody, even in the moment of their death', async () => {
    await using bench = await FaultBench.open(server, { min: 3, max: 3, validateAfterIdle: 0 }, make);
    await bench.pool.start();
    const before = await bench.backends();

    // The word of it is on its way, and has not arrived.
    bench.proxy.blackhole('old');
    await bench.kill(before);
    const visits = Array.from({ length: 6 }, () => bench.visit());
    await once(bench.proxy, 'held');
    bench.proxy.restore();

    for (const pid of await Promise.all(visits)) expect(before).not.toContain(pid);
    await bench.expectWhole();
  });

  it('in the hands of a borrower who does not ask them anything are not lent again', async () => {
    await using bench = await FaultBench.open(server, { max: 1 }, make);
    const lease = await bench.acquire();
    const before = pidOf(lease.resource);
    const next = bench.visit();

    const ended = once(lease.resource.connection.stream, 'close');
    await bench.kill([before]);
    await ended;
    bench.release(lease);

    expect(await next).not.toBe(before);
    expect(bench.pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
    await bench.expectWhole();
  });

  it('in the middle of a query fail that query alone; those who wait are served', async () => {
    await using bench = await FaultBench.open(server, { max: 3 }, make);
    const leases = await Promise.all([1, 2, 3].map(() => bench.acquire()));
    const queries = leases.map(lease => failureOf(lease.resource.query('select pg_sleep(3600)')));
    const waiting = Array.from({ length: 6 }, () => bench.visit());
    await bench.untilAsleep(3);

    const killed = leases.slice(0, 2).map(lease => pidOf(lease.resource));
    await bench.kill(killed);
    const errors = await Promise.all(queries.slice(0, 2));
    for (const error of errors) expect(error).toMatchObject({ code: '57P01' });
    for (const [i, error] of errors.entries()) bench.release(leases[i]!, error);

    for (const pid of await Promise.all(waiting)) expect(killed).not.toContain(pid);
    // The third has noticed nothing.
    await bench.sql('select pg_cancel_backend($1)', [pidOf(leases[2]!.resource)]);
    expect(await queries[2]).toMatchObject({ code: '57014' });
    await bench.ask(leases[2]!.resource);
    bench.release(leases[2]!);
    await bench.expectWhole();
  });

  it('while they are validated cost their borrower nothing', async () => {
    await using bench = await FaultBench.open(server, { max: 1, validateAfterIdle: 0 }, make);
    const before = await bench.visit();
    await until(
      () => bench.pool.stats().idle,
      idle => idle === 1,
    );

    bench.proxy.blackhole('old');
    const next = bench.visit();
    await once(bench.proxy, 'held');
    expect(bench.pool.stats()).toMatchObject({ validating: 1, waiting: 1 });
    await bench.kill([before]);
    bench.proxy.restore();

    expect(await next).not.toBe(before);
    expect(bench.pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
    await bench.expectWhole();
  });

  it('while they are reset are not lent again', async () => {
    await using bench = await FaultBench.open(server, { max: 1 }, make);
    const lease = await bench.acquire();
    const before = pidOf(lease.resource);
    await lease.resource.query(`set search_path to nowhere`);
    const next = bench.visit();

    bench.proxy.blackhole('old');
    bench.release(lease);
    await once(bench.proxy, 'held');
    expect(bench.pool.stats()).toMatchObject({ resetting: 1, waiting: 1 });
    await bench.kill([before]);
    bench.proxy.restore();

    expect(await next).not.toBe(before);
    expect(bench.pool.stats().totals.destroyedBy).toEqual({ 'reset-failed': 1 });
    await bench.expectWhole();
  });
});
