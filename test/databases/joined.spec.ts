import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import knexOf from 'knex';
import { Kysely, PostgresDialect, sql as kyselySql } from 'kysely';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client, type PoolClient } from 'pg';
import QueryStream from 'pg-query-stream';
import { DataSource } from 'typeorm';
import { LeaseReleasedError, Transaction, type TransactionOptions } from '../../src/engine/index.js';
import { cancelOnAbort, TransactionOverlapError } from '../../src/resources/pg.js';
import { joinTransaction } from '../../src/resources/pg/joined.js';
import { failureOf } from '../support/follow.js';
import { launchPostgres } from '../support/postgres.js';
import { SharedConnection } from '../support/shared-connection.js';
import { Stage } from '../support/stage.js';

let server: LocalPostgres;
let shared: SharedConnection;
let tx: Transaction<Client>;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  shared = await SharedConnection.open(server);
  tx = await shared.lease.begin();
});
afterEach(() => shared[Symbol.asyncDispose]());

const insert = (client: Client | PoolClient, n: number): Promise<unknown> =>
  client.query(`insert into notes values (${n})`);

/** Another transaction, which is otherwise. */
async function beginAnew(options: TransactionOptions): Promise<void> {
  await tx.rollback();
  tx = await shared.lease.begin(options);
}

/** A context that nothing has marked: where another of the same request would be. */
let outside: <R>(work: () => R) => R;
beforeAll(() => {
  outside = AsyncLocalStorage.snapshot();
});

/** What is committed of the transaction, and what is there then. */
async function committed(): Promise<number[]> {
  expect(await shared.notes()).toEqual([]);
  await tx.commit();
  return shared.notes();
}

/** Sends a text in each of the ways in which libraries do. */
const ways: [string, (client: PoolClient, text: string) => Promise<unknown>][] = [
  ['by promise', (client, text) => client.query(text)],
  ['as a configuration', (client, text) => client.query({ text, values: [] })],
  [
    'by callback',
    (client, text) =>
      new Promise((resolve, reject) => {
        client.query(text, (error: Error | null, result) => (error ? reject(error) : resolve(result)));
      }),
  ],
  [
    'by callback behind the values',
    (client, text) =>
      new Promise((resolve, reject) => {
        client.query(text, [], (error: Error | null, result) => (error ? reject(error) : resolve(result)));
      }),
  ],
  [
    'by callback of a configuration',
    (client, text) =>
      new Promise((resolve, reject) => {
        const callback = (error: Error | null, result: unknown): void => {
          if (error) reject(error);
          else resolve(result);
        };
        void client.query({ text, callback } as pg.QueryConfig);
      }),
  ],
];

