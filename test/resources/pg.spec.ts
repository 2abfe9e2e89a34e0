import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import {
  LeaseReleasedError,
  Pool,
  PoolOptionsError,
  PoolUnavailableError,
  type PoolOptions,
} from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { MuteServer, PostgresWatch, launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

let server: LocalPostgres;
let watch: PostgresWatch;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
});
afterEach(() => watch[Symbol.asyncDispose]());

const keepAliveOf = async (options: object): Promise<unknown> => {
  await using pool = new Pool(pgPool({ ...watch.config, ...options }));
  return await pool.use(client => (client.connection as unknown as { _keepAlive: unknown })._keepAlive);
};

/** Puts something in the place of a member, until the end of the block. */
function replacing<T extends object>(owner: T, member: keyof T, substitute: unknown): Disposable {
  const original = owner[member];
  Object.assign(owner, { [member]: substitute });
  return { [Symbol.dispose]: () => void (owner[member] = original) };
}

describe('the options of pgPool', () => {
  it('are those of a pool and those of a Client, side by side', async () => {
    await using pool = new Pool(pgPool({ name: 'orders', max: 3, ...watch.config, user: undefined }));
    const { rows } = await pool.use(client => client.query('show application_name'));
    expect(rows).toEqual([{ application_name: watch.application }]);
    expect(pool.stats()).toMatchObject({ name: 'orders', max: 3 });
  });

  it('have no name when none was given', () => {
    expect(pgPool({ host: 'localhost' })).not.toHaveProperty('name');
    expectTypeOf(pgPool({ host: 'localhost' })).toExtend<PoolOptions<Client>>();
    expectTypeOf(pgPool({ name: 'orders' }).name).toEqualTypeOf<'orders'>();
  });

  it.each([
    [{ idleTimeoutMillis: 1_000 }, 'did you mean "idleTimeout"'],
    [{ connectionStrin: '' }, 'unknown option "connectionStrin"'],
    [{ max: 0 }, 'option "max" is 0'],
    [{ create: () => 1 }, 'option "create"'],
  ])('are refused by the pool when neither knows them: %j', (options, message) => {
    const make = (): unknown => new Pool(pgPool(options as object));
    expect(make).toThrow(PoolOptionsError);
    expect(make).toThrow(message);
  });

  it('are refused at once when sessionReset is wrong', () => {
    expect(() => pgPool({ name: 'orders', sessionReset: 'sometimes' as never })).toThrow(
      `Pool "orders": option "sessionReset" is a string; it must be 'auto', 'always' or 'never'.`,
    );
  });

  it('turn TCP keep-alive on unless they say otherwise', async () => {
    expect(await keepAliveOf({})).toBe(true);
    expect(await keepAliveOf({ tcpKeepAlive: undefined })).toBe(true);
    expect(await keepAliveOf({ tcpKeepAlive: false })).toBe(false);
  });

  it('do not show the password when they are logged', () => {
    const options = pgPool({ password: 's3cret', connectionString: 'postgres://a:s3cret@b/c' });
    expect(inspect(options, { depth: 9, showHidden: true }) + JSON.stringify(options)).not.toContain(
      's3cret',
    );
  });
});

