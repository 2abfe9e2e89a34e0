import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { Pool, type Lease } from '../../src/engine/index.js';
import { TransactionOverlapError, pgPool } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { Stage } from '../support/stage.js';

let server: LocalPostgres;
let watch: PostgresWatch;
let pool: Pool<Client>;
let lease: Lease<Client>;
let shared: Client;
/** What the server was sent. */
let sent: string[];

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
  await watch.sql('drop table if exists notes');
  await watch.sql('create table notes (n int)');
  pool = new Pool(pgPool({ ...watch.config, max: 1 }));
  lease = await pool.acquire();
  shared = lease.resource;
  sent = [];
  const { connection } = shared;
  const query = connection.query.bind(connection);
  connection.query = text => {
    sent.push(text);
    query(text);
  };
});
afterEach(async () => {
  await pool.close({ timeout: 0 });
  await watch[Symbol.asyncDispose]();
});

const notes = async (): Promise<number[]> =>
  (await watch.sql<{ n: number }>('select n from notes order by n')).map(row => row.n);
const begins = (): number => sent.filter(text => text === 'begin').length;

/** A service that gets at the connection of its request, as it would from `await this.db.get()`. */
const get = (): Promise<Client> => Promise.resolve(shared);

/** Ordinary code: it rolls back whatever goes wrong, and goes on when it is let. */
async function transfer(client: Client, n: number, pause?: () => Promise<void>): Promise<void> {
  try {
    await client.query('begin');
    await client.query(`insert into notes values (${n})`);
    await pause?.();
    await client.query(`insert into notes values (${n + 10})`);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function transferInOtherWords(client: Client, n: number): Promise<void> {
  try {
    await client.query('begin');
    await client.query(`insert into notes values (${n})`);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

const outcomes = async (work: Promise<unknown>[]): Promise<unknown[]> =>
  (await Promise.allSettled(work)).map(one =>
    one.status === 'fulfilled' ? 'done' : (one.reason as unknown),
  );

describe('two transactions side by side on one connection', () => {
  it.each([
    ['by two who were given the client', (n: number) => transfer(shared, n)],
    ['by two who got it by themselves', async (n: number) => transfer(await get(), n)],
  ])('never mix: the second is refused, and rolls back nothing of the first: %s', async (_, run) => {
    const [one, two] = await outcomes([run(1), run(2)]);
    expect(one).toBe('done');
    expect(two).toBeInstanceOf(TransactionOverlapError);
    expect(await notes()).toEqual([1, 11]);
    expect(begins()).toBe(1);
    expect(sent).not.toContain('rollback');
  });

  it('are refused with an error that names both, and says what to do', async () => {
    const first = shared.query('begin');
    const error = (await failureOf(shared.query('begin'))) as TransactionOverlapError;
    await first;
    expect(error).toMatchObject({
      name: 'TransactionOverlapError',
      code: 'PG_TRANSACTION_OVERLAP',
      message: expect.stringMatching(/\{ fresh: true \}.*SAVEPOINT/),
    });
    for (const place of [error.openedAt, error.refusedAt]) {
      expect(place).toMatch(/pg-transactions\.spec\.ts:\d+:\d+/);
      expect(error.message).toContain(place);
    }
    expect(error.openedAt).not.toBe(error.refusedAt);
  });

  it('are named by their statements where there are no stacks', async () => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    const first = shared.query('begin');
    const second = failureOf(shared.query('start transaction read only'));
    Error.stackTraceLimit = stackTraceLimit;
    await first;
    expect(await second).toMatchObject({
      openedAt: 'by "begin"',
      refusedAt: 'by "start transaction read only"',
    });
  });

  it('may each fail, and be refused, in any order: the one that fails rolls back its own', async () => {
    const stage = new Stage();
    const first = transfer(await get(), 1, async () => {
      await stage.pass('first');
      throw new Error('no luck');
    });
    await stage.reached('first');
    const refused = await outcomes([2, 3, 4].map(async n => transfer(await get(), n)));
    for (const error of refused) expect(error).toBeInstanceOf(TransactionOverlapError);
    expect(await watch.sql('select 1')).toHaveLength(1);
    stage.open('first');
    await expect(first).rejects.toThrow('no luck');
    await transfer(shared, 5);
    expect(await notes()).toEqual([5, 15]);
  });

  it('and the refused one rolls back only when the first has ended: that harms nobody', async () => {
    const client = await get();
    const stage = new Stage();
    const first = (async () => {
      await transfer(await get(), 1, () => stage.pass('first'));
    })();
    await stage.reached('first');
    const second = (async () => {
      const error = await failureOf(client.query('begin'));
      stage.open('first');
      await first;
      await client.query('rollback');
      return error;
    })();
    expect(await second).toBeInstanceOf(TransactionOverlapError);
    expect(await notes()).toEqual([1, 11]);
  });

  it.each([
    ['another function', (n: number) => transferInOtherWords(shared, n)],
    ['the same function', (n: number) => transfer(shared, n)],
  ])('are kept apart also in one and the same context: %s', async (_, second) => {
    const stage = new Stage();
    // Begun at once, in the context of this test, in which the second is begun as well.
    const first = transfer(shared, 1, () => stage.pass('first'));
    await stage.reached('first');
    await expect(second(2)).rejects.toThrow(TransactionOverlapError);
    stage.open('first');
    await first;
    expect(await notes()).toEqual([1, 11]);
  });

  it('and the refused one commits, since it takes no notice: that is refused as well', async () => {
    const stage = new Stage();
    const first = (async () => {
      await transfer(await get(), 1, async () => {
        await stage.pass('first');
        throw new Error('no luck');
      });
    })();
    await stage.reached('first');
    const second = (async () => {
      const client = await get();
      await failureOf(client.query('begin'));
      return failureOf(client.query('commit'));
    })();
    expect(await second).toMatchObject({
      code: 'PG_TRANSACTION_OVERLAP',
      message: expect.stringMatching(/^"commit" was not sent.*the BEGIN of its sender.*was refused/),
    });
    stage.open('first');
    await expect(first).rejects.toThrow('no luck');
    expect(await notes()).toEqual([]);
  });

  it('by callback are kept apart in the same way', async () => {
    const stage = new Stage();
    const first = (async () => {
      await transfer(await get(), 1, () => stage.pass('first'));
    })();
    await stage.reached('first');
    const errors = await new Promise<unknown[]>(resolve => {
      shared.query('begin', refused => {
        shared.query('rollback', also => resolve([refused, also]));
      });
    });
    for (const error of errors) expect(error).toBeInstanceOf(TransactionOverlapError);
    stage.open('first');
    await first;
    expect(await notes()).toEqual([1, 11]);
  });

  it('as query objects, too', async () => {
    const first = shared.query('begin');
    const refused = new Promise(resolve => shared.query(new pg.Query('begin')).on('error', resolve));
    await first;
    expect(await refused).toBeInstanceOf(TransactionOverlapError);
  });

  it('that were begun somewhere below their senders are ended by nobody: it is not known whose is whose', async () => {
    const begin = async (): Promise<void> => {
      await (await get()).query('begin');
    };
    const stage = new Stage();
    const first = (async () => {
      await begin();
      await shared.query('insert into notes values (1)');
      await stage.pass('first');
      return failureOf(shared.query('commit'));
    })();
    await stage.reached('first');
    await expect(begin()).rejects.toThrow(TransactionOverlapError);
    expect(await failureOf(shared.query('rollback'))).toMatchObject({
      message: expect.stringContaining('it is not known which of the two this belongs to'),
    });
    stage.open('first');
    expect(await first).toBeInstanceOf(TransactionOverlapError);
    lease.release();
    expect((await pool.use(next => next.query('select n from notes'))).rows).toEqual([]);
  });

  it('begun somewhere below their senders one after the other are ended by them', async () => {
    const begin = async (): Promise<void> => {
      await (await get()).query('begin');
    };
    for (const n of [1, 2]) {
      await begin();
      await shared.query(`insert into notes values (${n})`);
      await shared.query('commit');
    }
    expect(await notes()).toEqual([1, 2]);
  });
});

describe('statements that nobody waits for', () => {
  const send = (n: number): Promise<unknown>[] =>
    ['begin', `insert into notes values (${n})`, 'commit'].map(text => shared.query(text));

  it('run one transaction after the other', async () => {
    expect(await outcomes([...send(1), ...send(2)])).toEqual(Array(6).fill('done'));
    expect(sent).toEqual([
      ...['begin', 'insert into notes values (1)', 'commit'],
      ...['begin', 'insert into notes values (2)', 'commit'],
    ]);
  });

  it('are refused with the BEGIN that they follow', async () => {
    const stage = new Stage();
    const first = (async () => {
      await transfer(await get(), 1, () => stage.pass('first'));
    })();
    await stage.reached('first');
    // Something is running, so that the refusal comes later than the statements.
    const running = shared.query('select 1');
    const refused = await outcomes(send(2));
    for (const error of refused) expect(error).toBeInstanceOf(TransactionOverlapError);
    await running;
    stage.open('first');
    await first;
    expect(await notes()).toEqual([1, 11]);
  });
});

describe('a transaction within its own', () => {
  it.each([
    ['commit', [1]],
    ['rollback', []],
  ])('is refused, and does not keep the outer one from its %s', async (end, expected) => {
    await shared.query('begin');
    await shared.query('insert into notes values (1)');
    await expect(shared.query('BEGIN')).rejects.toThrow(TransactionOverlapError);
    await shared.query(end);
    expect(await notes()).toEqual(expected);
    await transfer(shared, 2);
  });

  it('that rolls back takes the outer one along, whose COMMIT says so', async () => {
    await shared.query('begin');
    await shared.query('insert into notes values (1)');
    await expect(transfer(shared, 2)).rejects.toThrow(TransactionOverlapError);
    await expect(shared.query('commit')).rejects.toThrow('There is nothing to commit');
    expect(await notes()).toEqual([]);
  });

  it('is recognised as one when it is begun by another function, after that has awaited something', async () => {
    const inner = async (): Promise<void> => {
      await (await get()).query('begin');
    };
    await shared.query('begin');
    await shared.query('insert into notes values (1)');
    await expect(inner()).rejects.toThrow(TransactionOverlapError);
    await shared.query('commit');
    expect(await notes()).toEqual([1]);
  });

  it('is what savepoints are for', async () => {
    await shared.query('begin');
    await shared.query('savepoint a');
    await shared.query('insert into notes values (1)');
    await shared.query('rollback to savepoint a');
    await shared.query('release a');
    await shared.query('commit');
    expect(await notes()).toEqual([]);
  });
});

describe('a transaction is over', () => {
  it.each([
    'commit',
    'end',
    'rollback',
    'abort',
    "prepare transaction 'x'",
    '/* done */ COMMIT AND NO CHAIN',
  ])('after %s', async end => {
    await shared.query('begin');
    await shared.query(end).catch(() => {});
    await transfer(shared, 1);
    expect(await notes()).toEqual([1, 11]);
  });

  it('when it was begun and ended in one text', async () => {
    await shared.query('begin; insert into notes values (1); commit');
    await shared.query('start transaction; insert into notes values (2); rollback');
    await transfer(shared, 3);
    expect(await notes()).toEqual([1, 3, 13]);
  });

  it('not when one ends and the next begins in one text', async () => {
    await shared.query('begin');
    await shared.query('commit; begin');
    await expect(shared.query('begin')).rejects.toThrow(TransactionOverlapError);
    await shared.query('commit');
  });

  it('when it could not be begun', async () => {
    await expect(shared.query('begin nonsense')).rejects.toMatchObject({ code: '42601' });
    await expect(shared.query({ text: 'begin', values: 'no array' as never })).rejects.toThrow('array');
    await transfer(shared, 1);
    expect(await notes()).toEqual([1, 11]);
  });

  it('when its borrower has gone, whatever was refused', async () => {
    await (async () => {
      await get();
      await shared.query('begin');
    })();
    await (async () => {
      expect(await failureOf(shared.query('begin'))).toBeInstanceOf(TransactionOverlapError);
      lease.release();
      const next = await pool.acquire();
      // Begun below, ended here: which would be refused if anything were left of what has been refused.
      await (async () => {
        await get();
        await next.resource.query('begin');
      })();
      await next.resource.query('insert into notes values (7)');
      await next.resource.query('commit');
      next.release();
    })();
    expect(await notes()).toEqual([7]);
  });
});

describe('in pipeline mode', () => {
  it('a transaction is not over when what was sent before it is answered', async () => {
    await using pipelined = new Pool(pgPool({ ...watch.config, max: 1, pipeline: true }));
    await pipelined.use(async client => {
      const before = client.query('select 1');
      const begun = client.query('begin');
      await before;
      await (async () => {
        await get();
        expect(await failureOf(client.query('begin'))).toBeInstanceOf(TransactionOverlapError);
      })();
      await begun;
      await client.query('rollback');
    });
  });

  it('transactions that are sent one after the other run, and those that overlap are refused', async () => {
    await using pipelined = new Pool(pgPool({ ...watch.config, max: 1, pipeline: true }));
    await pipelined.use(async client => {
      await Promise.all(
        ['begin', 'insert into notes values (1)', 'commit', 'begin', 'rollback'].map(text =>
          client.query(text),
        ),
      );
      const texts = ['select 1', 'begin', 'begin', 'commit', 'begin; select 1; commit', 'begin; commit'];
      const results = await outcomes(texts.map(text => client.query(text)));
      expect(results.map(one => one instanceof TransactionOverlapError)).toEqual([
        ...[false, false, true, true, true, true],
      ]);
    });
    expect(await notes()).toEqual([1]);
  });
});
