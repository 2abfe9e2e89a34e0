import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { PoolTimeoutError, PoolUnavailableError } from '../../src/engine/index.js';
import { FaultBench, pidOf } from '../support/fault-bench.js';
import { failureOf } from '../support/follow.js';
import { launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

const SUSPICIOUS = { validateAfterIdle: 0, validateTimeout: 40, destroyTimeout: 1_000 };

describe('connections that fall silent, with no FIN and no RST,', () => {
  it('while idle fail their validation, and the borrower gets a good one within its deadline', async () => {
    await using bench = await FaultBench.open(server, { ...SUSPICIOUS, min: 2, max: 2 });
    await bench.pool.start();
    const leases = [await bench.acquire(), await bench.acquire()];
    const clients = leases.map(lease => lease.resource);
    for (const lease of leases) bench.release(lease);
    const { invalid = 0 } = bench.pool.stats().totals.destroyedBy;

    bench.proxy.blackhole('old');
    const visits = [bench.visit({ timeout: 5_000 }), bench.visit({ timeout: 5_000 })];

    for (const pid of await Promise.all(visits)) expect(clients.map(pidOf)).not.toContain(pid);
    // Not abandoned: their sockets are closed.
    expect(clients.map(client => client.connection.stream.closed)).toEqual([true, true]);
    const { abandoned, totals } = bench.pool.stats();
    expect(abandoned).toBe(0);
    // A process that was busy for too long finds good ones late, too: at least these two.
    expect(totals.destroyedBy).toEqual({ invalid: totals.destroyed });
    expect(totals.destroyed - invalid).toBeGreaterThanOrEqual(2);
    bench.proxy.restore();
    await bench.expectWhole();
  });

  it('are not waited for while there is room for another', async () => {
    // So long does pgPool wait for the end of a session: two and a half seconds.
    await using bench = await FaultBench.open(server, { ...SUSPICIOUS, max: 2, destroyTimeout: 5_000 });
    await bench.visit();
    await until(
      () => bench.pool.stats().idle,
      idle => idle === 1,
    );

    bench.proxy.blackhole('old');
    await bench.visit();

    // The borrower need not have waited for the end of the check.
    await until(
      () => bench.pool.stats(),
      ({ closing, totals }) => closing === 1 && totals.created === 2,
    );
    bench.proxy.restore();
    await bench.expectWhole();
  });

  it('do not hold a borrower beyond its deadline, nor the next one for ever', async () => {
    await using bench = await FaultBench.open(server, { ...SUSPICIOUS, max: 1, validateTimeout: 1_000 });
    const before = await bench.visit();
    await until(
      () => bench.pool.stats().idle,
      idle => idle === 1,
    );

    bench.proxy.blackhole('old');
    expect(await failureOf(bench.visit({ timeout: 20 }))).toBeInstanceOf(PoolTimeoutError);
    expect(bench.pool.stats()).toMatchObject({ validating: 1, waiting: 0 });

    expect(await bench.visit()).not.toBe(before);
    bench.proxy.restore();
    await bench.expectWhole();
  });

  it('while they are reset are replaced once the reset has taken too long', async () => {
    await using bench = await FaultBench.open(server, { max: 1, resetTimeout: 40, destroyTimeout: 1_000 });
    const lease = await bench.acquire();
    const before = pidOf(lease.resource);
    await lease.resource.query('set search_path to nowhere');

    bench.proxy.blackhole('old');
    bench.release(lease);

    expect(await bench.visit()).not.toBe(before);
    expect(bench.pool.stats().totals.destroyedBy).toEqual({ 'reset-failed': 1 });
    bench.proxy.restore();
    await bench.expectWhole();
  });

  it('in the middle of a query can be given up by their borrower', async () => {
    await using bench = await FaultBench.open(server, { max: 1, destroyTimeout: 1_000 });
    const lease = await bench.acquire();
    const before = pidOf(lease.resource);
    bench.proxy.blackhole('old');
    const query = failureOf(lease.resource.query('select 1'));
    lease.destroy(new Error('no answer'));

    expect(await bench.visit()).not.toBe(before);
    expect(await query).toBeInstanceOf(Error);
    bench.proxy.restore();
    await bench.expectWhole();
  });

  it('together with every new one make the pool unavailable, until the network is whole again', async () => {
    await using bench = await FaultBench.open(server, {
      ...SUSPICIOUS,
      max: 3,
      createTimeout: 1_000,
      unavailableAfter: 1,
      createBackoff: { initial: 500, max: 500 },
    });
    await bench.expectWhole();

    bench.proxy.blackhole('all');
    const errors = await Promise.all(Array.from({ length: 9 }, () => failureOf(bench.visit())));
    for (const error of errors) {
      expect(error).toBeInstanceOf(PoolUnavailableError);
      expect((error as Error).cause).toMatchObject({ message: 'create did not settle within 1000 ms' });
    }
    // A create that is given up in this very moment has reached the server, and is one too many there until that notices.
    await until(
      () => bench.pool.stats().creating,
      creating => creating === 0,
    );
    bench.proxy.restore();

    await until(
      () => bench.pool.stats().state,
      state => state === 'ready',
    );
    await bench.expectWhole();
  });
});
