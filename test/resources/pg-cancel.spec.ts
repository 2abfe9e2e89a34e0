import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { Pool } from '../../src/engine/index.js';
import { pgPool, type PgPoolOptions } from '../../src/resources/pg.js';
import { longGrace } from '../support/long-grace.js';
import { launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

const one = (options: Partial<PgPoolOptions> = {}): Pool<Client> =>
  new Pool(pgPool({ connectionString: server.url, max: 1, acquireTimeout: 20_000, ...options }));

const pidOf = async (client: Client): Promise<number> => {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]!.pid;
};

/** Gives a client back while a query of its runs for longer than any limit. */
async function leaveRunning(pool: Pool<Client>, sql = 'select pg_sleep(60)'): Promise<number> {
  const lease = await pool.acquire();
  const pid = await pidOf(lease.resource);
  lease.resource.query(sql).catch(() => undefined);
  lease.release();
  return pid;
}

describe('a query that is still running when its client is given back', () => {
  it('is cancelled, and the connection goes to the next borrower', async () => {
    await using pool = one();
    const pid = await leaveRunning(pool);
    expect(await pool.use(pidOf)).toBe(pid);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('may end by itself if it is soon done', async () => {
    using _grace = longGrace();
    await using pool = one();
    await pool.use(client => client.query('create table if not exists left_behind (n int)'));
    await leaveRunning(pool, 'insert into left_behind select 1 from pg_sleep(0.02)');
    const { rows } = await pool.use(client => client.query('select count(*)::int as n from left_behind'));
    expect(rows).toEqual([{ n: 1 }]);
  });

  it('takes nothing of what the next borrower does, however often', async () => {
    await using pool = one();
    for (let i = 0; i < 5; i++) {
      await leaveRunning(pool);
      // Long enough for a request that comes late to hit it.
      const { rows } = await pool.use(client => client.query('select 1 as one from pg_sleep(0.05)'));
      expect(rows).toEqual([{ one: 1 }]);
    }
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it('is cancelled also after a query_timeout', async () => {
    await using pool = one();
    await expect(
      pool.use(client => client.query({ text: 'select pg_sleep(60)', query_timeout: 50 } as never)),
    ).rejects.toThrow('Query read timeout');
    await pool.use(client => client.query('select 1'));
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('leaves no connection of the requests behind, also when many come at once', async () => {
    await using pool = one({ max: 6 });
    await Promise.all(Array.from({ length: 6 }, () => leaveRunning(pool)));
    await Promise.all(Array.from({ length: 6 }, () => pool.use(client => client.query('select 1'))));
    const count = (): Promise<number> =>
      pool.use(async client => {
        const { rows } = await client.query<{ n: number }>(
          "select count(*)::int as n from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()",
        );
        return rows[0]!.n;
      });
    expect(await until(count, n => n === 0)).toBe(0);
  });
});
