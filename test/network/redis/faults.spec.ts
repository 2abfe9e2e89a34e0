import { once, type EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PoolTimeoutError, PoolUnavailableError, type Pool } from '../../../src/engine/index.js';
import { failureOf, follow } from '../../support/follow.js';
import { LocalRedis, describeWithRedis } from '../../support/redis.js';
import { REDIS_SUBJECTS, type RedisConfig } from '../../support/redis-subjects.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

let server: LocalRedis;
let proxy: TcpProxy;

/** Milliseconds; less than the timers of the libraries take. */
const SOON = 1_000;

/** What keeps this process, of the kinds that connections are made of. */
function held(): string[] {
  return process.getActiveResourcesInfo().filter(kind => /TCP|TLS|Timeout|Pipe/.test(kind));
}

describeWithRedis()('redis, when something fails,', () => {
  beforeAll(async () => {
    server = await LocalRedis.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    proxy = await TcpProxy.before(server.port);
  });
  afterEach(() => proxy[Symbol.asyncDispose]());

  describe.each(REDIS_SUBJECTS)('with $library:', subject => {
    let pool: Pool<EventEmitter> | undefined;
    const open = (config: Partial<RedisConfig> = {}): Pool<EventEmitter> =>
      (pool = subject.pool({
        ...{ host: '127.0.0.1', port: proxy.port, max: 1, createBackoff: { initial: 10, max: 50 } },
        ...config,
      }));
    const ask = (client: EventEmitter): Promise<unknown> => subject.get(client, 'x');

    afterEach(async () => {
      await pool?.close({ timeout: 0 });
      await until(
        () => pool?.stats(),
        stats => stats?.total === 0 && stats.abandoned === 0,
      );
      pool = undefined;
      await server.untilClients(0);
      await until(
        () => proxy.open,
        count => count === 0,
      );
    });

    describe('a server that is not there', () => {
      it('is a failed create with its cause, tried again, and served when it is back', async () => {
        proxy.refuse();
        open({ unavailableAfter: 2 });
        const error = await failureOf(pool!.acquire());
        expect(error).toBeInstanceOf(PoolUnavailableError);
        expect(error).toMatchObject({ cause: { code: 'ECONNREFUSED' } });
        expect(pool!.stats().totals.createFailed).toBe(2);
        await proxy.reopen();
        await until(
          () => pool!.use(ask).catch((failure: unknown) => failure),
          seen => seen === null,
        );
      });

      it('leaves nothing in this process', async () => {
        await server.call('PING');
        const before = held();
        proxy.refuse();
        open({ unavailableAfter: 1 });
        await failureOf(pool!.acquire());
        await pool!.close();
        await until(held, now => now.length <= before.length, SOON);
        await proxy.reopen();
      });
    });

    describe('a handshake that nobody answers', () => {
      it('is given up at createTimeout, and its socket is closed', async () => {
        proxy.blackhole('new');
        open({ createTimeout: 100, unavailableAfter: 1 });
        expect(await failureOf(pool!.acquire())).toMatchObject({
          cause: { message: expect.stringContaining('did not settle within 100 ms') },
        });
        // A process that was stopped for so long has not got as far.
        expect(proxy.attempts).toBeLessThanOrEqual(1);
        await until(
          () => proxy.open,
          count => count === 0,
        );
        proxy.restore();
        await until(
          () => pool!.use(ask).catch((failure: unknown) => failure),
          seen => seen === null,
        );
      });

      it('is ended by close()', async () => {
        await server.call('PING');
        const before = held();
        proxy.blackhole('new');
        open();
        const waiting = failureOf(pool!.acquire());
        if (proxy.attempts === 0) await once(proxy, 'held');
        await pool!.close({ timeout: 0 });
        expect(await waiting).toMatchObject({ code: 'POOL_CLOSED' });
        await until(
          () => proxy.open,
          count => count === 0,
        );
        await until(held, now => now.length <= before.length, SOON);
      });

      it('is ended by close() before the connection is there, too', async () => {
        open();
        const waiting = failureOf(pool!.acquire());
        await pool!.close({ timeout: 0 });
        expect(await waiting).toMatchObject({ code: 'POOL_CLOSED' });
      });
    });

    describe('a server that does not serve', () => {
      it('as it is loading its data is a failed create that says so', async () => {
        const dir = await mkdtemp(join(tmpdir(), 'redis-'));
        const slow = [
          '--dir',
          dir,
          '--key-load-delay',
          '20000',
          '--loading-process-events-interval-bytes',
          '1024',
        ];
        const first = await LocalRedis.start(undefined, ['--dir', dir]);
        await first.call('DEBUG', 'POPULATE', '1000');
        await first.call('SAVE');
        await first.stop();
        await using loading = await LocalRedis.start(undefined, slow, /Server initialized/);
        open({ ...loading.address, unavailableAfter: 1, createTimeout: 5_000 });
        expect(await failureOf(pool!.acquire())).toMatchObject({
          code: 'POOL_UNAVAILABLE',
          cause: { message: expect.stringContaining('LOADING') },
        });
        // Time cures it.
        expect(pool!.stats().state).toBe('unavailable');
        await pool!.close({ timeout: 0 });
        await rm(dir, { recursive: true });
      });

      it('as it has lost its master is a failed create that says so', async () => {
        const lost = ['--replicaof', '127.0.0.1 1', '--replica-serve-stale-data', 'no'];
        await using replica = await LocalRedis.start(undefined, lost);
        open({ ...replica.address, unavailableAfter: 1 });
        expect(await failureOf(pool!.acquire())).toMatchObject({
          cause: { message: expect.stringContaining('MASTERDOWN') },
        });
      });

      it('has its connections replaced when it has become a replica, whoever saw that', async () => {
        await using primary = await LocalRedis.start();
        open({ ...primary.address });
        const idOf = (client: EventEmitter): Promise<unknown> => subject.call(client, 'CLIENT', 'ID');
        const first = await pool!.use(idOf);
        const wrong = pool!.use(async client => {
          await subject.call(client, 'SET', 'text', 'x');
          await subject.call(client, 'INCR', 'text');
        });
        expect(await failureOf(wrong)).toMatchObject({ message: expect.stringContaining('ERR') });
        const type = pool!.use(client => subject.call(client, 'LPUSH', 'text', 'x'));
        expect(await failureOf(type)).toMatchObject({ message: expect.stringContaining('WRONGTYPE') });
        expect(await pool!.use(idOf)).toBe(first);

        await primary.call('REPLICAOF', '127.0.0.1', '1');
        const write = pool!.use(client => subject.call(client, 'SET', 'text', 'y'));
        expect(await failureOf(write)).toMatchObject({ message: expect.stringContaining('READONLY') });
        expect(await pool!.use(idOf)).not.toBe(first);
        expect(pool!.stats().totals.destroyedBy).toEqual({ fatal: 1 });
        // By those, too, who keep it to themselves.
        await pool!.use(client => failureOf(subject.transaction(client, 'text', 'y')()));
        await pool!.use(idOf);
        expect(pool!.stats().totals.destroyed).toBe(2);
      });

      it('any more, since it is full, is a failed create that says so', async () => {
        await using full = await LocalRedis.start(undefined, ['--maxclients', '1']);
        await full.call('PING');
        open({ ...full.address, unavailableAfter: 1 });
        const { cause } = (await failureOf(pool!.acquire())) as Error;
        expect((cause as Error).message).toMatch(/max number of clients reached|closed|ECONNRESET|EPIPE/i);
      });
    });

    describe('a connection that the server ends', () => {
      it('while idle is replaced', async () => {
        open();
        await pool!.use(ask);
        await server.kill((await server.client()).id);
        await until(
          () => pool!.stats().idle,
          idle => idle === 0,
        );
        expect(await pool!.use(ask)).toBeNull();
        expect(pool!.stats().totals.destroyedBy).toEqual({ invalid: 1 });
      });

      it('while leased aborts the signal of the lease, and the command under way fails', async () => {
        open();
        const lease = await pool!.acquire();
        const pop = follow(subject.blPop(lease.resource, 'jobs', 0));
        await server.untilFlags('b');
        const aborted = new Promise(resolve => lease.signal.addEventListener('abort', resolve));
        await server.kill((await server.client()).id);
        await aborted;
        expect(lease.signal.reason).toMatchObject({ code: 'POOL_RESOURCE_INVALIDATED' });
        await until(
          () => pop.state,
          state => state === 'rejected',
        );
        expect(await failureOf(ask(lease.resource))).toBeInstanceOf(Error);
        lease.release();
        expect(await pool!.use(ask)).toBeNull();
      });

      it('together with all others, by a restart, is served again by the restarted one', async () => {
        await using other = await LocalRedis.start();
        open({ ...other.address, min: 3, max: 3, unavailableAfter: 2 });
        await pool!.start();
        await other.stop();
        await until(
          () => pool!.stats().idle,
          idle => idle === 0,
        );
        expect(await failureOf(pool!.acquire())).toMatchObject({
          code: 'POOL_UNAVAILABLE',
          cause: { code: 'ECONNREFUSED' },
        });
        await other.start();
        await until(
          () => pool!.stats().idle,
          idle => idle === 3,
        );
        expect(await pool!.use(ask)).toBeNull();
        await pool!.close();
      });
    });

    describe('a connection that falls silent', () => {
      it('is validated away, and its socket is closed', async () => {
        open({ validateAfterIdle: 0, validateTimeout: 50, destroyTimeout: 1_000 });
        const id = await pool!.use(client => subject.call(client, 'CLIENT', 'ID'));
        proxy.blackhole('old');
        expect(await pool!.use(client => subject.call(client, 'CLIENT', 'ID'))).not.toBe(id);
        expect(pool!.stats()).toMatchObject({ abandoned: 0, totals: { destroyedBy: { invalid: 1 } } });
        expect(proxy.open).toBeLessThanOrEqual(2);
        proxy.restore();
      });

      it('does not keep close() waiting, whatever it was doing', async () => {
        open({ max: 2, min: 2, destroyTimeout: 1_000 });
        await pool!.start();
        const lease = await pool!.acquire();
        proxy.blackhole('all');
        const stuck = failureOf(ask(lease.resource));
        await pool!.close({ timeout: 0 });
        expect(pool!.stats()).toMatchObject({ abandoned: 0, totals: { destroyed: 2 } });
        expect(await stuck).toBeInstanceOf(Error);
        proxy.restore();
      });
    });

    describe('closing', () => {
      it('ends a blocking command, here and at the server', async () => {
        await server.call('PING');
        const before = held();
        open();
        const lease = await pool!.acquire();
        const pop = failureOf(subject.blPop(lease.resource, 'jobs', 0));
        await server.untilFlags('b');
        await pool!.close({ timeout: 0 });
        expect(await pop).toBeInstanceOf(Error);
        await server.untilClients(0);
        await until(held, now => now.length <= before.length, SOON);
      });

      it('leaves nothing behind of connections that were subscribed, watched and idle', async () => {
        await server.call('PING');
        const before = held();
        open({ max: 3 });
        const [one, two, three] = await Promise.all([pool!.acquire(), pool!.acquire(), pool!.acquire()]);
        await subject.subscribe(one.resource, 'news', () => undefined);
        await subject.watch(two.resource, 'key');
        three.release();
        await pool!.close({ timeout: 0 });
        await server.untilClients(0);
        await until(held, now => now.length <= before.length, SOON);
      });
    });

    it('acquireTimeout ends waiting for what others hold', async () => {
      open();
      const lease = await pool!.acquire();
      expect(await failureOf(pool!.acquire({ timeout: 20 }))).toBeInstanceOf(PoolTimeoutError);
      lease.release();
    });
  });
});