describe('a client that has joined a transaction', () => {
  it.each(ways)('has its own within it, committed and rolled back: %s', async (_, send) => {
    const client = joinTransaction(tx);
    expect(await send(client, 'begin')).toMatchObject({ command: 'BEGIN', rows: [] });
    await send(client, 'insert into notes values (1)');
    expect(await send(client, 'commit')).toMatchObject({ command: 'COMMIT', rows: [] });
    await send(client, 'begin');
    await send(client, 'insert into notes values (2)');
    await expect(send(client, 'select 1 / 0')).rejects.toMatchObject({ code: '22012' });
    expect(await send(client, 'rollback')).toMatchObject({ command: 'ROLLBACK', rows: [] });
    client.release();
    expect(await committed()).toEqual([1]);
    expect(shared.sent.filter(text => /^(?:begin|commit|rollback)$/.test(text))).toEqual(['begin', 'commit']);
  });

  it('has nothing to wait for when it sends all at once', async () => {
    const client = joinTransaction(tx);
    await Promise.all(
      [
        'begin',
        'insert into notes values (1)',
        'rollback',
        'begin',
        'insert into notes values (2)',
        'commit',
      ].map(text => client.query(text)),
    );
    expect(await committed()).toEqual([2]);
  });

  it.each([
    ['BEGIN;', 'COMMIT;'],
    ['begin work', 'end transaction'],
    ['/* of a */ start transaction -- here', 'commit and no chain'],
    ['begin isolation level read committed, read write not deferrable', 'END'],
  ])('knows its transactions in all words: %s … %s', async (begin, end) => {
    const client = joinTransaction(tx);
    await client.query(begin);
    await insert(client, 1);
    await client.query(end);
    await client.query(begin);
    await insert(client, 2);
    await client.query('abort work;');
    expect(await committed()).toEqual([1]);
  });

  it('undoes what it has begun and not ended when it is released, and gives back nothing', async () => {
    const client = joinTransaction(tx);
    await client.query('begin');
    await insert(client, 1);
    client.release();
    client.release(true);
    expect(shared.lease.released).toBe(false);
    await expect(client.query('select 1')).rejects.toThrow('has been released');
    await insert(tx.resource, 2);
    expect(await committed()).toEqual([2]);
  });

  it('has no transaction to commit that it has not begun, and rolls back nothing of others', async () => {
    const client = joinTransaction(tx);
    await insert(client, 1);
    await expect(client.query('commit')).rejects.toThrow('has no transaction of its own that is open');
    await client.query('rollback');
    expect(await committed()).toEqual([1]);
  });

  it.each([
    ['begin; insert into notes values (9)', 'by themselves'],
    ['insert into notes values (9); commit', 'by themselves'],
    ['commit and chain', 'by themselves'],
    ['begin isolation level serializable', 'is not serializable'],
    ['begin read only', 'is not read only'],
    ['begin deferrable', 'is not deferrable'],
    ['set transaction isolation level repeatable read;', 'is not repeatable read'],
    ['SET TRANSACTION READ ONLY', 'is not read only'],
  ])('is refused what cannot be so within it: %s', async (text, why) => {
    const client = joinTransaction(tx);
    const sent = shared.sent.length;
    await expect(client.query(text)).rejects.toThrow(why);
    expect(shared.sent).toHaveLength(sent);
    await insert(client, 1);
    expect(await committed()).toEqual([1]);
  });

  it('is refused a BEGIN as an object, in the way of that', async () => {
    const client = joinTransaction(tx);
    const error = await new Promise(resolve => client.query(new pg.Query('begin')).on('error', resolve));
    expect(error).toMatchObject({ message: expect.stringContaining('as texts') });
  });

  it('can ask for what the transaction is', async () => {
    await beginAnew({ isolation: 'serializable', readOnly: true, deferrable: true });
    const client = joinTransaction(tx);
    await client.query('begin isolation level serializable read only, deferrable');
    await client.query('set transaction isolation level serializable');
    await client.query('commit');
    await expect(client.query('begin read write')).rejects.toThrow('is not read write');
    await expect(client.query('begin isolation level read committed')).rejects.toThrow(
      'is not read committed',
    );
  });

  it('does not commit what has failed, and the transaction goes on', async () => {
    const client = joinTransaction(tx);
    await client.query('begin');
    await insert(client, 1);
    await failureOf(client.query('select 1 / 0'));
    await expect(client.query('commit')).rejects.toThrow('There was nothing to commit');
    await client.query('rollback');
    await insert(client, 2);
    expect(await committed()).toEqual([2]);
  });

  it('keeps another out while it has begun', async () => {
    const [one, two] = [joinTransaction(tx), joinTransaction(tx)];
    await one.query('begin');
    await insert(one, 1);
    for (const client of [two, tx.resource, shared.lease.share()]) {
      const below = async (): Promise<void> => {
        await insert(client, 9);
      };
      expect(await failureOf(outside(below))).toBeInstanceOf(TransactionOverlapError);
    }
    const refused = (await failureOf(two.query('begin'))) as TransactionOverlapError;
    expect(refused).toBeInstanceOf(TransactionOverlapError);
    expect(refused.openedAt).toMatch(/joined\.spec\.ts/);
    expect(refused.refusedAt).toMatch(/joined\.spec\.ts/);
    await two.query('rollback');
    await expect(one.query('begin')).rejects.toThrow(TransactionOverlapError);
    await one.query('commit');
    await two.query('begin');
    await insert(two, 2);
    await two.query('commit');
    expect(await committed()).toEqual([1, 2]);
  });

  it('that begins at the same time as another is refused, with all that it sends behind it', async () => {
    const [one, two] = [joinTransaction(tx), joinTransaction(tx)];
    const outcomes = await Promise.allSettled(
      ['begin', 'insert into notes values (1)', 'commit'].flatMap(text => [one.query(text), two.query(text)]),
    );
    const statuses = outcomes.map(({ status }) => status);
    expect(statuses).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(outcomes[1]).toMatchObject({ reason: expect.any(TransactionOverlapError) });
    expect(outcomes[3]).toMatchObject({ reason: expect.any(TransactionOverlapError) });
    expect(await committed()).toEqual([1]);
  });

  it('takes those along who are called within its transaction', async () => {
    const client = joinTransaction(tx);
    const service = async (n: number): Promise<void> => {
      await insert(await shared.get(), n);
    };
    await client.query('begin');
    await service(1);
    await client.query('rollback');
    expect(await committed()).toEqual([]);
  });

  it('can stand within one that is within', async () => {
    const inner = await tx.begin();
    const client = joinTransaction(inner);
    await client.query('begin');
    await insert(client, 1);
    await client.query('commit');
    await inner.commit();
    await expect(insert(client, 9)).rejects.toThrow('has ended before');
    expect(await committed()).toEqual([1]);
  });

  it('sends nothing once its transaction, or the lease, has ended', async () => {
    const client = joinTransaction(tx);
    await tx.commit();
    for (const text of ['insert into notes values (9)', 'begin'])
      await expect(client.query(text)).rejects.toThrow('has ended before');
    shared.lease.release();
    expect(await failureOf(client.query('begin'))).toBeInstanceOf(LeaseReleasedError);
    expect(await failureOf(client.query('select 1'))).toBeInstanceOf(LeaseReleasedError);
    expect(await shared.notes()).toEqual([]);
  });

  it('is a client in all else', async () => {
    const client = joinTransaction(tx);
    expect(client).toBeInstanceOf(pg.Client);
    expect(await client.query(new QueryStream('select 1 as n')).toArray()).toEqual([{ n: 1 }]);
    const abort = new AbortController();
    cancelOnAbort(client, abort.signal);
    const slow = client.query('select pg_sleep(60)');
    await shared.watch.untilRunning('pg_sleep(60)');
    abort.abort();
    await expect(slow).rejects.toMatchObject({ code: '57014' });
  });

  it('is not made of what is no transaction of pg', () => {
    const foreign = new Transaction(tx.resource, {}, { commit: () => undefined, rollback: () => undefined });
    expect(() => joinTransaction(foreign)).toThrow(TypeError);
  });
});

