import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { Pool } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { Cursor } from '../support/pg-cursor.js';
import { launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;
let pool: Pool<Client>;
const request = new AsyncLocalStorage<string>();

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(() => {
  pool = new Pool(pgPool({ connectionString: server.url, max: 1 }));
});
afterEach(() => pool.close({ timeout: 0 }));

describe('a query that waits for its turn behind that of somebody else', () => {
  it('is called back in the context of its sender', async () => {
    const lease = await pool.acquire();
    const { resource: client } = lease;
    const seen = (name: string, text: string): Promise<unknown> =>
      request.run(name, () => new Promise(resolve => client.query(text, () => resolve(request.getStore()))));
    void seen('a', 'select 1');
    expect(await Promise.all([seen('b', 'select 2'), seen('c', 'select 1 / 0')])).toEqual(['b', 'c']);

    void seen('a', 'select pg_sleep(0.01)');
    const refused = seen('d', 'select 3');
    lease.release();
    expect(await refused).toBe('d');
  });

  it('is sent in the context of its sender, in which those that trace pg look at it', async () => {
    const { query } = pg.Client.prototype;
    const seen: unknown[] = [];
    const spy = jest.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
      this: Client,
      ...args: unknown[]
    ) {
      seen.push(request.getStore());
      return (query as (...args: unknown[]) => unknown).apply(this, args);
    });
    try {
      // Made now: what the first connection asks the server is nobody's.
      await pool.use(() => undefined);
      seen.length = 0;
      await pool.use(client =>
        Promise.all(['a', 'b', 'c'].map(name => request.run(name, () => client.query('select 1')))),
      );
      expect(seen).toEqual(['a', 'b', 'c']);
    } finally {
      spy.mockRestore();
    }
  });

  it('is submitted in the context of its sender', async () => {
    await pool.use(async client => {
      const running = client.query('select 1');
      const cursor = new Cursor('select 2');
      const { submit } = cursor;
      let seen: unknown;
      cursor.submit = connection => {
        seen = request.getStore();
        submit.call(cursor, connection);
      };
      await request.run('a', () => client.query(cursor).read(1));
      await running;
      await cursor.close();
      expect(seen).toBe('a');
    });
  });
});
