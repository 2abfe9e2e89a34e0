import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Kysely, PostgresDialect, sql as kyselySql } from 'kysely';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import QueryStream from 'pg-query-stream';
import { TransactionOverlapError } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { Cursor } from '../support/pg-cursor.js';
import { launchPostgres } from '../support/postgres.js';
import { SharedConnection } from '../support/shared-connection.js';
import { Stage } from '../support/stage.js';

let server: LocalPostgres;
let shared: SharedConnection;
let one: Client;
let other: Client;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  shared = await SharedConnection.open(server);
  one = shared.lease.share();
  other = shared.lease.share();
});
afterEach(() => shared[Symbol.asyncDispose]());

/** Begins below its caller, so that the caller's context is not one of the transaction. */
async function begin(client: Client): Promise<void> {
  await Promise.resolve();
  await client.query('begin');
}

const insert = (client: Client, n: number): Promise<unknown> =>
  client.query(`insert into notes values (${n})`);

describe('while a transaction is open, what comes by another handle of its connection', () => {
  const drained = (stream: Readable): Promise<unknown[]> => stream.toArray();
  const statements: [string, (client: Client) => Promise<unknown>][] = [
    ['a statement', client => client.query('insert into notes values (9)')],
    ['one with values', client => client.query('insert into notes values ($1)', [9])],
    [
      'one that is prepared',
      client => client.query({ name: 'add', text: 'insert into notes values ($1)', values: [9] }),
    ],
    [
      'one by callback',
      client =>
        new Promise((resolve, reject) => {
          client.query('insert into notes values (9)', error =>
            (error as Error | null) ? reject(error) : resolve(undefined),
          );
        }),
    ],
    [
      'a query object',
      async client => {
        const query = client.query(new pg.Query('insert into notes values (9)'));
        await new Promise((resolve, reject) => query.on('end', resolve).on('error', reject));
      },
    ],
    [
      'a cursor',
      client => client.query<Cursor>(new Cursor('insert into notes values (9) returning n')).read(1),
    ],
    [
      'a stream of rows',
      client => drained(client.query(new QueryStream('insert into notes values (9) returning n'))),
    ],
    [
      'COPY from',
      async client => {
        const source = new PassThrough();
        source.end('9\n');
        await pipeline(source, client.query(copyFrom('copy notes from stdin')));
      },
    ],
    ['COPY to', client => drained(client.query(copyTo('copy notes to stdout')))],
    ...['BEGIN', 'COMMIT', 'ROLLBACK', 'savepoint a', 'set work_mem = 64', 'listen a', 'commit; begin'].map(
      (text): [string, (client: Client) => Promise<unknown>] => [text, client => client.query(text)],
    ),
  ];

  it.each(statements)('is refused, and spoils nothing: %s', async (_, send) => {
    await begin(one);
    await insert(one, 1);
    const sent = shared.sent.length;
    expect(await failureOf(send(other))).toBeInstanceOf(TransactionOverlapError);
    expect(shared.sent).toHaveLength(sent);
    await insert(one, 2);
    await one.query('commit');
    expect(await shared.notes()).toEqual([1, 2]);
    expect(await other.query('select 1 as n')).toMatchObject({ rows: [{ n: 1 }] });
    shared.lease.release();
    await shared.lease.finished;
    expect(shared.pool.stats().totals.destroyed).toBe(0);
  });

  it.each(statements)('is refused also when it has waited for its turn: %s', async (_, send) => {
    const running = one.query('select pg_sleep(0)');
    const begun = begin(one);
    const sending = (async () => {
      // Behind the BEGIN, which waits as well.
      await Promise.resolve();
      await Promise.resolve();
      return failureOf(send(other));
    })();
    await Promise.all([running, begun]);
    expect(await sending).toBeInstanceOf(TransactionOverlapError);
    await insert(one, 1);
    await one.query('commit');
    expect(await shared.notes()).toEqual([1]);
    await insert(other, 2);
  });

  it('is refused with an error that names both places, and says what to do', async () => {
    await begin(one);
    const error = (await failureOf(insert(other, 1))) as TransactionOverlapError;
    expect(error.message).toMatch(/tx\.run\(\).*@Transactional\(\).*\{ fresh: true \}.*SAVEPOINT/);
    expect(error.openedAt).toMatch(/begin.*mixing\.spec\.ts:\d+/);
    expect(error.refusedAt).toMatch(/insert.*mixing\.spec\.ts:\d+/);
    expect(error.message).toContain(error.openedAt);
    expect(error.message).toContain(error.refusedAt);
  });

  it('passes before and after, and is refused between', async () => {
    const stage = new Stage();
    const transfers = async (): Promise<void> => {
      const client = await shared.get();
      await stage.pass('start');
      await client.query('begin');
      await insert(client, 1);
      await stage.pass('middle');
      await client.query('commit');
    };
    const counts = async (): Promise<unknown[]> => {
      const client = await shared.get();
      const seen: unknown[] = [];
      const count = async (): Promise<void> => {
        const { rows } = await client.query<{ n: number }>('select count(*)::int as n from notes');
        seen.push(rows[0]!.n);
      };
      await stage.reached('start');
      await count();
      stage.open('start');
      await stage.reached('middle');
      seen.push(await failureOf(count()));
      stage.open('middle');
      await transferred;
      await count();
      return seen;
    };
    const transferred = transfers();
    expect(await counts()).toEqual([0, expect.any(TransactionOverlapError), 1]);
  });

  it('is sent when it was there before the BEGIN, and when the transaction is over by its turn', async () => {
    const running = one.query('select pg_sleep(0)');
    const before = insert(other, 1);
    const begun = begin(one);
    await begun;
    await Promise.all([running, before]);
    const slow = one.query('select pg_sleep(0)');
    const commit = one.query('rollback');
    const after = insert(other, 2);
    await Promise.all([slow, commit, after]);
    expect(await shared.notes()).toEqual([1, 2]);
  });

  it('is not refused since its connection has an open transaction when another borrows it next', async () => {
    await begin(one);
    await insert(one, 1);
    shared.lease.release();
    using next = await shared.pool.acquire();
    await insert(next.share(), 2);
    await insert(next.share(), 3);
    expect(await shared.notes()).toEqual([2, 3]);
  });

  it('is let through by the client itself, which nobody shares', async () => {
    const client = shared.lease.detach();
    await client.query('begin');
    await client.query('rollback');
    await client.end();
  });
});

