import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { LocalMariadb } from 'local-mariadb';
import mysql from 'mysql2/promise';
import { KeyedPool, Pool, PoolOptionsError, type Advice } from '../../../src/engine/index.js';
import { keyedMysqlPool, mysqlPool } from '../../../src/resources/mysql.js';
import { failureOf } from '../../support/follow.js';
import { MariadbWatch, describeWithMariadb, launchMariadb } from '../../support/mariadb.js';
import { MuteServer } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

const SECRET = 'hunter2-and-more';

describeWithMariadb('making a connection to MariaDB', () => {
  let server: LocalMariadb;
  let watch: MariadbWatch;

  beforeAll(async () => {
    server = await launchMariadb();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await MariadbWatch.open(server);
    await watch.sql(`set password for ${watch.user}@'127.0.0.1' = password('${SECRET}')`);
  });
  afterEach(() => watch[Symbol.asyncDispose]());

  /** Fails to connect, and tells whether the pool would try again. */
  async function refusal(options: object): Promise<{ error: { code?: string }; retried: boolean }> {
    const { factory } = mysqlPool({ ...watch.config, password: SECRET, ...options });
    await using pool = new Pool({ factory, max: 1, acquireTimeout: 2_000, unavailableAfter: 1 });
    await failureOf(pool.acquire());
    const { signal } = new AbortController();
    const error = await failureOf(
      Promise.resolve(factory.create({ slot: 1, signal, invalidate: () => undefined })),
    );
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET);
    return { error: error as { code?: string }, retried: factory.isRetryable?.(error) ?? true };
  }

  it('is not tried again when time cannot help', async () => {
    expect(await refusal({ password: `${SECRET}!` })).toMatchObject({
      error: { code: 'ER_ACCESS_DENIED_ERROR' },
      retried: false,
    });
    expect(await refusal({ database: 'nowhere' })).toMatchObject({
      error: { code: 'ER_BAD_DB_ERROR' },
      retried: false,
    });
    expect(await refusal({ ssl: {} })).toMatchObject({
      error: { code: 'HANDSHAKE_NO_SSL_SUPPORT' },
      retried: false,
    });
    await watch.sql(`create or replace user limited@'127.0.0.1'`);
    expect(await refusal({ user: 'limited', password: '' })).toMatchObject({
      error: { code: 'ER_DBACCESS_DENIED_ERROR' },
      retried: false,
    });
    await watch.sql(`alter user ${watch.user}@'127.0.0.1' account lock`);
    expect(await refusal({})).toMatchObject({ error: { errno: 4151 }, retried: false });
  });

  it('is tried again when it can', async () => {
    await watch.sql(`grant usage on *.* to ${watch.user}@'127.0.0.1' with max_user_connections 1`);
    await using one = await mysql.createConnection({ ...watch.config, password: SECRET });
    expect(await refusal({})).toMatchObject({ error: { code: 'ER_USER_LIMIT_REACHED' }, retried: true });
    await one.ping();
    await using net = await TcpProxy.before(server.port);
    net.refuse();
    expect(await refusal({ port: net.port })).toMatchObject({
      error: { code: 'ECONNREFUSED' },
      retried: true,
    });
    await net.reopen();
  });

  it('is tried again while the server has too many connections, and then succeeds', async () => {
    await watch.sql(`create or replace user plain@'127.0.0.1'`);
    await watch.sql(`grant all on test.* to plain@'127.0.0.1'`);
    const config = { ...watch.config, user: 'plain' };
    await watch.sql('set global max_connections = 10');
    try {
      const taken = await Promise.all(Array.from({ length: 9 }, () => mysql.createConnection(config)));
      const tireless = { createBackoff: { initial: 10, max: 20 }, unavailableAfter: Infinity };
      await using pool = new Pool(mysqlPool({ ...config, max: 1, ...tireless }));
      const waiting = pool.use(connection => connection.query('select 1 as n'));
      await until(
        () => pool.stats().failing,
        failing => failing?.error.includes('ER_CON_COUNT_ERROR') ?? false,
      );
      await Promise.all(taken.map(connection => connection.end()));
      expect((await waiting)[0]).toEqual([{ n: 1 }]);
    } finally {
      await watch.sql('set global max_connections = 40');
    }
  });

  it('ends with the time that there is for it, and leaves no socket', async () => {
    await using mute = await MuteServer.listen();
    await using pool = new Pool(
      mysqlPool({ ...watch.config, port: mute.port, max: 1, createTimeout: 50, acquireTimeout: 80 }),
    );
    const waiting = failureOf(pool.acquire());
    const socket = await mute.accepted();
    if (!socket.closed) await new Promise(resolve => socket.once('close', resolve));
    expect(await waiting).toMatchObject({ code: 'POOL_TIMEOUT' });
  });

  it('ends when the pool closes, and leaves no socket', async () => {
    await using net = await TcpProxy.before(server.port);
    const config = { ...watch.config, password: SECRET, port: net.port, max: 1 };
    net.blackhole('new');
    const pool = new Pool(mysqlPool(config));
    const waiting = failureOf(pool.acquire());
    await new Promise<void>(resolve => net.once('connection', resolve));
    await pool.close({ timeout: 0 });
    await waiting;
    await until(
      () => net.open,
      open => open === 0,
    );
  });

  it('says nothing of a password, in no option and no error', async () => {
    const options = mysqlPool({
      uri: `mysql://${watch.user}:${SECRET}@127.0.0.1:${server.port}/test`,
      max: 1,
    });
    expect(inspect(options, { depth: 9, showHidden: true })).not.toContain(SECRET);
    expect(JSON.stringify(options)).not.toContain(SECRET);
    await using pool = new Pool(options);
    await pool.use(async connection => {
      expect(inspect(connection, { depth: 9 })).not.toContain(SECRET);
    });
    for (const wrong of [
      { uri: `mysql://u:${SECRET}@:bad:port` },
      { password: SECRET, charset: 'klingon' },
      { password: SECRET, ssl: 3 },
      { password: SECRET, stream: {} },
      { password: SECRET, connectionLimit: 3 },
      { password: SECRET, sessionReset: 'sometimes' },
      { password: SECRET, isFatal: 3 },
    ]) {
      const error = await failureOf(Promise.resolve().then(() => mysqlPool(wrong as never)));
      expect(error).toBeInstanceOf(PoolOptionsError);
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET);
    }
    expect(() => new Pool(mysqlPool({ hots: 'db' } as never))).toThrow(PoolOptionsError);
  });

  it('asks for the limit of the server, which the advice goes by', async () => {
    const told = async (account: number): Promise<Advice[]> => {
      await watch.sql(`grant usage on *.* to ${watch.user}@'127.0.0.1' with max_user_connections ${account}`);
      await using pool = new Pool(mysqlPool({ ...watch.config, password: SECRET, max: 30, processes: 2 }));
      await Promise.all([1, 2, 3].map(() => pool.use(connection => connection.query('select 1'))));
      return pool.advice().filter(({ rule }) => rule === 'server-limit');
    };
    expect(await told(0)).toMatchObject([{ text: expect.stringContaining('max_connections') }]);
    expect(await told(20)).toMatchObject([{ text: expect.stringContaining('max_user_connections') }]);
  });

  it('may differ by key', async () => {
    await watch.sql('create or replace database tenant_a');
    await watch.sql('create or replace database tenant_b');
    await using pool = new KeyedPool(
      keyedMysqlPool({
        ...watch.config,
        password: SECRET,
        maxTotal: 4,
        max: 2,
        connection: (tenant: string) => ({ database: `tenant_${tenant}` }),
      }),
    );
    for (const tenant of ['a', 'b', 'a']) {
      await pool.use(tenant, async connection => {
        expect((await connection.query('select database() as d'))[0]).toEqual([{ d: `tenant_${tenant}` }]);
        await connection.query('use mysql');
      });
    }
    expect(pool.stats().totals.created).toBe(2);
    expect(() => keyedMysqlPool({ maxTotal: 1, connection: 'x' as never })).toThrow(PoolOptionsError);
  });
});
