import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RESP_TYPES, defineScript } from 'redis';
import { LeaseReleasedError, Pool } from '../../../src/engine/index.js';
import { ioredisPool, nodeRedisPool } from '../../../src/resources/redis.js';
import { failureOf } from '../../support/follow.js';
import { LocalRedis, describeWithRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

let server: LocalRedis;

describeWithRedis()('redis', () => {
  beforeAll(async () => {
    server = await LocalRedis.start('pw', ['--databases', '4']);
  });
  afterAll(() => server.stop());
  afterEach(() => server.untilClients(0));

  describe('ioredis', () => {
    const open = (options: Parameters<typeof ioredisPool>[0] = {}): Pool<Redis> =>
      new Pool(ioredisPool({ ...server.address, password: 'pw', max: 1, ...options }));

    it('takes a URL, and options beside it', async () => {
      await using pool = open({ url: `redis://:pw@127.0.0.1:${server.port}/2`, connectionName: 'by-url' });
      await pool.use(redis => redis.ping());
      expect(await server.client()).toMatchObject({ db: '2', name: 'by-url' });
      await pool.use(redis => redis.select(1));
      await pool.use(redis => redis.ping());
      expect(await server.client()).toMatchObject({ db: '2', name: 'by-url' });
    });

    it('does not lend what the server has closed, though ioredis does not say so yet', async () => {
      await using pool = open();
      const lease = await pool.acquire();
      const { stream } = lease.resource as unknown as { stream: Socket };
      const ended = once(stream, 'end');
      await server.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await ended;
      expect(lease.resource.status).toBe('ready');
      expect(lease.signal.aborted).toBe(true);
      await failureOf(lease.resource.get('x'));
      lease.release();
      expect(await pool.use(redis => redis.ping())).toBe('PONG');
      expect(pool.stats().totals).toMatchObject({ created: 2 });
    });

    it('tells callbacks that the lease has ended', async () => {
      await using pool = open();
      const lease = await pool.acquire();
      const { resource: redis } = lease;
      lease.release();
      const told = (ask: (callback: (error: unknown) => void) => unknown): Promise<unknown> =>
        new Promise(resolve => void ask(resolve));
      expect(await told(done => redis.get('x', done))).toBeInstanceOf(LeaseReleasedError);
      expect(await told(done => redis.monitor(done))).toBeInstanceOf(LeaseReleasedError);
      expect(await told(done => redis.connect(done))).toBeInstanceOf(LeaseReleasedError);
      expect(() => redis.duplicate()).toThrow(LeaseReleasedError);
      expect(() => redis.defineCommand('late', { lua: 'return 1' })).toThrow(LeaseReleasedError);
    });

    it('refuses a transaction without a pipeline, a scan and a script that go on after the return', async () => {
      await using pool = open();
      await pool.use(redis =>
        redis.mset(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, i]))),
      );
      const lease = await pool.acquire();
      const { resource: redis } = lease;
      redis.defineCommand('two', { lua: 'return 2', numberOfKeys: 0 });
      const two = (redis as Redis & { two(): Promise<number> }).two.bind(redis);
      expect(await two()).toBe(2);
      await redis.multi({ pipeline: false });
      const scan = redis.scanStream({ count: 1 });
      lease.release();
      expect(await failureOf(two())).toBeInstanceOf(LeaseReleasedError);
      expect(await failureOf(redis.exec())).toBeInstanceOf(LeaseReleasedError);
      const [error] = (await once(scan.resume(), 'error')) as unknown[];
      expect(error).toBeInstanceOf(LeaseReleasedError);
      // It was given up.
      expect(await pool.use(next => next.set('k', 'v'))).toBe('OK');
    });

    it('keeps the commands that a borrower defines to that borrower', async () => {
      await using pool = open({ scripts: { one: { lua: 'return 1', numberOfKeys: 0 } } });
      type Scripted = Redis & { one(): Promise<number>; two?: () => Promise<number> };
      await pool.use(async redis => {
        redis.defineCommand('two', { lua: 'return 2', numberOfKeys: 0 });
        expect(await (redis as Scripted).two?.()).toBe(2);
        expect(await redis.pipeline([['two'], ['one']]).exec()).toEqual([
          [null, 2],
          [null, 1],
        ]);
      });
      await pool.use(async redis => {
        expect((redis as Scripted).two).toBeUndefined();
        expect(await (redis as Scripted).one()).toBe(1);
      });
      expect(pool.stats().totals.created).toBe(1);
    });

    it('sends what waits to be pipelined for the borrower who wanted it, or not at all', async () => {
      await using pool = open({ enableAutoPipelining: true });
      await pool.use(async redis => {
        expect(await Promise.all([redis.set('a', '1'), redis.get('a'), redis.get('a')])).toEqual([
          'OK',
          '1',
          '1',
        ]);
      });
      const lease = await pool.acquire();
      const late = failureOf(lease.resource.set('a', 'late'));
      lease.release();
      expect(await pool.use(redis => redis.get('a'))).toBe('1');
      expect(await late).toBeInstanceOf(LeaseReleasedError);
    });

    it('closes the connection that MONITOR makes beside the lease, with the lease', async () => {
      await using pool = open();
      const lease = await pool.acquire();
      const monitor = await lease.resource.monitor();
      const seen = once(monitor, 'monitor');
      await server.call('PING');
      await seen;
      await server.untilFlags('O');
      lease.release();
      await server.untilClients(1);
    });

    it('leaves a duplicate to the borrower who made it', async () => {
      await using pool = open();
      const lease = await pool.acquire();
      const duplicate = lease.resource.duplicate();
      duplicate.on('error', () => undefined);
      expect(await duplicate.ping()).toBe('PONG');
      lease.release();
      expect(await duplicate.ping()).toBe('PONG');
      duplicate.disconnect();
      await server.untilClients(1);
    });

    it('finds the master by its Sentinels, and not a replica that they still take for it', async () => {
      await using primary = await LocalRedis.start();
      await using sentinel = await startSentinel(primary.port);
      const sentinels = [sentinel.address];
      await using pool = new Pool(
        ioredisPool({ sentinels, masterName: 'main', max: 1, unavailableAfter: 1 }),
      );
      await pool.use(redis => redis.set('by', 'sentinel'));
      expect(await primary.call('GET', 'by')).toBe('sentinel');
      await primary.call('REPLICAOF', '127.0.0.1', '1');
      pool.recycle();
      expect(await failureOf(pool.use(redis => redis.ping()))).toMatchObject({
        cause: { message: 'The Sentinels have led to a slave, and not to a master' },
      });
      await sentinel.stop();
      expect(
        await until(
          () => failureOf(pool.acquire()),
          error => /Sentinel|ECONNREFUSED|unreachable/.test(String((error as Error).cause)),
        ),
      ).toMatchObject({ code: 'POOL_UNAVAILABLE' });
    });
  });

  describe('node-redis', () => {
    const base = (): { socket: { host: string; port: number }; password: string; max: number } => ({
      socket: server.address,
      password: 'pw',
      max: 1,
    });

    it('takes a URL', async () => {
      await using pool = new Pool(nodeRedisPool({ url: `redis://:pw@127.0.0.1:${server.port}/2` }));
      await pool.use(redis => redis.ping());
      expect(await server.client()).toMatchObject({ db: '2' });
      await pool.use(redis => redis.select(1));
      await pool.use(redis => redis.ping());
      expect(await server.client()).toMatchObject({ db: '2' });
      expect(pool.stats().totals.created).toBe(1);
    });

    it('keeps a URL that cannot be read, or contradicts an option, to itself', async () => {
      const wrong = new Pool(nodeRedisPool({ url: 'redis://a:s3cret@[/b' }));
      const error = (await failureOf(wrong.acquire())) as Error;
      expect(error).toMatchObject({ code: 'POOL_UNAVAILABLE' });
      expect(JSON.stringify([error, error.cause])).not.toContain('s3cret');
      await wrong.close();
      const url = 'redis://a:s3cret@127.0.0.1:1';
      const other = new Pool(nodeRedisPool({ url, socket: { tls: true }, unavailableAfter: 1 }));
      const second = (await failureOf(other.acquire())) as Error;
      expect(second.message + String(second.cause)).not.toContain('s3cret');
      await other.close();
    });

    it('has scripts and modules, which are refused after the return', async () => {
      const add = defineScript({
        SCRIPT: 'return ARGV[1] + 1',
        NUMBER_OF_KEYS: 0,
        parseCommand: (parser, by: number) => void parser.push(String(by)),
        transformReply: (reply: unknown) => Number(reply),
      });
      await using pool = new Pool(nodeRedisPool({ ...base(), scripts: { add } }));
      const lease = await pool.acquire();
      const { resource: redis } = lease;
      expect(await redis.add(2)).toBe(3);
      const { json } = redis;
      expect(await failureOf(json.get('x'))).toMatchObject({
        message: expect.stringContaining('unknown command'),
      });
      lease.release();
      expect(await failureOf(redis.add(2))).toBeInstanceOf(LeaseReleasedError);
      expect(await failureOf(json.get('x'))).toBeInstanceOf(LeaseReleasedError);
      expect(await failureOf(redis.json.get('x'))).toBeInstanceOf(LeaseReleasedError);
    });

    it('makes views with other options of commands, which end with the lease', async () => {
      await using pool = new Pool(nodeRedisPool(base()));
      const lease = await pool.acquire();
      const { resource: redis } = lease;
      await redis.set('text', 'x');
      const views = [
        redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }),
        redis.asap(),
        redis.withAbortSignal(new AbortController().signal),
        redis.withCommandOptions({ asap: true }).asap(),
      ] as unknown as (typeof redis)[];
      expect(await views[0]!.get('text')).toEqual(Buffer.from('x'));
      expect(await views[3]!.get('text')).toBe('x');
      const late = views[0]!.multi().set('text', 'late');
      await views[0]!.select(1);
      lease.release();
      for (const view of views) expect(await failureOf(view.get('text'))).toBeInstanceOf(LeaseReleasedError);
      expect(await failureOf(late.exec())).toBeInstanceOf(LeaseReleasedError);
      expect(() => redis.asap()).toThrow(LeaseReleasedError);
      // What was selected by a view was undone.
      expect(await pool.use(next => next.get('text'))).toBe('x');
      expect(pool.stats().totals.created).toBe(1);
    });

    it('refuses iterators and the legacy interface after the return', async () => {
      await using pool = new Pool(nodeRedisPool(base()));
      await pool.use(redis =>
        redis.mSet(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'v']))),
      );
      const lease = await pool.acquire();
      const { resource: redis } = lease;
      const scan = redis.scanIterator({ COUNT: 1 });
      await scan.next();
      const legacy = redis.legacy();
      const told = (): Promise<unknown> => new Promise(resolve => legacy.get('k1', resolve));
      expect(await told()).toBeNull();
      lease.release();
      expect(await failureOf(scan.next())).toBeInstanceOf(LeaseReleasedError);
      expect(await told()).toBeInstanceOf(LeaseReleasedError);
    });

    it('ends MONITOR, which it sends on the connection itself', async () => {
      await using pool = new Pool(nodeRedisPool(base()));
      const seen: unknown[] = [];
      await pool.use(async redis => {
        await redis.monitor(line => seen.push(line));
        await server.untilFlags('O');
      });
      const before = seen.length;
      await pool.use(redis => redis.ping());
      expect(seen.length).toBe(before);
      expect(pool.stats().totals.created).toBe(2);
    });

    it('leaves a duplicate, and a pool made of it, to the borrower who made it', async () => {
      const pool = new Pool(nodeRedisPool(base()));
      const lease = await pool.acquire();
      const duplicate = await lease.resource.duplicate().connect();
      lease.destroy();
      await pool.close();
      expect(await duplicate.ping()).toBe('PONG');
      duplicate.destroy();
    });

    it('has watched keys noticed by a transaction that was begun before', async () => {
      await using pool = new Pool(nodeRedisPool(base()));
      await pool.use(async redis => {
        await redis.watch('stock');
        await server.call('SET', 'stock', 'changed');
        expect(await failureOf(redis.multi().set('stock', 'mine').exec())).toMatchObject({
          message: expect.stringContaining('watched keys'),
        });
      });
      await pool.use(async redis => {
        expect((await server.client()).id).toBe(String(await redis.clientId()));
      });
    });
  });
});

/** One Sentinel, which believes what it was told of the master. */
async function startSentinel(master: number): Promise<LocalRedis> {
  const { mkdtemp, writeFile } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const file = join(await mkdtemp(join(tmpdir(), 'sentinel-')), 'sentinel.conf');
  await writeFile(
    file,
    `sentinel monitor main 127.0.0.1 ${master} 1\nsentinel down-after-milliseconds main 60000\n`,
  );
  return LocalRedis.startSentinel(file);
}