/** Lends joined clients, as a pool does. */
class JoinedPool extends pg.Pool {
  override connect(callback?: unknown): never {
    const client = joinTransaction(tx);
    if (typeof callback !== 'function') return Promise.resolve(client) as never;
    process.nextTick(callback, undefined, client, () => client.release());
    return undefined as never;
  }
}

/** What each library does: one that is committed, one within it that is rolled back, and one that fails. */
const EXPECTED = [1, 4];
const oops = new Error('oops');

describe('the transactions of a library run within the one that is open', () => {
  it('Drizzle', async () => {
    const db = drizzle({ client: new JoinedPool() });
    await db.transaction(
      async outer => {
        await outer.execute(drizzleSql`insert into notes values (1)`);
        const inner = outer.transaction(async nested => {
          await nested.execute(drizzleSql`insert into notes values (2)`);
          throw oops;
        });
        await expect(inner).rejects.toBe(oops);
      },
      { isolationLevel: 'read committed' },
    );
    const failing = db.transaction(async outer => {
      await outer.execute(drizzleSql`insert into notes values (3)`);
      throw oops;
    });
    await expect(failing).rejects.toBe(oops);
    const serializable = db.transaction(() => Promise.resolve(), { isolationLevel: 'serializable' });
    expect(((await failureOf(serializable)) as Error).cause).toMatchObject({
      message: expect.stringContaining('is not serializable'),
    });
    await db.execute(drizzleSql`insert into notes values (4)`);
    expect(await committed()).toEqual(EXPECTED);
  });

  it('Kysely', async () => {
    const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: new JoinedPool() }) });
    const controlled = await db.startTransaction().execute();
    await kyselySql`insert into notes values (1)`.execute(controlled);
    const saved = await controlled.savepoint('a').execute();
    await kyselySql`insert into notes values (2)`.execute(saved);
    await saved.rollbackToSavepoint('a').execute();
    await controlled.commit().execute();
    const failing = db.transaction().execute(async outer => {
      await kyselySql`insert into notes values (3)`.execute(outer);
      throw oops;
    });
    await expect(failing).rejects.toBe(oops);
    await expect(
      db
        .transaction()
        .setIsolationLevel('serializable')
        .execute(() => Promise.resolve()),
    ).rejects.toThrow('is not serializable');
    await kyselySql`insert into notes values (4)`.execute(db);
    expect(await committed()).toEqual(EXPECTED);
    await db.destroy();
  });

  it('knex', async () => {
    const db = knexOf({ client: 'pg', connectionPool: new JoinedPool() } as never);
    await db.transaction(async outer => {
      await outer('notes').insert({ n: 1 });
      const inner = outer.transaction(async nested => {
        await nested('notes').insert({ n: 2 });
        throw oops;
      });
      await expect(inner).rejects.toBe(oops);
    });
    const failing = db.transaction(async outer => {
      await outer('notes').insert({ n: 3 });
      throw oops;
    });
    await expect(failing).rejects.toBe(oops);
    await expect(db.transaction(() => Promise.resolve(), { isolationLevel: 'serializable' })).rejects.toThrow(
      'is not serializable',
    );
    await db('notes').insert({ n: 4 });
    expect(await committed()).toEqual(EXPECTED);
    await db.destroy();
  });

  it('TypeORM', async () => {
    const source = new DataSource({ type: 'postgres', driver: { Pool: JoinedPool, native: undefined } });
    await source.initialize();
    await source.transaction(async outer => {
      await outer.query('insert into notes values (1)');
      const inner = outer.transaction(async nested => {
        await nested.query('insert into notes values (2)');
        throw oops;
      });
      await expect(inner).rejects.toBe(oops);
    });
    const runner = source.createQueryRunner();
    await runner.startTransaction();
    await runner.query('insert into notes values (3)');
    await runner.rollbackTransaction();
    await expect(runner.startTransaction('SERIALIZABLE')).rejects.toThrow('is not serializable');
    await runner.release();
    await source.query('insert into notes values (4)');
    expect(await committed()).toEqual(EXPECTED);
    await source.destroy();
  });

  it('and one that forgets its transaction leaves nothing of it', async () => {
    const source = new DataSource({ type: 'postgres', driver: { Pool: JoinedPool } });
    await source.initialize();
    const runner = source.createQueryRunner();
    await runner.startTransaction();
    await runner.query('insert into notes values (9)');
    await runner.release();
    await insert(tx.resource, 1);
    expect(await committed()).toEqual([1]);
    await source.destroy();
  });

  it('and two side by side are two who overlap: the second is refused', async () => {
    const db = drizzle({ client: new JoinedPool() });
    const stage = new Stage();
    const first = db.transaction(async outer => {
      await outer.execute(drizzleSql`insert into notes values (1)`);
      await stage.pass('within');
    });
    await stage.reached('within');
    const second = outside(() =>
      db.transaction(outer => outer.execute(drizzleSql`insert into notes values (9)`)),
    );
    expect(((await failureOf(second)) as Error).cause).toBeInstanceOf(TransactionOverlapError);
    stage.open('within');
    await first;
    expect(await committed()).toEqual([1]);
  });
});