describe('a BEGIN by another handle', () => {
  it('that is refused, rolls back nothing of the one that it stands within', async () => {
    const audit = async (): Promise<void> => {
      const client = await shared.get();
      try {
        await client.query('begin');
        await insert(client, 9);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      }
    };
    await one.query('begin');
    await insert(one, 1);
    await expect(audit()).rejects.toThrow(TransactionOverlapError);
    await insert(one, 2);
    await insert(other, 3);
    await one.query('commit');
    expect(await shared.notes()).toEqual([1, 2, 3]);
  });

  it('that is refused, takes along what was sent behind it', async () => {
    await one.query('begin');
    const outcomes = await Promise.all(
      ['begin', 'insert into notes values (9)', 'commit'].map(text => failureOf(other.query(text))),
    );
    for (const error of outcomes) expect(error).toBeInstanceOf(TransactionOverlapError);
    await insert(other, 1);
    await one.query('commit');
    expect(await shared.notes()).toEqual([1]);
  });

  it('does not keep the other from ending what it has begun below its senders', async () => {
    await begin(one);
    await insert(one, 1);
    await expect(begin(other)).rejects.toThrow(TransactionOverlapError);
    await one.query('commit');
    await begin(other);
    await insert(other, 2);
    await other.query('commit');
    expect(await shared.notes()).toEqual([1, 2]);
  });
});