describe('connecting', () => {
  it('that is hopeless makes the pool unavailable at once, and keeps the password to itself', async () => {
    const { port } = server;
    for (const options of [
      { connectionString: `postgres://nobody:s3cret@127.0.0.1:${port}/postgres` },
      { connectionString: `postgres://postgres:s3cret@127.0.0.1:${port}/nowhere` },
      { connectionString: 'postgres://postgres:s3cret@[/nowhere' },
      { user: 'postgres', password: 's3cret', host: '127.0.0.1', port: 99_999 },
    ]) {
      await using pool = new Pool(pgPool({ unavailableAfter: 99, ...options }));
      const error = await failureOf(pool.acquire());
      expect(error).toBeInstanceOf(PoolUnavailableError);
      expect((error as Error).cause).toHaveProperty('message');
      expect(pool.stats().totals.createFailed).toBe(1);
      expect(inspect(error, { depth: 9 })).not.toContain('s3cret');
    }
  });

  it('with a malformed URL fails without quoting it, as older versions of pg do', async () => {
    const quoting = Object.assign(new TypeError('Invalid URL'), { input: 'postgres://a:s3cret@[/b' });
    using _older = replacing(pg, 'Client', function () {
      throw quoting;
    });
    await using pool = new Pool(pgPool({ unavailableAfter: 1 }));
    const error = await failureOf(pool.acquire());
    expect((error as Error).cause).toBe(quoting);
    expect(inspect(error, { depth: 9 })).not.toContain('s3cret');
  });

  it('that is refused is tried again', async () => {
    const mute = await MuteServer.listen();
    const { port } = mute;
    await mute[Symbol.asyncDispose]();
    await using pool = new Pool(
      pgPool({ host: '127.0.0.1', port, user: 'a', password: 's3cret', unavailableAfter: 2 }),
    );
    const error = await failureOf(pool.acquire());
    expect(error).toBeInstanceOf(PoolUnavailableError);
    expect(pool.stats().totals.createFailed).toBe(2);
    expect(inspect(error, { depth: 9 })).not.toContain('s3cret');
  });

  it.each([
    ['before the server has said anything', undefined, {}],
    ['in the middle of the TLS handshake', 'S', { ssl: true }],
    // AuthenticationCleartextPassword
    [
      'while the password is being fetched',
      'R\0\0\0\x08\0\0\0\x03',
      { password: () => new Promise<string>(() => {}) },
    ],
  ])('can be aborted %s', async (_when, greeting, options) => {
    await using mute = await MuteServer.listen(greeting);
    const abort = new AbortController();
    const { factory } = pgPool({ host: '127.0.0.1', port: mute.port, user: 'a', ...options });
    const created = failureOf(
      Promise.resolve(factory.create({ slot: 1, signal: abort.signal, invalidate: () => {} })),
    );
    const socket = await mute.accepted();
    if (greeting) await until(() => socket.bytesWritten > 0 && socket.bytesRead > 8, Boolean);
    const reason = new Error('changed my mind');
    abort.abort(reason);

    expect(await created).toBe(reason);
    await until(() => socket.closed, Boolean);
  });

  it('can be aborted before it has begun, and at its very end', async () => {
    const { factory } = pgPool(watch.config);
    const reason = new Error('changed my mind');
    const before = factory.create({ slot: 1, signal: AbortSignal.abort(reason), invalidate: () => {} });
    await expect(before).rejects.toBe(reason);

    const abort = new AbortController();
    const { connect } = pg.Client.prototype as { connect(): Promise<Client> };
    // Between the moment when pg is connected and the moment when its promise tells.
    using _aborting = replacing(pg.Client.prototype, 'connect', function (this: Client) {
      return connect.call(this).finally(() => {
        abort.abort(reason);
      });
    });
    const late = factory.create({ slot: 1, signal: abort.signal, invalidate: () => {} });
    await expect(late).rejects.toBe(reason);
    await watch.untilBackends(0);
  });

  it('that outlasts createTimeout leaves nothing open', async () => {
    await using mute = await MuteServer.listen();
    const pool = new Pool(pgPool({ host: '127.0.0.1', port: mute.port, user: 'a', createTimeout: 20 }));
    const acquired = failureOf(pool.acquire({ timeout: 5_000 }));
    const socket = await mute.accepted();
    await until(() => socket.closed, Boolean);
    await pool.close();
    expect(await acquired).toBeInstanceOf(Error);
    await until(() => mute.sockets.every(each => each.closed), Boolean);
  });
});

describe('ending', () => {
  it('has ended the backends when it is done', async () => {
    const pool = new Pool(pgPool({ ...watch.config, min: 5, max: 5 }));
    await pool.start();
    expect(await watch.backends()).toHaveLength(5);

    await pool.close();

    expect(await watch.backends()).toEqual([]);
  });

  it('cancels what is still running, so that the backend is gone all the same', async () => {
    const pool = new Pool(pgPool({ ...watch.config, max: 1 }));
    const { resource: client } = await pool.acquire();
    const queries = [client.query('select pg_sleep(3600)'), client.query('select 1')].map(failureOf);
    await watch.untilRunning('pg_sleep');

    await pool.close({ timeout: 0 });

    expect(await watch.backends()).toEqual([]);
    expect(pool.stats().abandoned).toBe(0);
    expect(await Promise.all(queries)).toEqual([
      expect.objectContaining({ code: '57014' }),
      expect.objectContaining({ message: expect.stringContaining('the pool has taken this resource away') }),
    ]);
    await expect(client.query('select 2')).rejects.toThrow(LeaseReleasedError);
  });

  it('never leaves the server with more than max', async () => {
    const pool = new Pool(pgPool({ ...watch.config, max: 3, maxUses: 2, validateAfterIdle: 0 }));
    let most = 0;
    const work = new AbortController();
    const looking = (async () => {
      while (!work.signal.aborted) most = Math.max(most, (await watch.backends()).length);
    })();
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        pool
          .acquire()
          .then(lease =>
            lease.resource
              .query('select pg_sleep(0.001)')
              .then(() => (n % 5 ? lease.release() : lease.destroy())),
          ),
      ),
    );
    work.abort();
    await looking;
    // A create that close() aborts ends without a farewell, and the server takes a moment to notice.
    await until(
      () => pool.stats().creating,
      creating => creating === 0,
    );
    await pool.close();

    expect(most).toBe(3);
    expect(pool.stats().totals.created).toBeGreaterThan(20);
    expect(await watch.backends()).toEqual([]);
  });
});
