import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { PoolTimeoutError, PoolUnavailableError, type PoolListener } from '../../src/engine/index.js';
import { FaultBench } from '../support/fault-bench.js';
import { failureOf } from '../support/follow.js';
import { launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

const CALLERS = 1_000;
const callers = <R>(call: () => Promise<R>): Promise<R>[] => Array.from({ length: CALLERS }, call);

/** Counts the turns of the event loop: everything else that the process does gets its time in them. */
class Turns implements Disposable {
  count = 0;
  private next = setImmediate(() => this.turn());

  [Symbol.dispose](): void {
    clearImmediate(this.next);
  }

  private turn(): void {
    this.count++;
    this.next = setImmediate(() => this.turn());
  }
}

/** Counts the attempts that failed; those that were started together are one. */
class Attempts implements PoolListener {
  inARow = 0;

  onCreateFailed({ attempt }: { attempt: number }): void {
    this.inARow = attempt;
  }
}

describe('a thousand callers of a pool whose server is down', () => {
  it('cause one attempt to connect, then single probes, and all are told the cause', async () => {
    const attempts = new Attempts();
    await using bench = await FaultBench.open(server, { max: 10, listeners: [attempts] });
    await server.stop();

    const errors = await Promise.all(callers(() => failureOf(bench.visit())));

    for (const error of errors) {
      expect(error).toBeInstanceOf(PoolUnavailableError);
      expect((error as PoolUnavailableError).cause).toMatchObject({
        message: expect.stringMatching(/ECONNRESET|terminated/),
      });
    }
    expect(attempts.inARow).toBe(3);
    // The first attempt is as wide as the pool, and every one after it a single probe.
    expect(bench.proxy.attempts).toBeLessThanOrEqual(10 + (3 - 1) + 1);

    // More callers make no more attempts: they are refused by what is known.
    const known = bench.pool.stats().totals.createFailed;
    const more = await Promise.all(callers(() => failureOf(bench.visit())));
    expect(more.every(error => error instanceof PoolUnavailableError)).toBe(true);
    expect(bench.pool.stats().totals.createFailed - known).toBeLessThanOrEqual(1);
  });

  it('leave the process free to do other things', async () => {
    // Long enough for many turns, also on a machine that has much else to do.
    const settings = { max: 10, unavailableAfter: 6, createBackoff: { initial: 400, max: 400 } };
    await using bench = await FaultBench.open(server, settings);
    await server.stop();

    using loop = new Turns();
    await Promise.all(callers(() => failureOf(bench.visit())));

    // An attempt takes a handful. The rest is the back-off, in which time passes for everybody.
    expect(loop.count).toBeGreaterThan(200);
  });

  it('who have a deadline are told at it, and why', async () => {
    const attempts = new Attempts();
    const settings = { max: 10, unavailableAfter: Infinity, listeners: [attempts] };
    await using bench = await FaultBench.open(server, settings);
    await server.stop();
    expect(await failureOf(bench.visit({ timeout: 1 }))).toBeInstanceOf(PoolTimeoutError);
    await until(
      () => attempts.inARow,
      failures => failures >= 1,
    );

    const errors = await Promise.all(callers(() => failureOf(bench.visit({ timeout: 100 }))));

    for (const error of errors) {
      expect(error).toBeInstanceOf(PoolTimeoutError);
      expect(error).toMatchObject({ cause: { message: expect.stringMatching(/ECONNRESET|terminated/) } });
    }
    expect(bench.pool.stats().waiting).toBe(0);
    await server.start();
    await bench.expectWhole();
  });

  it('and who go on waiting are served by one probe and no stampede when it is back', async () => {
    const attempts = new Attempts();
    const settings = {
      max: 10,
      acquireTimeout: Infinity,
      unavailableAfter: Infinity,
      listeners: [attempts],
    };
    await using bench = await FaultBench.open(server, settings);
    await server.stop();
    const visits = callers(() => bench.visit());
    await until(
      () => attempts.inARow,
      failures => failures >= 3,
    );

    await server.start();
    const before = { connections: bench.proxy.attempts, failures: bench.pool.stats().totals.createFailed };
    await Promise.all(visits);

    // One attempt may have been under way. The next one serves: that is one step of the back-off.
    expect(bench.pool.stats().totals.createFailed - before.failures).toBeLessThanOrEqual(1);
    expect(bench.proxy.attempts - before.connections).toBeLessThanOrEqual(10);
    await bench.expectWhole();
    expect(bench.proxy.attempts - before.connections).toBeLessThanOrEqual(10);
  });

  it('and who come back when it does make no stampede either', async () => {
    await using bench = await FaultBench.open(server, { max: 10 });
    await server.stop();
    await Promise.all(callers(() => failureOf(bench.visit())));

    await server.start();
    const before = bench.proxy.attempts;
    // Nobody asks meanwhile: the pool finds out by itself.
    await until(
      () => bench.pool.stats().state,
      state => state === 'ready',
    );
    expect(bench.proxy.attempts - before).toBeLessThanOrEqual(1);
    await Promise.all(callers(() => bench.visit()));

    await bench.expectWhole();
    expect(bench.proxy.attempts - before).toBeLessThanOrEqual(10);
  });
});
