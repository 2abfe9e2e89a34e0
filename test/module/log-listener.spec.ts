import { describe, expect, it } from '@jest/globals';
import { Pool } from '../../src/engine/index.js';
import { logListener } from '../../src/module/log-listener.js';
import { ManualClock, turn } from '../support/manual-clock.js';
import { LogBook } from '../support/nest-app.js';

function watched(options: object = {}): { pool: Pool<unknown>; clock: ManualClock; log: LogBook } {
  const clock = new ManualClock();
  const log = new LogBook();
  const pool = new Pool<unknown>({
    name: 'db',
    create: () => ({}),
    clock,
    listeners: [logListener(log)],
    ...options,
  });
  return { pool, clock, log };
}

describe('what is logged of a pool', () => {
  it('is the first create failure at once and later ones at most every ten seconds, counted', async () => {
    const { pool, clock, log } = watched({
      create: () => Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })),
      createBackoff: { initial: 100, max: 100 },
    });
    void pool.acquire({ timeout: Infinity }).catch(() => undefined);
    for (let i = 0; i < 250; i++) await clock.advance(100);
    const said = log.lines.filter(line => line.includes('create failed'));
    expect(said[0]).toMatch(/warn: Pool "db": create failed, attempt 1, .*\[ECONNREFUSED\]: refused$/);
    expect(said.length).toBeGreaterThanOrEqual(2);
    expect(said.length).toBeLessThanOrEqual(4);
    expect(said[1]).toMatch(/\(\d+ more since the last message\)/);
    await pool.close();
  });

  it('is that it is unavailable, and that it has recovered', async () => {
    let up = false;
    const { pool, clock, log } = watched({
      create: () => (up ? {} : Promise.reject(new Error('down'))),
      createBackoff: { initial: 1, max: 1 },
    });
    await Promise.all([pool.acquire().catch(() => undefined), clock.advance(100)]);
    expect(log.lines).toContainEqual(expect.stringMatching(/error: Pool "db" is unavailable.*down/));
    up = true;
    await clock.advance(100);
    expect(log.lines.at(-1)).toBe('log: Pool "db" has recovered');
    await pool.close();
    expect(log.lines.slice(-2)).toEqual(['log: Pool "db" is closing', 'log: Pool "db" is closed']);
  });

  it('is once that it may open more than the server admits', async () => {
    const { pool, log } = watched({ max: 5, processes: 2, capacity: () => ({ limit: 8 }) });
    await Promise.all([1, 2, 3].map(() => pool.use(() => undefined)));
    expect(log.lines).toEqual([
      'warn: Pool "db": The pool may open 5 resources in each of 2 processes, 10 together, but the server admits 8 (its ' +
        'limit is 8). Lower max to 4 or less, or raise the limit of the server.',
    ]);
    await pool.close();
  });

  it('is nothing of a pool that fits', async () => {
    const { pool, log } = watched({ max: 4, processes: 2, capacity: () => ({ limit: 8 }) });
    await pool.use(() => undefined);
    expect(log.lines).toEqual([]);
    await pool.close();
  });

  it('is a leak with the stack of its acquire, and that it did come back', async () => {
    const { pool, clock, log } = watched({ leakThreshold: 1_000 });
    async function leakyHandler() {
      return await pool.acquire();
    }
    const lease = await leakyHandler();
    await clock.advance(1_100);
    expect(log.lines[0]).toMatch(
      /warn: Pool "db": resource 1 has been held for 1\d\d\d ms\.[\s\S]*leakyHandler/,
    );
    lease.release();
    expect(log.lines[1]).toMatch(/log: Pool "db": resource 1 did come back, after 11\d\d ms/);
    await pool.close();
  });

  it('is a destroy that hangs, one that fails, and a resource that broke', async () => {
    const destroys = [() => new Promise(() => undefined), () => Promise.reject(new Error('no goodbye'))];
    const { pool, clock, log } = watched({ destroy: () => destroys.shift()?.(), isFatal: () => true });
    const [first, second] = [await pool.acquire(), await pool.acquire()];
    first.destroy();
    await clock.advance(5_200);
    expect(log.lines).toEqual([
      expect.stringMatching(
        /error: .*the destroy of resource 1 has not settled in 50\d\d ms and is given up, its limit is 5000 ms;/,
      ),
    ]);
    second.release(new Error('broken pipe'));
    await turn();
    expect(log.lines.slice(1)).toEqual([
      'warn: Pool "db": resource 2 was destroyed, reason "fatal": Error: broken pipe',
      'warn: Pool "db": destroying resource 2 failed: Error: no goodbye',
    ]);
    await pool.close();
  });

  it('is how long a create has hung that is given up because another one needs its place', async () => {
    const creates = [{}];
    const { pool, clock, log } = watched({
      max: 1,
      create: () => creates.pop() ?? new Promise(() => undefined),
    });
    (await pool.acquire()).destroy();
    await turn();
    void pool.acquire().catch(() => undefined);
    await clock.advance(1_100);
    expect(log.lines[0]).toMatch(
      /error: .*the create of resource 2 has not settled in 1\d\d\d ms and is given up, before its limit of 30000 ms, as another one needs its place;/,
    );
    await pool.close({ timeout: 0 });
    expect(log.lines).toContainEqual(
      expect.stringMatching(
        /the create of resource \d has not settled in \d+ ms and is given up, as the pool is closed;/,
      ),
    );
  });

  it('is a use after the lease has ended, and where both were', async () => {
    const { pool, log } = watched({ detectUseAfterRelease: true });
    const [late] = await pool.use(resource => [resource]);
    expect(() => Object.keys(late as object)).toThrow('has been released');
    expect(log.lines).toEqual([
      expect.stringMatching(
        /^warn: Pool "db": resource 1 was used \(its keys\) after its lease had ended\. [^]*log-listener\.spec[^]*\nIt had ended here: Error/,
      ),
    ]);
    await pool.close();
  });
});
