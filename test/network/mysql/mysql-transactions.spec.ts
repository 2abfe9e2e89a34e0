import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { LocalMariadb } from 'local-mariadb';
import type { RowDataPacket } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import {
  LeaseReleasedError,
  Pool,
  PoolOptionsError,
  TransactionOutcomeUnknownError,
  type Lease,
} from '../../../src/engine/index.js';
import { mysqlPool } from '../../../src/resources/mysql.js';
import { failureOf } from '../../support/follow.js';
import { MariadbWatch, describeWithMariadb, launchMariadb } from '../../support/mariadb.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

describeWithMariadb('a transaction on MariaDB that is begun by the pool', () => {
  let server: LocalMariadb;
  let watch: MariadbWatch;
  let proxy: TcpProxy;
  let pool: Pool<Connection>;
  let lease: Lease<Connection>;

  beforeAll(async () => {
    server = await launchMariadb();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await MariadbWatch.open(server);
    await watch.sql('create or replace table notes (n int primary key) engine = innodb');
    proxy = await TcpProxy.before(server.port);
    const options = { ...watch.config, port: proxy.port, max: 1, resetTimeout: 2_000, destroyTimeout: 2_000 };
    pool = new Pool(mysqlPool(options));
    lease = await pool.acquire();
  });
  afterEach(async () => {
    lease.release();
    await pool[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await watch[Symbol.asyncDispose]();
  });

  const insert = (n: number): Promise<unknown> => lease.resource.query(`insert into notes values (${n})`);
  const notes = async (): Promise<number[]> =>
    (await watch.sql<RowDataPacket & { n: number }>('select n from notes order by n')).map(({ n }) => n);
  const value = async (expression: string): Promise<unknown> => {
    const [rows] = await lease.resource.query<RowDataPacket[]>(`select ${expression} as v`);
    return rows[0]!.v;
  };

  it('is there for everybody when it is committed', async () => {
    const tx = await lease.begin();
    await insert(1);
    expect(await notes()).toEqual([]);
    await tx.commit();
    expect(await notes()).toEqual([1]);
    const next = await lease.begin();
    await next.rollback();
  });

  it('leaves nothing when it is rolled back, or is not ended', async () => {
    const tx = await lease.begin();
    await insert(1);
    await tx.rollback();
    await lease.begin();
    await insert(2);
    lease.release();
    lease = await pool.acquire();
    expect(await value('(select count(*) from notes)')).toBe(0);
    await (await lease.begin()).commit();
    expect(pool.stats().totals.created).toBe(1);
  });

  it('has the isolation that was asked for, which is not that of the next', async () => {
    await watch.sql('start transaction');
    await watch.sql('insert into notes values (1)');
    const dirty = await lease.begin({ isolation: 'read uncommitted' });
    expect(await value('(select count(*) from notes)')).toBe(1);
    await dirty.commit();
    const usual = await lease.begin();
    expect(await value('(select count(*) from notes)')).toBe(0);
    await watch.sql('commit');
    // It goes on with what it has seen first, unless it is told otherwise.
    expect(await value('(select count(*) from notes)')).toBe(0);
    await usual.commit();
    await using _tx = await lease.begin({ isolation: 'read committed' });
    expect(await value('(select count(*) from notes)')).toBe(1);
    await watch.sql('insert into notes values (2)');
    expect(await value('(select count(*) from notes)')).toBe(2);
  });

  it('writes nothing when it is read only', async () => {
    await using _tx = await lease.begin({ readOnly: true });
    expect(await failureOf(insert(1))).toMatchObject({ code: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION' });
  });

  it('can be undone in part, by savepoints', async () => {
    const tx = await lease.begin();
    await insert(1);
    const undone = await tx.begin();
    await insert(2);
    await undone.rollback();
    const kept = await tx.begin();
    await insert(3);
    await kept.commit();
    await tx.commit();
    expect(await notes()).toEqual([1, 3]);
  });

  it('is rolled back when one within it is open at its commit', async () => {
    const tx = await lease.begin();
    await tx.begin();
    await insert(1);
    await expect(tx.commit()).rejects.toThrow('one within it has not ended');
    expect(await notes()).toEqual([]);
  });

  it.each([
    ['deferrable', { deferrable: true }, `option "deferrable" is PostgreSQL's`],
    ['an isolation that is none', { isolation: 'snapshot' as never }, 'option "isolation"'],
    ['readOnly that is no flag', { readOnly: 1 as never }, 'option "readOnly"'],
  ])('refuses %s, and sends nothing', async (_what, options, message) => {
    const error = await failureOf(lease.begin(options));
    expect(error).toBeInstanceOf(PoolOptionsError);
    expect(error).toMatchObject({ message: expect.stringContaining(message) });
    await insert(1);
    expect(await notes()).toEqual([1]);
  });

  it('is not begun within another, which MySQL would commit', async () => {
    const tx = await lease.begin();
    await insert(1);
    await expect(lease.begin()).rejects.toThrow('to begin another would commit it');
    await tx.rollback();
    await lease.resource.beginTransaction();
    await insert(2);
    await expect(lease.begin()).rejects.toThrow('to begin another would commit it');
    await lease.resource.rollback();
    expect(await notes()).toEqual([]);
  });

  it('is not begun, nor ended, when the lease has ended', async () => {
    const tx = await lease.begin();
    await insert(1);
    lease.release();
    expect(await failureOf(tx.commit())).toBeInstanceOf(LeaseReleasedError);
    expect(await failureOf(lease.begin())).toBeInstanceOf(LeaseReleasedError);
    lease = await pool.acquire();
    expect(await notes()).toEqual([]);
  });

  it('is not committed when the server has ended it by a deadlock that was caught', async () => {
    await watch.sql('insert into notes values (1), (2)');
    await using other = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    const rival = await other.acquire();
    const lock = (connection: Connection, n: number): Promise<unknown> =>
      connection.query('update notes set n = n where n = ?', [n]);
    const tx = await lease.begin();
    await rival.begin();
    // More than this one has written: so this one is the one that has to go.
    await rival.resource.query('insert into notes select seq from seq_100_to_200');
    await lock(lease.resource, 1);
    await lock(rival.resource, 2);
    const blocked = failureOf(lock(lease.resource, 2));
    await watch.untilRunning('update notes set n = n where n = 2');
    await lock(rival.resource, 1);
    expect(await blocked).toMatchObject({ code: 'ER_LOCK_DEADLOCK' });
    await expect(tx.commit()).rejects.toThrow('There was nothing to commit');
    rival.release();
    await (await lease.begin()).commit();
  });

  it('is not committed a second time when a statement has ended it', async () => {
    const tx = await lease.begin();
    await insert(1);
    await lease.resource.query('commit');
    await expect(tx.commit()).rejects.toThrow('There was nothing to commit');
  });

  it('goes on after a statement that has failed, and is committed', async () => {
    const tx = await lease.begin();
    await insert(1);
    expect(await failureOf(insert(1))).toMatchObject({ code: 'ER_DUP_ENTRY' });
    await tx.commit();
    expect(await notes()).toEqual([1]);
  });

  it('is not committed, and known not to be, when its connection was lost before', async () => {
    const tx = await lease.begin();
    await insert(1);
    const ended = once(lease.resource, 'end');
    await watch.kill(lease.resource.threadId);
    await ended;
    const error = await failureOf(tx.commit());
    expect(error).not.toBeInstanceOf(TransactionOutcomeUnknownError);
    expect(error).toMatchObject({ message: expect.stringContaining('COMMIT was not sent') });
    expect(lease.broken).toBe(true);
    expect(await notes()).toEqual([]);
  });

  const UNKNOWN = {
    code: 'MYSQL_TRANSACTION_OUTCOME_UNKNOWN',
    message: expect.stringContaining('may be committed'),
  };

  it('has an unknown outcome when the answer to COMMIT is lost: it is committed', async () => {
    const tx = await lease.begin();
    await insert(1);
    proxy.cutting = message => (message.includes('COMMIT') ? { heard: 0 } : undefined);
    const error = await failureOf(tx.commit());
    expect(error).toBeInstanceOf(TransactionOutcomeUnknownError);
    expect(error).toMatchObject(UNKNOWN);
    expect(await until(notes, seen => seen.length > 0)).toEqual([1]);
  });

  it('has an unknown outcome when COMMIT is lost on its way: it is not committed', async () => {
    const tx = await lease.begin();
    await insert(1);
    proxy.cutting = message => (message.includes('COMMIT') ? { sent: 3 } : undefined);
    expect(await failureOf(tx.commit())).toMatchObject(UNKNOWN);
    await watch.untilSessions(0);
    expect(await notes()).toEqual([]);
  });
});
