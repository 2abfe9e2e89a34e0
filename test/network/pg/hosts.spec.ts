import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { KeyedPool, Pool, PoolOptionsError, PoolUnavailableError } from '../../../src/engine/index.js';
import {
  HostsError,
  keyedPgPool,
  pgPool,
  type PgPoolOptions,
  type TargetSessionAttrs,
} from '../../../src/resources/pg.js';
import { failureOf } from '../../support/follow.js';
import { MuteServer } from '../../support/postgres.js';

let primary: LocalPostgres;
let standby: LocalPostgres;
let readOnly: LocalPostgres;
/** Nobody listens there. */
let closed: string;

beforeAll(async () => {
  primary = await startPostgres();
  standby = await startPostgres({ standbyOf: primary });
  readOnly = await startPostgres({ settings: { default_transaction_read_only: 'on' } });
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  closed = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  listener.close();
});
afterAll(async () => {
  for (const server of [standby, primary, readOnly]) await server.close();
});

const at = ({ port }: LocalPostgres): string => `127.0.0.1:${port}`;
const over = (hosts: readonly string[], options: PgPoolOptions = {}): Pool<Client> =>
  new Pool(
    pgPool({ hosts, user: 'postgres', database: 'postgres', unavailableAfter: 1, max: 1, ...options }),
  );

/** The port of the server, and so which it is. */
async function portOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ port: number }>('select inet_server_port() as port');
  return rows[0]!.port;
}

