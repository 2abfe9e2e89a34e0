import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { Pool, PoolClosedError, PoolOptionsError, type LeakEvent } from '../../src/engine/index.js';
import { listen, pgPool, type PgNotification, type PgPoolOptions } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let server: LocalPostgres;
let watch: PostgresWatch;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  await server.start();
  watch = await PostgresWatch.open(server);
});
afterEach(() => watch[Symbol.asyncDispose]());

const one = (options: PgPoolOptions = {}): Pool<Client> =>
  new Pool(pgPool({ name: 'orders', ...watch.config, max: 1, ...options }));
const notify = (channel: string, payload: string): Promise<unknown> =>
  watch.sql('select pg_notify($1, $2)', [channel, payload]);
const untilHas = (heard: readonly unknown[], count: number): Promise<unknown> =>
  until(
    () => heard.length,
    length => length === count,
  );

describe('a subscription', () => {
  it('hears its channels, whatever they are called, and no other', async () => {
    await using pool = one();
    const heard: PgNotification[] = [];
    const names = ['Orders', 'a "quoted" one', `semi;drop table x;--`, 'größe'];
    await using subscription = await listen(pool, [...names, 'Orders'], each => heard.push(each));
    expect(subscription.listening).toBe(true);
    for (const name of names) await notify(name, `to ${name}`);
    await notify('orders', 'not to us');
    await watch.sql('notify "Orders"');
    await untilHas(heard, 5);
    expect(heard.map(({ channel, payload }) => [channel, payload])).toEqual([
      ...names.map(name => [name, `to ${name}`]),
      ['Orders', ''],
    ]);
    expect(heard[0]!.processId).toBeGreaterThan(0);
  });

  it('is no lease: the pool has room for another, and reports no leak', async () => {
    const leaks: LeakEvent[] = [];
    await using pool = one({
      maxHold: 30,
      leakThreshold: 30,
      maxHoldAction: 'destroy',
      listeners: [{ onLeak: event => leaks.push(event) }],
    });
    const heard: unknown[] = [];
    await using _subscription = await listen(pool, 'news', ({ payload }) => heard.push(payload));
    await pool.use(client => client.query('select pg_sleep(0.08)')).catch(() => undefined);
    await until(
      () => leaks.length,
      count => count > 0,
    );
    // Those of that query, which was held for too long.
    expect(new Set(leaks.map(({ slot }) => slot)).size).toBe(1);
    expect(pool.stats()).toMatchObject({ leased: 0 });
    await notify('news', 'still here');
    await untilHas(heard, 1);
  });

  it('that loses its connection gets another, and says so', async () => {
    await using pool = one({ createBackoff: { initial: 1, max: 1 } });
    const told: string[] = [];
    await using subscription = await listen(pool, 'news', ({ payload }) => told.push(payload), {
      onLost: cause => told.push(`lost: ${(cause as Error).message}`),
      onRestored: () => told.push('restored'),
    });
    await notify('news', 'first');
    await untilHas(told, 1);
    const [{ pid } = { pid: 0 }] = await watch.backends();
    await watch.terminate(pid);
    await untilHas(told, 3);
    await notify('news', 'second');
    await untilHas(told, 4);
    expect(told).toEqual([
      'first',
      'lost: terminating connection due to administrator command',
      'restored',
      'second',
    ]);
    expect(subscription.listening).toBe(true);
    expect(await watch.backends()).toHaveLength(1);
  });

  it('waits for a server that restarts', async () => {
    await using pool = one({ createBackoff: { initial: 1, max: 10 } });
    const told: string[] = [];
    await using subscription = await listen(pool, 'news', ({ payload }) => told.push(payload), {
      onRestored: () => told.push('restored'),
    });
    await server.stop();
    await until(
      () => subscription.listening,
      listening => !listening,
    );
    await server.start();
    await untilHas(told, 1);
    await using again = await PostgresWatch.open(server);
    await again.sql(`notify news, 'back'`);
    await untilHas(told, 2);
    expect(told).toEqual(['restored', 'back']);
  });

  it('notices a server that has vanished without a word', async () => {
    await using proxy = await TcpProxy.before(server.port);
    await using pool = one({
      connectionString: server.url.replace(String(server.port), String(proxy.port)),
      createBackoff: { initial: 1, max: 1 },
    });
    const told: string[] = [];
    await using _subscription = await listen(pool, 'news', ({ payload }) => told.push(payload), {
      checkEvery: 1_000,
      onLost: () => told.push('lost'),
      onRestored: () => told.push('restored'),
    });
    proxy.blackhole('old');
    await untilHas(told, 2);
    await notify('news', 'here');
    await untilHas(told, 3);
    expect(told).toEqual(['lost', 'restored', 'here']);
  });

  it('takes a long time between two questions for what it is', async () => {
    await using pool = one();
    const timers = jest.spyOn(globalThis, 'setTimeout');
    try {
      await using _subscription = await listen(pool, 'news', () => undefined, { checkEvery: 1e10 });
      // Node.js takes what it cannot count to for a millisecond.
      expect(timers.mock.calls.map(([, ms]) => ms)).toContain(2 ** 31 - 1);
    } finally {
      timers.mockRestore();
    }
  });

  it.each(['close', 'signal', 'pool'])('ends with its connection: by %s', async how => {
    await using pool = one();
    const abort = new AbortController();
    const heard: unknown[] = [];
    const subscription = await listen(pool, 'news', each => heard.push(each), {
      signal: abort.signal,
      onLost: () => heard.push('lost'),
    });
    await watch.untilBackends(1);
    if (how === 'close') await subscription.close();
    else if (how === 'signal') abort.abort();
    else await pool.close();
    await watch.untilBackends(0);
    expect(subscription.listening).toBe(false);
    expect(heard).toEqual([]);
  });

  it('ends while it tries to get another connection', async () => {
    await using pool = one({ createBackoff: { initial: 1, max: 1 } });
    const subscription = await listen(pool, 'news', () => undefined);
    await server.stop();
    await until(
      () => subscription.listening,
      listening => !listening,
    );
    await subscription.close();
    // With what it may have begun to make for the subscription.
    await pool.close();
    await server.start();
    await using again = await PostgresWatch.open(server);
    const [row] = await again.sql<{ n: number }>(
      'select count(*)::int as n from pg_stat_activity where application_name = $1',
      [watch.application],
    );
    expect(row).toEqual({ n: 0 });
  });

  it('that cannot begin fails, and leaves nothing', async () => {
    const closed = one();
    await closed.close();
    expect(await failureOf(listen(closed, 'news', () => undefined))).toBeInstanceOf(PoolClosedError);

    await using pool = one();
    const reason = new Error('changed my mind');
    const signal = AbortSignal.abort(reason);
    expect(await failureOf(listen(pool, 'news', () => undefined, { signal }))).toBe(reason);
    using _held = await pool.acquire();
    const abort = new AbortController();
    const waiting = failureOf(listen(pool, 'news', () => undefined, { signal: abort.signal }));
    abort.abort(reason);
    expect(await waiting).toBe(reason);
  });

  it.each([
    ['throws', () => Promise.resolve().then(() => Promise.reject(new Error('no paper')))],
    [
      'rejects',
      () => {
        throw new Error('no paper');
      },
    ],
  ])('goes on when its handler %s, and that is told once', async (_how, fail) => {
    const warned = jest.spyOn(process, 'emitWarning').mockReturnValue();
    await using pool = one();
    let calls = 0;
    await using _subscription = await listen(pool, 'news', () => {
      calls++;
      return fail();
    });
    await notify('news', '1');
    await notify('news', '2');
    await until(
      () => calls,
      count => count === 2,
    );
    await until(
      () => warned.mock.calls.length,
      count => count === 1,
    );
    expect(warned.mock.calls[0]![0]).toContain(
      'A callback of listen() on pool "orders" has failed: no paper',
    );
    warned.mockRestore();
  });

  it.each([
    [[], {}, 'option "channels" is an array'],
    ['', {}, 'option "channels"'],
    ['x'.repeat(64), {}, 'names of channels, of 1 to 63 bytes'],
    ['ü'.repeat(32), {}, 'option "channels"'],
    ['a\0b', {}, 'option "channels"'],
    ['news', { checkEvery: 0 }, 'option "checkEvery" is 0'],
    ['news', { onLost: 1 }, 'option "onLost"'],
    ['news', { signal: {} }, 'option "signal"'],
  ])('is refused what it must not be: %j, %j', async (channels, options, message) => {
    await using pool = one();
    const error = await failureOf(listen(pool, channels, () => undefined, options as never));
    expect(error).toBeInstanceOf(PoolOptionsError);
    expect(error).toMatchObject({ message: expect.stringContaining(message) });
  });
});
