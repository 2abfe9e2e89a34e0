import type { EventEmitter } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from '../../../src/engine/index.js';
import { failureOf } from '../../support/follow.js';
import { LocalRedis, describeWithRedis } from '../../support/redis.js';
import { REDIS_SUBJECTS, type RedisConfig } from '../../support/redis-subjects.js';

let server: LocalRedis;

describeWithRedis()('hooks of a pool of Redis connections', () => {
  beforeAll(async () => {
    server = await LocalRedis.start();
  });
  afterAll(() => server.stop());

  const subjects = REDIS_SUBJECTS.flatMap(subject =>
    [3 as const, 2 as const].map(protocol => ({ ...subject, protocol })),
  );
  describe.each(subjects)('with $library, RESP$protocol,', subject => {
    let pool: Pool<EventEmitter> | undefined;
    const open = (config: Partial<RedisConfig>): Pool<EventEmitter> =>
      (pool = subject.pool({ ...server.address, max: 1, protocol: subject.protocol, ...config }));
    const nameOf = (client: EventEmitter): Promise<unknown> => subject.call(client, 'CLIENT', 'GETNAME');
    const databaseOf = async (): Promise<string | undefined> => (await server.client()).db;

    afterEach(async () => {
      await pool?.close({ timeout: 0 });
      await server.untilClients(0);
    });

    it('what onCreate sets is there for every borrower, and is done again only after a RESET', async () => {
      let calls = 0;
      open({
        onCreate: async client => {
          calls++;
          await subject.call(client, 'CLIENT', 'SETNAME', 'founded');
          await subject.select(client, 3);
        },
      });
      for (let i = 0; i < 3; i++) {
        expect(await pool!.use(nameOf)).toBe('founded');
        expect(await databaseOf()).toBe('3');
      }
      expect(calls).toBe(1);
      await pool!.use(client => subject.call(client, 'CLIENT', 'SETNAME', 'a-borrower'));
      expect(await pool!.use(nameOf)).toBe('founded');
      expect(await databaseOf()).toBe('3');
      expect(calls).toBe(2);
      expect(pool!.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
    });

    it('what onBorrow and onReturn do is undone as if the borrower had done it', async () => {
      let name: string | undefined = 'on-borrow';
      const outcomes: string[] = [];
      open({
        connectionName: 'mine',
        onBorrow: async client => {
          if (name) await subject.call(client, 'CLIENT', 'SETNAME', name);
        },
        onReturn: async (client, outcome) => {
          outcomes.push(outcome);
          await subject.select(client, 5);
        },
      });
      expect(await pool!.use(nameOf)).toBe('on-borrow');
      name = undefined;
      expect(await pool!.use(nameOf)).toBe('mine');
      expect(await pool!.use(() => databaseOf())).toBe('0');
      expect(outcomes).toEqual(['success', 'success', 'success']);
      expect(pool!.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
    });

    it('listeners of onCreate stay, once, and those of an onBorrow that has failed go', async () => {
      const why = new Error('no such tenant');
      const listener = (): void => undefined;
      let fails = true;
      open({
        sessionReset: 'always',
        onCreate: client => client.on('founded', listener),
        onBorrow: client => {
          client.on('borrowed', listener);
          if (fails) throw why;
        },
      });
      expect(await failureOf(pool!.acquire())).toBe(why);
      fails = false;
      const counts = (): Promise<number[]> =>
        pool!.use(client => [client.listenerCount('founded'), client.listenerCount('borrowed')]);
      expect([await counts(), await counts()]).toEqual([
        [1, 1],
        [1, 1],
      ]);
    });

    it('onCreate must leave no transaction, and no subscription', async () => {
      for (const leave of [
        (client: EventEmitter) => subject.watch(client, 'key'),
        (client: EventEmitter) => subject.subscribe(client, 'news', () => undefined),
      ]) {
        open({ unavailableAfter: 1, onCreate: leave });
        expect(await failureOf(pool!.acquire())).toMatchObject({
          code: 'POOL_UNAVAILABLE',
          cause: { message: expect.stringContaining('onCreate has left') as unknown },
        });
        await pool!.close({ timeout: 0 });
      }
    });

    it('that are no functions are refused, and `this` in the others is the options', async () => {
      expect(() => open({ onBorrow: 'x' as never })).toThrow(
        'option "onBorrow" is a string; it must be a function.',
      );
      const seen: unknown[] = [];
      open({
        name: 'mine',
        onBorrow(this: { name?: string }) {
          seen.push(this.name);
        },
      });
      await pool!.use(() => undefined);
      expect(seen).toEqual(['mine']);
    });
  });
});
