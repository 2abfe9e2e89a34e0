import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { LocalMariadb } from 'local-mariadb';
import type { RowDataPacket } from 'mysql2';
import { LeaseReleasedError, Pool, PoolOptionsError } from '../../../src/engine/index.js';
import { mysqlPool } from '../../../src/resources/mysql.js';
import { failureOf } from '../../support/follow.js';
import { MariadbWatch, describeWithMariadb, launchMariadb } from '../../support/mariadb.js';

describeWithMariadb('a pool of MariaDB connections', () => {
  let server: LocalMariadb;
  let watch: MariadbWatch;

  beforeAll(async () => {
    server = await launchMariadb();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await MariadbWatch.open(server);
  });
  afterEach(() => watch[Symbol.asyncDispose]());

  it('lends one connection after the other, and leaves no session behind', async () => {
    const pool = new Pool(mysqlPool({ ...watch.config, max: 2 }));
    const ids = new Set<number>();
    for (let i = 0; i < 10; i++) {
      await pool.use(async connection => {
        ids.add(connection.threadId);
        const [rows] = await connection.query<RowDataPacket[]>('select ? as n', [i]);
        expect(rows).toEqual([{ n: i }]);
        const [executed] = await connection.execute<RowDataPacket[]>('select ? as n', [i]);
        expect(Number(executed[0]?.n)).toBe(i);
      });
    }
    expect(ids.size).toBe(1);
    await watch.untilSessions(1);
    await pool.close();
    await watch.untilSessions(0);
  });

  it('refuses a use that comes after the end', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const connection = lease.resource;
    lease.release();
    expect(await failureOf(connection.query('select 1'))).toBeInstanceOf(LeaseReleasedError);
  });

  it('refuses the options of another pool', () => {
    expect(() => mysqlPool({ ...watch.config, connectionLimit: 3 } as never)).toThrow(PoolOptionsError);
  });
});
