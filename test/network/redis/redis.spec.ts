import type { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LeaseReleasedError, Pool, PoolUnavailableError } from '../../../src/engine/index.js';
import { blockTheLoop, sent } from '../../support/block-the-loop.js';
import { failureOf, follow } from '../../support/follow.js';
import { longGrace } from '../../support/long-grace.js';
import { LocalRedis, describeWithRedis } from '../../support/redis.js';
import { REDIS_SUBJECTS, type RedisConfig } from '../../support/redis-subjects.js';
import { until } from '../../support/until.js';

const PASSWORD = 's3cret-of-redis';
let server: LocalRedis;

describeWithRedis()('redis', () => {
  beforeAll(async () => {
    server = await LocalRedis.start(PASSWORD);
  });
  afterAll(() => server.stop());

  const subjects = REDIS_SUBJECTS.flatMap(subject =>
    [3 as const, 2 as const].map(protocol => ({ ...subject, protocol })),
  );
  describe.each(subjects)('with $library, RESP$protocol,', subject => {
    let pool: Pool<EventEmitter>;
    const open = (config: Partial<RedisConfig> = {}): Pool<EventEmitter> =>
      (pool = subject.pool({
        ...server.address,
        password: PASSWORD,
        max: 1,
        protocol: subject.protocol,
        ...config,
      }));
    const infoOf = async (): Promise<Record<string, string>> => server.client();

    afterEach(async () => {
      await pool.close({ timeout: 0 });
      await server.untilClients(0);
      expect(pool.stats()).toMatchObject({ total: 0, abandoned: 0 });
    });

    describe('a connection', () => {
      it('is made, lent, used again, and gone with the pool', async () => {
        open({ name: 'my jobs' });
        await pool.use(client => subject.call(client, 'SET', 'key', 'value'));
        const { id, name } = await infoOf();
        expect(await pool.use(client => subject.get(client, 'key'))).toBe('value');
        expect(await infoOf()).toMatchObject({ id, name: 'my-jobs', flags: 'N' });
        expect(name).toBe('my-jobs');
      });

      it('has the database and the name that were asked for, and still has them after a reset', async () => {
        open({ database: 2, connectionName: 'worker' });
        await pool.use(client => subject.call(client, 'PING'));
        expect(await infoOf()).toMatchObject({ db: '2', name: 'worker' });
        await pool.use(client => subject.select(client, 5));
        await pool.use(async client => {
          expect(await infoOf()).toMatchObject({ db: '2', name: 'worker' });
          await subject.call(client, 'PING');
        });
        expect(pool.stats().totals.created).toBe(1);
      });

      it('is shown as a client', async () => {
        open();
        await pool.use(client => {
          expect(inspect(client)).toMatch(/Redis|_events/);
        });
      });

      it('says how many the server admits, unless its user may not know', async () => {
        open({ max: 9, processes: 2000 });
        await pool.use(client => subject.call(client, 'PING'));
        const advice = await until(
          () => pool.advice(),
          seen => seen.length > 0,
        );
        expect(advice).toMatchObject([
          { rule: 'server-limit', text: expect.stringContaining('maxclients is 10,000') },
        ]);
        await pool.close();
        await server.call('ACL', 'SETUSER', 'humble', 'on', '>pw', '+ping', '+hello', '+client');
        const { factory } = subject.factory({ ...server.address, username: 'humble', password: 'pw' });
        pool = new Pool({ factory });
        await pool.use(client => subject.call(client, 'PING'));
        expect(await factory.capacity?.()).toBeUndefined();
      });
    });

    describe('what a borrower leaves', () => {
      const touching: [what: string, leave: string[], trace: object][] = [
        ['a database', ['SELECT', '3'], { db: '3' }],
        ['a name', ['CLIENT', 'SETNAME', 'mine'], { name: 'mine' }],
        ['tracking', ['CLIENT', 'TRACKING', 'on', 'BCAST'], { flags: expect.stringContaining('t') }],
        ['another user', ['AUTH', 'other', 'pw'], { user: 'other' }],
        ['no user', ['RESET'], { resp: '2', name: '' }],
      ];

      it.each(touching)('is undone: %s', async (_what, leave, trace) => {
        await server.call('ACL', 'SETUSER', 'other', 'on', '>pw', '+@all', '~*');
        open({ connectionName: 'first' });
        const before = await pool.use(async client => {
          const row = await infoOf();
          await subject.call(client, ...leave);
          expect(await infoOf()).toMatchObject(trace);
          return row;
        });
        await pool.use(async client => {
          await subject.call(client, 'GET', 'x');
          const { id, db, name, flags, user, resp } = await infoOf();
          expect({ id, db, name, flags, user, resp }).toEqual({
            ...{ id: before.id, db: '0', name: 'first', flags: 'N' },
            ...{ user: 'default', resp: before.resp },
          });
        });
      });

      it('is not asked after when nothing is: no command of the pool reaches the server', async () => {
        open({ validateAfterIdle: Infinity });
        await pool.use(client => subject.call(client, 'PING'));
        const before = await commands();
        for (let i = 0; i < 10; i++) {
          await pool.use(async client => {
            await subject.watch(client, 'key');
            await subject.get(client, 'key');
            await subject.transaction(client, 'key', 'value')();
          });
        }
        // WATCH, GET, MULTI, SET, EXEC; and one that asked the first time.
        expect((await commands()) - before).toBe(50 + 1);
      });

      it('is undone each time with `always`, and left with `never`', async () => {
        open({ sessionReset: 'always', validateAfterIdle: Infinity });
        await pool.use(client => subject.call(client, 'PING'));
        const resets = async (): Promise<number> => {
          const stats = (await server.call('INFO', 'commandstats')) as string;
          return Number(/cmdstat_reset:calls=(\d+)/.exec(stats)?.[1] ?? 0);
        };
        const before = await resets();
        await pool.use(client => subject.get(client, 'key'));
        await until(resets, seen => seen === before + 1);
        await pool.close();
        open({ sessionReset: 'never' });
        await pool.use(client => subject.call(client, 'SELECT', '3'));
        expect(await pool.use(infoOf)).toMatchObject({ db: '3' });
      });

      it('is given up when it is a transaction', async () => {
        open();
        const { id } = await pool.use(async client => {
          await subject.call(client, 'MULTI');
          await subject.call(client, 'SET', 'never', 'seen');
          return infoOf();
        });
        await pool.use(async client => {
          expect(await infoOf()).toMatchObject({ id, flags: 'N', multi: '-1' });
          expect(await subject.get(client, 'never')).toBeNull();
        });
      });

      it('is given up when it watches keys', async () => {
        open();
        const { id } = await pool.use(async client => {
          await subject.watch(client, 'watched');
          return infoOf();
        });
        await server.call('SET', 'watched', 'changed');
        await pool.use(async client => {
          await subject.transaction(client, 'watched', 'mine')();
          expect(await subject.get(client, 'watched')).toBe('mine');
          expect(await infoOf()).toMatchObject({ id });
        });
      });

      it.each([
        ['a subscription', 'subscribe'],
        ['MONITOR', 'monitor'],
        ['CLIENT REPLY OFF', 'reply'],
        ['CLIENT NO-EVICT, which RESET does not undo', 'no-evict'],
        ['a blocking command', 'block'],
        ['another protocol', 'hello'],
        ['a raw subscription', 'raw'],
      ] as const)('costs the connection when it is %s', async (_what, how) => {
        open();
        const lease = await pool.acquire();
        const { resource: client } = lease;
        await subject.call(client, 'PING');
        const { id } = await infoOf();
        const heard: unknown[] = [];
        let stuck: ReturnType<typeof follow> | undefined;
        if (how === 'subscribe') await subject.subscribe(client, 'news', message => heard.push(message));
        else if (how === 'monitor') stuck = follow(subject.call(client, 'MONITOR'));
        else if (how === 'reply') stuck = follow(subject.call(client, 'CLIENT', 'REPLY', 'OFF'));
        else if (how === 'no-evict') await subject.call(client, 'CLIENT', 'NO-EVICT', 'ON');
        else if (how === 'hello') stuck = follow(subject.call(client, 'HELLO', String(5 - subject.protocol)));
        else if (how === 'raw') stuck = follow(subject.call(client, 'subscribe', 'news'));
        else {
          stuck = follow(subject.blPop(client, 'jobs', 0));
          await server.untilFlags('b');
        }
        lease.release();
        await server.call('PUBLISH', 'news', 'late');
        await pool.use(async next => {
          await subject.call(next, 'GET', 'x');
          expect((await infoOf()).id).not.toBe(id);
          await server.call('RPUSH', 'jobs', 'kept');
          expect(await subject.call(next, 'LPOP', 'jobs')).toBe('kept');
        });
        if (stuck) {
          await until(
            () => stuck.state,
            state => state !== 'pending',
          );
        }
        expect(heard).toEqual([]);
      });

      it('is nothing when a subscription was ended', async () => {
        open();
        const id = await pool.use(async client => {
          const heard = new Promise(resolve => {
            void subject.subscribe(client, 'news', resolve).then(() => server.call('PUBLISH', 'news', 'hot'));
          });
          expect(await heard).toBe('hot');
          await subject.unsubscribe(client, 'news');
          return (await infoOf()).id;
        });
        await pool.use(client => subject.get(client, 'x'));
        expect((await infoOf()).id).toBe(id);
      });

      it('is waited for for a moment when it is an answer', async () => {
        using _grace = longGrace();
        open();
        const lease = await pool.acquire();
        await subject.call(lease.resource, 'PING');
        const { id } = await infoOf();
        await server.call('DEL', 'late');
        const answer = subject.call(lease.resource, 'INCR', 'late');
        lease.release();
        await pool.use(client => subject.call(client, 'SET', 'late', 'mine'));
        expect(await answer).toBe(1);
        expect((await infoOf()).id).toBe(id);
      });

      it('counts as an answer when it came while the process was blocked', async () => {
        open();
        const lease = await pool.acquire();
        await subject.call(lease.resource, 'PING');
        const answer = subject.call(lease.resource, 'INCR', 'blocked');
        lease.release();
        await sent();
        blockTheLoop(300);
        await answer;
        await lease.finished;
        expect(pool.stats()).toMatchObject({ idle: 1, totals: { destroyed: 0 } });
      });

      it('is not waited for for long', async () => {
        open();
        const lease = await pool.acquire();
        await subject.call(lease.resource, 'PING');
        const { id } = await infoOf();
        const slow = follow(subject.call(lease.resource, 'DEBUG', 'SLEEP', '0.5'));
        lease.release();
        await pool.use(client => subject.get(client, 'x'));
        expect((await infoOf()).id).not.toBe(id);
        expect(slow.state).toBe('rejected');
      });

      it('goes with it when it is a listener, also an `error` listener', async () => {
        open();
        const lease = await pool.acquire();
        const { resource: client } = lease;
        const before = client.listenerCount('error');
        client.on('error', () => undefined).on('message', () => undefined);
        lease.release();
        await pool.use(next => {
          expect(next.listenerCount('message')).toBe(0);
          expect(next.listenerCount('error')).toBe(before);
        });
        expect(pool.stats().totals.created).toBe(1);
        await pool.use(next => next.removeAllListeners());
        await pool.use(next => subject.get(next, 'x'));
        expect(pool.stats().totals.created).toBe(2);
      });
    });

    describe('use after the return', () => {
      it('is refused, and not sent', async () => {
        open();
        const lease = await pool.acquire();
        const { resource: client } = lease;
        await subject.call(client, 'SET', 'late', 'no');
        const transaction = subject.transaction(client, 'late', 'yes');
        const pipeline = subject.pipeline(client, 'late');
        lease.release();
        const next = await pool.acquire();
        const before = await commands();
        for (const use of [
          () => subject.get(client, 'late'),
          () => subject.call(client, 'SET', 'late', 'yes'),
          () => subject.select(client, 1),
          () => subject.watch(client, 'late'),
          () => subject.blPop(client, 'late', 0),
          () => subject.subscribe(emptied(client), 'late', () => undefined),
          () => subject.quit(client),
          transaction,
          pipeline,
        ]) {
          expect(await failureOf(use())).toBeInstanceOf(LeaseReleasedError);
        }
        expect(() => client.on('error', () => undefined)).toThrow(LeaseReleasedError);
        client.removeAllListeners();
        await subject.disconnect(client);
        expect((await commands()) - before).toBe(1);
        expect(await subject.get(next.resource, 'late')).toBe('no');
        next.release();
        expect(pool.stats().totals.created).toBe(1);
      });
    });

    describe('a borrower who ends the connection', () => {
      it.each(['quit', 'disconnect'] as const)('ends this one only: %s', async how => {
        open();
        await pool.use(client => subject[how](client));
        await pool.use(client => subject.get(client, 'x'));
        expect(pool.stats().totals).toMatchObject({ created: 2, destroyed: 1 });
      });
    });

    describe('connecting', () => {
      it('that is hopeless makes the pool unavailable at once, and keeps the password to itself', async () => {
        for (const wrong of [
          { password: 'wr0ng-secret' },
          { password: 'wr0ng-secret', username: 'nobody' },
          { password: '' },
          { port: 99_999 },
          { database: 99 },
        ]) {
          open({ unavailableAfter: 99, ...wrong });
          const error = await failureOf(pool.acquire());
          expect(error).toBeInstanceOf(PoolUnavailableError);
          expect(pool.stats().totals.createFailed).toBe(1);
          expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/wr0ng-secret|s3cret/);
          await pool.close();
        }
      });

      it('says why it has failed', async () => {
        open({ password: 'wr0ng-secret' });
        expect(await failureOf(pool.acquire())).toMatchObject({
          cause: { message: expect.stringContaining('WRONGPASS') },
        });
        await pool.close();
        open({ password: '' });
        expect(await failureOf(pool.acquire())).toMatchObject({
          cause: { message: expect.stringContaining('NOAUTH') },
        });
      });
    });
  });
});

/** For what would be told to a listener that cannot be added any more. */
function emptied<C extends EventEmitter>(client: C): C {
  return new Proxy(client, {
    get: (target, key) =>
      key === 'on' ? () => target : (Reflect.get(target, key, target) as (...args: unknown[]) => unknown),
  });
}

/** How many commands the server has had. */
async function commands(): Promise<number> {
  const stats = (await server.call('INFO', 'stats')) as string;
  return Number(/total_commands_processed:(\d+)/.exec(stats)![1]);
}