describe('several hosts', () => {
  const names = { primary: () => primary, standby: () => standby, 'read-only': () => readOnly };
  it.each<[TargetSessionAttrs | undefined, (keyof typeof names)[], keyof typeof names]>([
    [undefined, ['standby', 'primary'], 'standby'],
    ['any', ['standby', 'primary'], 'standby'],
    ['primary', ['standby', 'primary'], 'primary'],
    ['primary', ['standby', 'read-only', 'primary'], 'read-only'],
    ['standby', ['primary', 'standby'], 'standby'],
    ['read-write', ['standby', 'read-only', 'primary'], 'primary'],
    ['read-only', ['primary', 'read-only', 'standby'], 'read-only'],
    ['read-only', ['primary', 'standby', 'read-only'], 'standby'],
    ['prefer-standby', ['primary', 'standby'], 'standby'],
    ['prefer-standby', ['primary', 'read-only'], 'primary'],
  ])('with %s, of %j, give the first that fits: %s', async (targetSessionAttrs, listed, expected) => {
    await using pool = over(
      listed.map(name => at(names[name]())),
      targetSessionAttrs === undefined ? {} : { targetSessionAttrs },
    );
    expect(await pool.use(portOf)).toBe(names[expected]().port);
  });

  it('are tried in turn, also when one refuses, or says nothing', async () => {
    await using mute = await MuteServer.listen();
    await using pool = over([closed, `127.0.0.1:${mute.port}`, at(primary)], {
      connectionTimeoutMillis: 2_000,
    });
    expect(await pool.use(portOf)).toBe(primary.port);
    expect(pool.stats().totals).toMatchObject({ created: 1, createFailed: 0 });
    expect(mute.sockets).toHaveLength(1);
  });

  it('share the time of a create, so that one that says nothing does not take all of it', async () => {
    await using mute = await MuteServer.listen();
    await using pool = over([`127.0.0.1:${mute.port}`, at(primary)], { createTimeout: 4_000 });
    expect(await pool.use(portOf)).toBe(primary.port);
    expect(pool.stats().totals).toMatchObject({ created: 1, createFailed: 0 });
  });

  it('that all fail are told one by one', async () => {
    await using mute = await MuteServer.listen();
    const hosts = [closed, `127.0.0.1:${mute.port}`, at(standby), at(readOnly)];
    await using pool = over(hosts, { connectionTimeoutMillis: 2_000, targetSessionAttrs: 'read-write' });
    const error = await failureOf(pool.acquire());
    expect(error).toBeInstanceOf(PoolUnavailableError);
    const { cause } = error as { cause: HostsError };
    expect(cause).toBeInstanceOf(HostsError);
    expect(cause.hopeless).toBe(false);
    expect(cause.errors).toHaveLength(4);
    expect(cause.message.replace('Error: ', '')).toBe(
      `None of the hosts could be used. ${closed}: connect ECONNREFUSED ${closed}; 127.0.0.1:${mute.port}: timeout expired; ` +
        `${at(standby)}: it is a standby, but the pool wants: read-write; ` +
        `${at(readOnly)}: it is a primary that is read-only, but the pool wants: read-write`,
    );
  });

  it('are not all told a wrong password: the first that refuses the login is the last that is tried', async () => {
    await using pool = over([closed, at(standby), at(primary)], {
      database: 'nowhere',
      unavailableAfter: 99,
    });
    const error = await failureOf(pool.acquire());
    expect(error).toMatchObject({ cause: { hopeless: true } });
    expect((error as { cause: HostsError }).cause.errors).toHaveLength(2);
    expect(pool.stats().totals.createFailed).toBe(1);
  });

  it('are tried in any order with loadBalanceHosts', async () => {
    await using pool = over([at(primary), at(standby)], { loadBalanceHosts: true, maxUses: 1 });
    const seen = new Set<number>();
    for (let i = 0; i < 60 && seen.size < 2; i++) seen.add(await pool.use(portOf));
    expect(seen).toEqual(new Set([primary.port, standby.port]));
  });

  it('can be given up while one of them says nothing', async () => {
    await using mute = await MuteServer.listen();
    const { factory } = pgPool({ hosts: [`127.0.0.1:${mute.port}`, at(primary)], user: 'postgres' });
    const abort = new AbortController();
    const created = failureOf(
      Promise.resolve(factory.create({ slot: 1, signal: abort.signal, invalidate: () => {} })),
    );
    await mute.accepted();
    const reason = new Error('changed my mind');
    abort.abort(reason);
    expect(await created).toBe(reason);
  });

  it('are found in a connection string', async () => {
    const base = `postgres://postgres@${closed},${at(standby)},${at(primary)}/postgres`;
    for (const [query, expected] of [
      ['', standby],
      ['?target_session_attrs=read-write', primary],
      ['?target_session_attrs=prefer-standby&load_balance_hosts=random', standby],
    ] as const) {
      await using pool = new Pool(pgPool({ connectionString: base + query, max: 1 }));
      expect(await pool.use(portOf)).toBe(expected.port);
    }
  });

  it('go with a connection string that names none', async () => {
    await using pool = new Pool(
      pgPool({ connectionString: 'postgres://postgres@/postgres', hosts: [closed, at(primary)], max: 1 }),
    );
    expect(await pool.use(portOf)).toBe(primary.port);
  });

  it('may be only one, which has to fit all the same', async () => {
    await using pool = new Pool(
      pgPool({ connectionString: `${standby.url}?target_session_attrs=primary`, unavailableAfter: 1 }),
    );
    expect(await failureOf(pool.acquire())).toMatchObject({
      cause: { message: 'it is a standby, but the pool wants: primary' },
    });
  });

  it('may differ by the key of a keyed pool', async () => {
    const connection = (key: string) => ({ targetSessionAttrs: key as TargetSessionAttrs });
    await using pool = new KeyedPool(
      keyedPgPool({ hosts: [at(primary), at(standby)], user: 'postgres', maxTotal: 2, connection }),
    );
    expect(await pool.use('primary', portOf)).toBe(primary.port);
    expect(await pool.use('standby', portOf)).toBe(standby.port);
    await expect(pool.use('secondary', portOf)).rejects.toThrow(/option "targetSessionAttrs" is a string/);
  });

  it('cancel where the query runs', async () => {
    await using pool = over([at(standby), at(primary)], { targetSessionAttrs: 'primary' });
    const lease = await pool.acquire();
    const query = failureOf(lease.resource.query('select pg_sleep(3600)'));
    lease.release();
    expect(await query).toMatchObject({ code: '57014' });
    expect(await pool.use(portOf)).toBe(primary.port);
  });

  it.each<[PgPoolOptions, string]>([
    [{ hosts: [] }, `option "hosts" is an array; it must be an array of 'host' or 'host:port'`],
    [{ hosts: ['a:0'] }, 'option "hosts"'],
    [{ hosts: ['a:70000'] }, 'option "hosts"'],
    [{ hosts: ['a,b'] }, 'option "hosts"'],
    [{ hosts: ['[a]:1'] }, 'option "hosts"'],
    [{ hosts: ['secret@a'] }, 'option "hosts"'],
    [{ hosts: 'a' as never }, 'option "hosts" is a string'],
    [{ hosts: ['a'], host: 'b' }, 'both "hosts" and "host" are given'],
    [{ hosts: ['a'], connectionString: 'postgres://u:secret@b/c' }, 'the "connectionString" name hosts'],
    [{ hosts: ['a'], connectionString: '/var/run secret' }, 'a "connectionString" that is no URL'],
    [{ connectionString: 'postgres://u:secret@a:1,b:x/c' }, 'one of the hosts in "connectionString"'],
    [{ targetSessionAttrs: 'master' as never }, `it must be 'any', 'primary', 'standby'`],
    [{ connectionString: 'postgres://a/c?target_session_attrs=master' }, 'option "targetSessionAttrs"'],
    [
      { loadBalanceHosts: 'random' as never },
      'option "loadBalanceHosts" is a string; it must be true or false',
    ],
    [{ connectionString: 'postgres://a/c?load_balance_hosts=maybe' }, 'option "loadBalanceHosts"'],
  ])('that are no hosts are refused at once: %j', (options, message) => {
    const make = (): unknown => pgPool({ name: 'orders', ...options });
    expect(make).toThrow(PoolOptionsError);
    expect(make).toThrow(message);
    expect(make).not.toThrow('secret');
  });
});
