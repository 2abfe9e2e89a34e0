import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { Pool } from '../../src/engine/index.js';
import { pgDatabase, pgPool } from '../../src/resources/pg.js';
import { blockTheLoop, sent } from '../support/block-the-loop.js';
import { launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

describe('an event loop that was blocked for longer than any limit', () => {
  it('costs no connection whose validation has been answered meanwhile, nor its borrower', async () => {
    await using pool = new Pool(
      pgPool({ connectionString: server.url, max: 1, validateAfterIdle: 0, validateTimeout: 100 }),
    );
    const before = await pool.use(client => Promise.resolve(client));

    const next = pool.acquire({ timeout: 200 });
    expect(pool.stats().validating).toBe(1);
    blockTheLoop(1_000);
    const lease = await next;
    expect(lease.resource.connection).toBe(before.connection);
    lease.release();
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it('costs no borrower the lease that comes back because a query has been answered meanwhile', async () => {
    await using pool = new Pool(pgPool({ connectionString: server.url, max: 1 }));
    const lease = await pool.acquire();
    lease.resource.query('select 1', () => lease.release());
    const waiting = pool.acquire({ timeout: 100 });
    blockTheLoop(1_000);
    (await waiting).release();
    expect(pool.stats().totals.timedOut).toBe(0);
  });

  it('costs no caller the rows that have arrived in time', async () => {
    await using pool = new Pool(pgPool({ connectionString: server.url, max: 1 }));
    await pool.use(client => client.query('select 0'));
    const asked = pgDatabase(pool).query('select 1 as one', [], { timeout: 200 });
    await sent();
    blockTheLoop(1_000);
    expect((await asked).rows).toEqual([{ one: 1 }]);
  });
});
