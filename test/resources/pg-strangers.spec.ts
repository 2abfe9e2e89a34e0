import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { LeaseReleasedError, Pool } from '../../src/engine/index.js';
import { TransactionOverlapError, pgPool } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';

type WithTenant = Client & { tenant?: string; forTenant(name: string): void; late(): Promise<unknown> };

describe('a client that is used as strangers use it', () => {
  let server: LocalPostgres;
  let watch: PostgresWatch;
  let pool: Pool<Client>;
  const added = pg.Client.prototype as unknown as Record<string, unknown>;

  beforeAll(async () => {
    server = await launchPostgres();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await PostgresWatch.open(server);
    await watch.sql('drop table if exists notes');
    await watch.sql('create table notes (n int)');
    pool = new Pool(pgPool({ ...watch.config, max: 1 }));
  });
  afterEach(async () => {
    delete added.forTenant;
    delete added.late;
    await pool.close({ timeout: 0 });
    await watch[Symbol.asyncDispose]();
  });

  it('keeps what a method that the application has put on its prototype does to it, and refuses it later', async () => {
    added.forTenant = function (this: WithTenant, name: string): void {
      this.tenant = name;
    };
    added.late = function (this: WithTenant): Promise<unknown> {
      return this.query('insert into notes values (1)');
    };
    const lease = await pool.acquire();
    const first = lease.resource as WithTenant;
    first.forTenant('a');
    lease.release();
    await pool.use(client => {
      expect((client as WithTenant).tenant).toBeUndefined();
    });
    expect(await failureOf(first.late())).toBeInstanceOf(LeaseReleasedError);
    expect(await watch.sql('select * from notes')).toEqual([]);
  });

  it('is not lost for a statement that fails with the code of a server that shuts down', async () => {
    await pool.use(async client => {
      const raised = "do $$ begin raise 'from elsewhere' using errcode = '57P01'; end $$";
      expect(await failureOf(client.query(raised))).toMatchObject({ code: '57P01', severity: 'ERROR' });
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    });
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('sends nothing more of a transaction that a helper within it has rolled back', async () => {
    await pool.use(async client => {
      const helper = async (): Promise<void> => {
        try {
          await client.query('begin');
        } catch {
          await client.query('rollback');
        }
      };
      await client.query('begin');
      await client.query('insert into notes values (1)');
      await helper();
      const refused = await failureOf(client.query('insert into notes values (2)'));
      expect(refused).toBeInstanceOf(TransactionOverlapError);
      await client.query('rollback');
      await client.query('insert into notes values (3)');
    });
    expect(await watch.sql('select n from notes')).toEqual([{ n: 3 }]);
  });
});
