import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import { Pool } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';

/** Connections that the server admits. */
const ADMITTED = 6;

let server: LocalPostgres;

beforeAll(async () => {
  server = await startPostgres({ maxConnections: ADMITTED });
});
afterAll(() => server.close());

describe('a server that admits fewer connections than max', () => {
  it('costs no borrower anything: those that there are serve all, and no more are tried than the back-off allows', async () => {
    await using pool = new Pool(
      pgPool({
        connectionString: server.url,
        max: 30,
        growth: 'eager',
        unavailableAfter: 1,
        acquireTimeout: 20_000,
      }),
    );
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => pool.use(client => client.query('select pg_sleep(0.02)'))),
    );
    expect(answers).toHaveLength(60);
    const { idle, totals, state } = pool.stats();
    expect(idle).toBeLessThanOrEqual(ADMITTED);
    expect(totals).toMatchObject({ acquired: 60, timedOut: 0, refused: 0 });
    expect(totals.createFailed).toBeGreaterThan(0);
    expect(state).toBe('ready');
  });
});
