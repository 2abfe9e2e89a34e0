import { EventEmitter, once } from 'node:events';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { LocalMariadb } from 'local-mariadb';
import type { Connection as CoreConnection, RowDataPacket } from 'mysql2';
import type { Connection, PreparedStatementInfo } from 'mysql2/promise';
import { LeaseReleasedError, Pool, type Lease } from '../../../src/engine/index.js';
import { mysqlPool } from '../../../src/resources/mysql.js';
import { failureOf } from '../../support/follow.js';
import { longGrace } from '../../support/long-grace.js';
import { MariadbWatch, describeWithMariadb, launchMariadb } from '../../support/mariadb.js';

const LATE = 'insert into notes values (1)';

describeWithMariadb('after the lease of a MySQL connection has ended', () => {
  let server: LocalMariadb;
  let watch: MariadbWatch;
  let pool: Pool<Connection>;
  let lease: Lease<Connection>;
  let connection: Connection;
  let core: CoreConnection;
  let statement: PreparedStatementInfo;

  beforeAll(async () => {
    server = await launchMariadb();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await MariadbWatch.open(server);
    await watch.sql('create or replace table notes (n int)');
    pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    lease = await pool.acquire();
    connection = lease.resource;
    core = (connection as unknown as { connection: CoreConnection }).connection;
    statement = await connection.prepare(LATE);
  });
  afterEach(async () => {
    await pool.close({ timeout: 0 });
    await watch[Symbol.asyncDispose]();
  });

  const notes = async (): Promise<unknown[]> =>
    (await watch.sql('select n from notes order by n')).map(row => row.n as unknown);
  const byCallback = (use: (callback: (error: unknown) => void) => unknown): Promise<unknown> =>
    new Promise((resolve, reject) =>
      use(error => {
        if (error instanceof Error) reject(error);
        else resolve(error);
      }),
    );

  const forms: [string, () => unknown][] = [
    ['query', () => connection.query(LATE)],
    ['query with values', () => connection.query('insert into notes values (?)', [1])],
    ['query of options', () => connection.query({ sql: LATE })],
    ['execute', () => connection.execute(LATE)],
    ['prepare', () => connection.prepare(LATE)],
    ['beginTransaction', () => connection.beginTransaction()],
    ['commit', () => connection.commit()],
    ['rollback', () => connection.rollback()],
    ['ping', () => connection.ping()],
    ['reset', () => connection.reset()],
    ['changeUser', () => connection.changeUser({ user: 'root' })],
    ['end', () => connection.end()],
    ['connect', () => connection.connect()],
    ['await using', () => connection[Symbol.asyncDispose]()],
    ['a statement prepared before', () => statement.execute([])],
    ['query, by callback', () => byCallback(cb => core.query(LATE, cb))],
    ['query with values, by callback', () => byCallback(cb => core.query(LATE, [], cb))],
    ['query, by event', () => once(core.query(LATE), 'end')],
    ['query, as a stream', () => core.query(LATE).stream().toArray()],
    ['execute, by callback', () => byCallback(cb => core.execute(LATE, cb))],
    ['execute, by event', () => once(core.execute(LATE, []) as unknown as EventEmitter, 'end')],
    ['prepare, by callback', () => byCallback(cb => core.prepare(LATE, cb))],
    ['beginTransaction, by callback', () => byCallback(cb => core.beginTransaction(cb))],
    ['ping, by callback', () => byCallback(cb => core.ping(cb))],
    ['reset, by callback', () => byCallback(cb => core.reset(cb))],
    ['changeUser, by callback', () => byCallback(cb => core.changeUser({}, cb))],
    ['end, by callback', () => byCallback(cb => core.end(cb))],
    ['query, by promise of the other', () => core.promise().query(LATE)],
  ];
  for (const [name, use] of forms) {
    it(`a use is refused in its own way, and not sent: ${name}`, async () => {
      lease.release();
      const next = await pool.acquire();
      expect(await failureOf(Promise.resolve(use()))).toBeInstanceOf(LeaseReleasedError);
      expect((await next.resource.query('select 1 as n'))[0]).toEqual([{ n: 1 }]);
      next.release();
      expect(await notes()).toEqual([]);
      expect(pool.stats().totals.created).toBe(1);
    });
  }

  const others: [string, () => unknown][] = [
    ['on', () => connection.on('error', () => {})],
    ['once', () => core.once('end', () => {})],
    ['emit', () => connection.emit('error', new Error('late'))],
    ['destroy', () => connection.destroy()],
    ['destroy of the other', () => core.destroy()],
    ['destroy of the promise of the other', () => core.promise().destroy()],
    ['pause', () => connection.pause()],
    ['pause of the promise of the other', () => core.promise().pause()],
    ['resume', () => core.resume()],
    ['unprepare', () => connection.unprepare(LATE)],
    ['ping without a callback', () => core.ping()],
  ];
  for (const [name, use] of others) {
    it(`what can tell in no other way throws: ${name}`, async () => {
      lease.release();
      expect(use).toThrow(LeaseReleasedError);
      await pool.use(async next => {
        expect(next.listenerCount('error')).toBe(0);
        expect((await next.query('select 1 as n'))[0]).toEqual([{ n: 1 }]);
      });
      expect(pool.stats().totals.created).toBe(1);
    });
  }

  it('what only looks may, and removing listeners does nothing', () => {
    lease.release();
    expect(connection.escape(`a'b`)).toBe(`'a\\'b'`);
    expect(core.format('select ?', [1])).toBe('select 1');
    expect(connection.removeAllListeners('error')).toBe(connection);
    expect(connection.listenerCount('error')).toBe(0);
    expect(inspect(connection)).toMatch(/^MysqlConnection \{ threadId: \d+ \}$/);
  });

  it('the error has the stack of who came late', async () => {
    lease.release();
    function latecomer(): Promise<unknown> {
      return connection.query(LATE);
    }
    expect(((await failureOf(latecomer())) as Error).stack).toContain('latecomer');
  });

  it('what still waits for its turn is refused, what is running runs to its end', async () => {
    using _grace = longGrace();
    const running = connection.query('insert into notes select 0 from (select sleep(0.01)) s');
    const stream = core.query(LATE).stream();
    const waiting = [
      connection.query(LATE),
      connection.execute(LATE),
      connection.execute('insert into notes values (?)', [1]),
      connection.prepare(LATE),
      connection.commit(),
      statement.execute([]),
      byCallback(cb => core.query(LATE, cb)),
      once(core.query(LATE), 'end'),
      stream.toArray(),
    ].map(failureOf);
    lease.release();
    const errors = await Promise.all(waiting);
    for (const error of errors) expect(error).toBeInstanceOf(LeaseReleasedError);
    await running;
    expect((await pool.use(next => next.query<RowDataPacket[]>('select n from notes')))[0]).toEqual([
      { n: 0 },
    ]);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('a callback is called once, also by an execution of which the statement was not prepared yet', async () => {
    using _grace = longGrace();
    const calls: unknown[] = [];
    const running = connection.query('select sleep(0.01)');
    core.execute('insert into notes values (?)', [1], error => calls.push(error));
    lease.release();
    await running;
    await pool.use(next => next.query('select 1'));
    expect(calls).toEqual([expect.any(LeaseReleasedError)]);
  });

  it('a stream that nobody reads on does not hold the connection', async () => {
    const stream = core.query('select seq from seq_1_to_200000').stream({ highWaterMark: 1 });
    await once(stream, 'readable');
    lease.release();
    expect(await failureOf(stream.toArray())).toBeInstanceOf(LeaseReleasedError);
    expect((await pool.use(next => next.query('select 1 as n')))[0]).toEqual([{ n: 1 }]);
  });

  it('a connection that was paused is not', async () => {
    for (const pause of [() => connection.pause(), () => core.pause(), () => core.promise().pause()]) {
      pause();
      lease.release();
      lease = await pool.acquire();
      connection = lease.resource;
      core = (connection as unknown as { connection: CoreConnection }).connection;
      expect((await connection.query('select 1 as n'))[0]).toEqual([{ n: 1 }]);
    }
  });

  it('listeners and properties of a borrower have gone with it', async () => {
    const heard: unknown[] = [];
    connection.on('error', error => heard.push(error));
    connection.on('end', () => heard.push('end'));
    Object.assign(connection, { query: () => 'mine', mine: true });
    const { threadId } = connection;
    lease.release();
    const next = await pool.acquire();
    expect(next.resource.threadId).toBe(threadId);
    expect(next.resource).not.toHaveProperty('mine');
    expect((await next.resource.query('select 1 as n'))[0]).toEqual([{ n: 1 }]);
    const ended = once(next.resource, 'end');
    await watch.kill(threadId);
    await ended;
    next.release();
    expect(heard).toEqual([]);
  });

  it('a borrower may end or destroy its connection, which the pool then replaces', async () => {
    await connection.end();
    lease.release();
    await pool.use(async next => {
      expect((await next.query('select 1 as n'))[0]).toEqual([{ n: 1 }]);
      next.destroy();
    });
    expect((await pool.use(next => next.query('select 1 as n')))[0]).toEqual([{ n: 1 }]);
    await watch.untilSessions(1);
  });

  it('the handle is a connection of mysql2', async () => {
    const { default: mysql } = await import('mysql2');
    expect(core).toBeInstanceOf(mysql.Connection);
    expect(core).toBeInstanceOf(EventEmitter);
    expect(connection.threadId).toBe(core.threadId);
  });
});
