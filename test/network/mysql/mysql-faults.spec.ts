import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalMariadb } from 'local-mariadb';
import type { Connection as CoreConnection, RowDataPacket } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { LeaseReleasedError, Pool } from '../../../src/engine/index.js';
import { mysqlPool } from '../../../src/resources/mysql.js';
import { blockTheLoop, sent } from '../../support/block-the-loop.js';
import { failureOf } from '../../support/follow.js';
import { longGrace } from '../../support/long-grace.js';
import { MariadbWatch, describeWithMariadb, launchMariadb } from '../../support/mariadb.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

const ONE = 'select 1 as n';
const rowOf = async (connection: Connection, text = ONE): Promise<unknown> =>
  (await connection.query<RowDataPacket[]>(text))[0][0];

describeWithMariadb('a connection to MariaDB that goes', () => {
  let server: LocalMariadb;
  let watch: MariadbWatch;

  beforeAll(async () => {
    server = await launchMariadb();
    const root = await MariadbWatch.open(server);
    await root.sql('create table numbers (n int primary key)');
    await root[Symbol.asyncDispose]();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    await server.start();
    watch = await MariadbWatch.open(server);
  });
  afterEach(() => watch[Symbol.asyncDispose]());

  it('while idle is replaced, and the process goes on', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    const id = await pool.use(async connection => connection.threadId);

    await watch.kill(id);
    await until(
      () => pool.stats().idle,
      seen => seen === 0,
    );

    expect(await pool.use(async connection => connection.threadId)).not.toBe(id);
    expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
  });

  it('while leased and idle is not lent again, and tells its borrower', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const ended = once(lease.resource, 'end');
    await watch.kill(lease.resource.threadId);
    await ended;
    await until(
      () => lease.broken,
      broken => broken,
    );
    lease.release();

    expect(await pool.use(connection => rowOf(connection))).toEqual({ n: 1 });
    expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
  });

  it('in the middle of a query fails the query, and is not lent again', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const query = failureOf(lease.resource.query('select sleep(3600)'));
    await watch.untilRunning('sleep(3600)');
    await watch.kill(lease.resource.threadId);
    expect(await query).toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    lease.release();

    expect(await pool.use(connection => rowOf(connection))).toEqual({ n: 1 });
    expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
  });

  it('in the middle of a transaction is not replaced for those who share the borrow', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    await lease.resource.beginTransaction();
    const ended = once(lease.resource, 'end');
    await watch.kill(lease.resource.threadId);
    await ended;
    expect(await failureOf(lease.resource.query(ONE))).toMatchObject({ fatal: true });
    expect(lease.broken).toBe(false);
    // Whoever tries to end it has heard that it is lost.
    expect(await failureOf(lease.resource.rollback())).toMatchObject({ fatal: true });
    expect(lease.broken).toBe(true);
    lease.release();
  });

  it('under a stream of rows fails the stream', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    const lease = await pool.acquire();
    const { connection } = lease.resource as unknown as { connection: CoreConnection };
    const rows = connection.query('select seq, sleep(0.01) from seq_1_to_100000').stream();
    const reading = failureOf(rows.toArray());
    await watch.untilRunning('seq_1_to_100000');
    await watch.kill(connection.threadId);
    expect(await reading).toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    lease.release();
    expect(await pool.use(other => rowOf(other))).toEqual({ n: 1 });
  });

  it('is no connection after a deadlock: both go on', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 2 }));
    await watch.sql('replace into numbers values (1), (2)');
    const lock = (connection: Connection, n: number): Promise<unknown> =>
      connection.query('select * from numbers where n = ? for update', [n]);
    let ready = 0;
    const outcomes = await Promise.allSettled(
      [1, 2].map(n =>
        pool.use(async connection => {
          await connection.beginTransaction();
          await lock(connection, n);
          ready++;
          await until(
            () => ready,
            count => count === 2,
          );
          await lock(connection, 3 - n);
          await connection.commit();
        }),
      ),
    );
    const failed = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    expect(failed.map(({ reason }) => (reason as { code?: string }).code)).toEqual(['ER_LOCK_DEADLOCK']);
    await until(
      () => pool.stats().idle,
      idle => idle === 2,
    );
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it('is not lent again when its server has become read-only', async () => {
    await watch.sql(`create or replace user writer@'127.0.0.1'`);
    await watch.sql(`grant select, insert on test.* to writer@'127.0.0.1'`);
    await using pool = new Pool(mysqlPool({ ...watch.config, user: 'writer', max: 1 }));
    const insert = (connection: Connection): Promise<unknown> =>
      connection.query('insert into numbers values (1000)');
    try {
      await watch.sql('set global read_only = 1');
      for (let i = 0; i < 2; i++) {
        expect(await failureOf(pool.use(insert))).toMatchObject({ code: 'ER_OPTION_PREVENTS_STATEMENT' });
      }
      await until(
        () => pool.stats().totals.destroyed,
        destroyed => destroyed === 2,
      );
    } finally {
      await watch.sql('set global read_only = 0');
    }
    // The borrower's own wish is no fault of the server.
    const reads = pool.use(async connection => {
      await connection.query('start transaction read only');
      await insert(connection);
    });
    expect(await failureOf(reads)).toMatchObject({ code: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION' });
    expect(await pool.use(connection => rowOf(connection))).toEqual({ n: 1 });
    expect(pool.stats().totals.destroyed).toBe(2);
  });

  it('with the whole server is noticed while idle; borrows are served again when it is back', async () => {
    for (const how of ['stop', 'kill'] as const) {
      await using pool = new Pool(mysqlPool({ ...watch.config, min: 3, max: 3, unavailableAfter: 2 }));
      await pool.start();

      await server[how]();
      await until(
        () => pool.stats().idle,
        seen => seen === 0,
      );
      expect(await failureOf(pool.acquire())).toMatchObject({ code: 'POOL_UNAVAILABLE' });
      await server.start();
      await watch.reconnect();

      await until(
        () => pool.stats().idle,
        seen => seen === 3,
      );
      expect(await pool.use(connection => rowOf(connection))).toEqual({ n: 1 });
    }
  });

  it('since it was idle for longer than the server likes costs no borrower anything', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 2 }));
    try {
      await watch.sql('set global wait_timeout = 1');
      await Promise.all([
        pool.use(connection => rowOf(connection)),
        pool.use(connection => rowOf(connection)),
      ]);
      await until(
        () => pool.stats().idle,
        idle => idle === 0,
      );
      expect(await pool.use(connection => rowOf(connection))).toEqual({ n: 1 });
      expect(pool.stats().totals.destroyedBy).toEqual({ invalid: 2 });
    } finally {
      await watch.sql('set global wait_timeout = 28800');
    }
  });

  it('is validated away when nothing says that it has gone', async () => {
    await using net = await TcpProxy.before(server.port);
    await using pool = new Pool(
      mysqlPool({
        ...watch.config,
        ...{ port: net.port, max: 1, validateAfterIdle: 0, validateTimeout: 50, destroyTimeout: 1_000 },
      }),
    );
    const id = await pool.use(async connection => connection.threadId);

    net.blackhole('old');
    expect(await pool.use(async connection => connection.threadId)).not.toBe(id);
    // Its socket was destroyed, not abandoned.
    expect(pool.stats()).toMatchObject({ abandoned: 0, totals: { destroyedBy: { invalid: 1 } } });
  });

  it('in a black hole does not keep close() waiting, whatever it was doing', async () => {
    await using net = await TcpProxy.before(server.port);
    const pool = new Pool(
      mysqlPool({ ...watch.config, port: net.port, min: 2, max: 2, destroyTimeout: 1_000 }),
    );
    await pool.start();
    const { resource: connection } = await pool.acquire();
    net.blackhole('all');
    const stuck = failureOf(connection.query('select 1'));

    await pool.close({ timeout: 0 });

    expect(pool.stats()).toMatchObject({ abandoned: 0, totals: { destroyed: 2 } });
    await stuck;
  });

  describe('with a statement that still runs', () => {
    it('is killed at the server when the pool closes', async () => {
      const pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
      const lease = await pool.acquire();
      const query = failureOf(lease.resource.execute('select sleep(?)', [3600]));
      await watch.untilRunning('sleep');
      await pool.close({ timeout: 0 });
      await watch.untilSessions(0);
      expect(await query).toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    });

    it('is killed when it is given back so, and the next gets another', async () => {
      await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
      const lease = await pool.acquire();
      const id = lease.resource.threadId;
      const queries = [
        lease.resource.query('/* the first */ select sleep(3600)'),
        lease.resource.query('insert into numbers values (77)'),
      ].map(failureOf);
      await watch.untilRunning('sleep(3600)');
      lease.release();

      expect(await pool.use(async connection => connection.threadId)).not.toBe(id);
      const [running, waiting] = await Promise.all(queries);
      expect(running).toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
      expect(waiting).toBeInstanceOf(LeaseReleasedError);
      await watch.untilSessions(1);
      expect(await watch.sql('select * from numbers where n = 77')).toEqual([]);
    });

    it('is kept when the statement ends by itself in a moment, and its answer reaches nobody else', async () => {
      using _grace = longGrace();
      await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
      const lease = await pool.acquire();
      const id = lease.resource.threadId;
      const left = rowOf(lease.resource, `select 'first' as n, sleep(0.01)`);
      lease.release();
      await pool.use(async connection => {
        expect(connection.threadId).toBe(id);
        expect(await rowOf(connection, `select 'second' as n`)).toEqual({ n: 'second' });
      });
      expect(await left).toMatchObject({ n: 'first' });
    });

    it('is kept when the statement has ended while the process was blocked', async () => {
      await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
      const lease = await pool.acquire();
      const left = rowOf(lease.resource, `select 'first' as n, sleep(0.02)`);
      lease.release();
      await sent();
      blockTheLoop(300);
      expect(await left).toMatchObject({ n: 'first' });
      await lease.finished;
      expect(pool.stats()).toMatchObject({ idle: 1, totals: { destroyed: 0 } });
    });

    it('is ended in time when nobody can reach the server to kill it', async () => {
      await using net = await TcpProxy.before(server.port);
      const pool = new Pool(mysqlPool({ ...watch.config, port: net.port, max: 1, destroyTimeout: 1_000 }));
      const lease = await pool.acquire();
      const query = failureOf(lease.resource.query('select sleep(2)'));
      await watch.untilRunning('sleep(2)');
      net.refuse();
      await pool.close({ timeout: 0 });
      expect(await query).toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
      expect(pool.stats()).toMatchObject({ abandoned: 0, totals: { destroyed: 1 } });
      await net.reopen();
    });

    it('is not killed for another when the pool reaches another server by now', async () => {
      await using other = await launchMariadb();
      await using elsewhere = await MariadbWatch.open(other);
      await elsewhere.sql(`create user ${watch.user}@'127.0.0.1'`);
      await elsewhere.sql(`grant all privileges on test.* to ${watch.user}@'127.0.0.1'`);
      await using net = await TcpProxy.before(server.port);
      const pool = new Pool(mysqlPool({ ...watch.config, port: net.port, max: 1, destroyTimeout: 4_000 }));
      const lease = await pool.acquire();
      const { threadId } = lease.resource;
      const query = failureOf(lease.resource.query('/* ours */ select sleep(3600)'));
      await watch.untilRunning('ours');
      // Somebody else's session with the same number, of the same user.
      await using strangers = new Pool(
        mysqlPool({ ...watch.config, database: 'information_schema', port: other.port, max: 1, maxUses: 1 }),
      );
      let stranger = await strangers.acquire();
      while (stranger.resource.threadId < threadId) {
        stranger.release();
        stranger = await strangers.acquire();
      }
      expect(stranger.resource.threadId).toBe(threadId);
      const theirs = rowOf(stranger.resource, `/* theirs */ select sleep(3) as n`);
      Object.assign(net, { target: other.port });

      await pool.close({ timeout: 0 });
      await query;
      expect(await theirs).toEqual({ n: 0 });
      stranger.release();
      await watch.kill(threadId);
    });
  });
});