describe('who takes part', () => {
  it('are services that are called within, each with a handle of its own', async () => {
    const service = async (n: number): Promise<void> => {
      await insert(await shared.get(), n);
    };
    const handler = async (): Promise<void> => {
      const client = await shared.get();
      await client.query('begin');
      await service(1);
      await Promise.all([service(2), service(3)]);
      expect(await shared.notes()).toEqual([]);
      await client.query('commit');
    };
    await handler();
    expect(await shared.notes()).toEqual([1, 2, 3]);
  });

  it('is who has the handle, wherever its BEGIN was sent', async () => {
    await begin(one);
    await insert(one, 1);
    await (Object.create(one) as Client).query('insert into notes values (2)');
    await one.query('rollback');
    expect(await shared.notes()).toEqual([]);
  });

  it('is not who comes from a context that an earlier transaction has marked', async () => {
    await one.query('begin');
    await one.query('commit');
    await begin(other);
    await expect(insert(one, 1)).rejects.toThrow(TransactionOverlapError);
  });
});

describe('what a cursor has open', () => {
  it('is read to its end before the BEGIN of another handle is sent', async () => {
    await shared.watch.sql('insert into notes values (1), (2)');
    const cursor = one.query<Cursor>(new Cursor('select n from notes order by n'));
    expect(await cursor.read(1)).toEqual([{ n: 1 }]);
    const begun = begin(other);
    expect(await cursor.read(1)).toEqual([{ n: 2 }]);
    await cursor.close();
    await begun;
    await other.query('rollback');
  });
});

describe('a library', () => {
  it('has its transactions on a handle of its own, and others are kept out: Drizzle', async () => {
    const db = drizzle({ client: other });
    await db.transaction(async tx => {
      await tx.execute(drizzleSql`insert into notes values (1)`);
      await tx.transaction(inner => inner.execute(drizzleSql`insert into notes values (2)`));
    });
    await begin(one);
    const error = (await failureOf(db.execute(drizzleSql`insert into notes values (9)`))) as Error;
    expect(error.cause).toBeInstanceOf(TransactionOverlapError);
    await one.query('commit');
    await db.execute(drizzleSql`insert into notes values (3)`);
    expect(await shared.notes()).toEqual([1, 2, 3]);
  });

  it('has its transactions on a handle of its own, and others are kept out: Kysely', async () => {
    const client = Object.assign(Object.create(other) as pg.PoolClient, { release: () => undefined });
    const db = new Kysely<object>({
      dialect: new PostgresDialect({
        pool: { connect: () => Promise.resolve(client), end: () => Promise.resolve() } as never,
      }),
    });
    const stage = new Stage();
    const inserting = db.transaction().execute(async tx => {
      await kyselySql`insert into notes values (1)`.execute(tx);
      await stage.pass('within');
      await kyselySql`insert into notes values (2)`.execute(tx);
    });
    await stage.reached('within');
    await expect(insert(one, 9)).rejects.toThrow(TransactionOverlapError);
    stage.open('within');
    await inserting;
    await begin(one);
    await expect(kyselySql`insert into notes values (9)`.execute(db)).rejects.toThrow(
      TransactionOverlapError,
    );
    await one.query('commit');
    expect(await shared.notes()).toEqual([1, 2]);
    await db.destroy();
  });
});

describe('in pipeline mode', () => {
  it('a statement of another handle is refused in the same way, and passes before and after', async () => {
    await using pipelined = await SharedConnection.open(server, { pipeline: true });
    const first = await pipelined.get();
    const second = await pipelined.get();
    const outcomes = await Promise.allSettled([
      insert(second, 1),
      (async () => first.query('begin'))(),
      (async () => {
        await Promise.resolve();
        await insert(second, 9);
      })(),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    await first.query('rollback');
    await begin(first);
    await expect(insert(second, 9)).rejects.toThrow(TransactionOverlapError);
    await insert(first, 2);
    await first.query('commit');
    await insert(second, 3);
    expect(await pipelined.notes()).toEqual([1, 2, 3]);
  });
});
