import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import {
  KeyedPool,
  LeaseReleasedError,
  PoolOptionsError,
  type Transaction,
  type TransactionOptions,
} from '../../src/engine/index.js';
import { TransactionOverlapError, keyedPgPool } from '../../src/resources/pg.js';
import { failureOf } from '../support/follow.js';
import { launchPostgres } from '../support/postgres.js';
import { SharedConnection } from '../support/shared-connection.js';

let server: LocalPostgres;
let shared: SharedConnection;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  shared = await SharedConnection.open(server);
});
afterEach(() => shared[Symbol.asyncDispose]());

const begin = (options?: TransactionOptions, whole?: boolean): Promise<Transaction<Client>> =>
  shared.lease.begin(options, whole);
const insert = (client: Client, n: number): Promise<unknown> =>
  client.query(`insert into notes values (${n})`);

describe('a transaction that is begun by the pool', () => {
  it('is there for everybody when it is committed, with one round trip for each of both', async () => {
    const tx = await begin();
    await insert(tx.resource, 1);
    expect(await shared.notes()).toEqual([]);
    await tx.commit();
    expect(await shared.notes()).toEqual([1]);
    expect(shared.sent).toEqual(['begin', 'insert into notes values (1)', 'commit']);
  });

  it('leaves nothing when it is rolled back, or is not ended', async () => {
    const tx = await begin();
    await insert(tx.resource, 1);
    await tx.rollback();
    {
      await using second = await begin();
      await insert(second.resource, 2);
    }
    const third = await begin();
    await insert(third.resource, 3);
    shared.lease.release();
    using next = await shared.pool.acquire();
    expect((await next.resource.query('select n from notes')).rows).toEqual([]);
    expect(shared.pool.stats().totals.destroyed).toBe(0);
  });

  it.each<[TransactionOptions, object]>([
    [{}, { level: 'read committed', only: 'off', waits: 'off' }],
    [
      { isolation: 'repeatable read', readOnly: false },
      { level: 'repeatable read', only: 'off' },
    ],
    [
      { isolation: 'read uncommitted', readOnly: true },
      { level: 'read uncommitted', only: 'on' },
    ],
    [
      { isolation: 'serializable', readOnly: true, deferrable: true },
      { level: 'serializable', waits: 'on' },
    ],
  ])('is as it is asked for: %j', async (options, expected) => {
    const tx = await begin(options);
    const { rows } = await tx.resource.query(
      `select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as only,
        current_setting('transaction_deferrable') as waits`,
    );
    expect(rows[0]).toMatchObject(expected);
    await tx.commit();
  });

  it.each([
    [{ isolation: 'snapshot' }, `option "isolation" is a string; it must be 'read uncommitted'`],
    [{ readOnly: 'yes' }, 'option "readOnly" is a string; it must be true or false'],
    [{ deferrable: 1 }, 'option "deferrable" is 1; it must be true or false'],
    [{ deferrable: true }, `option "deferrable" needs isolation: 'serializable' and readOnly: true`],
  ])(
    'is refused, and nothing is sent, when it is asked for what there is not: %j',
    async (options, message) => {
      const error = await failureOf(begin(options as TransactionOptions));
      expect(error).toBeInstanceOf(PoolOptionsError);
      expect((error as Error).message).toContain(`Pool "pool", transaction: ${message}`);
      expect(shared.sent).toEqual([]);
    },
  );

  it('marks nobody: who called it takes part only by its client, or by run()', async () => {
    const tx = await begin();
    const other = shared.lease.share();
    await expect(insert(other, 9)).rejects.toThrow(TransactionOverlapError);
    await insert(tx.resource, 1);
    const service = async (): Promise<void> => {
      await insert(await shared.get(), 2);
    };
    await tx.run(async () => {
      await insert(other, 3);
      await service();
    });
    await expect(insert(other, 9)).rejects.toThrow(TransactionOverlapError);
    await tx.commit();
    await insert(other, 4);
    expect(await shared.notes()).toEqual([1, 2, 3, 4]);
  });

  it('is everybody’s who shares the connection when it is begun for the whole', async () => {
    const tx = await begin({}, true);
    await insert(shared.lease.share(), 1);
    await insert(shared.lease.resource, 2);
    await tx.rollback();
    expect(await shared.notes()).toEqual([]);
  });

  it.each(['commit', 'end', 'rollback', 'abort', 'commit; begin', 'insert into notes values (9); commit'])(
    'is ended by itself only: %s is refused to whoever takes part',
    async text => {
      const tx = await begin({}, true);
      await insert(tx.resource, 1);
      for (const client of [tx.resource, shared.lease.share()]) {
        const error = await failureOf(tx.run(() => client.query(text)));
        expect(error).toBeInstanceOf(TransactionOverlapError);
        expect((error as Error).message).toMatch(
          /its own commit\(\) or rollback\(\).*tx\.begin\(\) or SAVEPOINT/,
        );
        expect((error as TransactionOverlapError).openedAt).toContain('begin.spec.ts');
      }
      await tx.commit();
      expect(await shared.notes()).toEqual([1]);
    },
  );

  it.each(['commit', 'rollback'] as const)(
    'lets nobody go on by its client after its %s, nor from what it has run, until that begins another',
    async end => {
      const tx = await begin();
      const other = shared.lease.share();
      await insert(tx.resource, 1);
      await tx.run(async () => {
        const pending = [insert(tx.resource, 2), tx[end](), insert(tx.resource, 9), insert(other, 9)];
        const outcomes = await Promise.allSettled(pending);
        expect(outcomes.map(({ status }) => status)).toEqual([
          'fulfilled',
          'fulfilled',
          'rejected',
          'rejected',
        ]);
        for (const client of [tx.resource, other]) {
          for (const text of ['begin', 'commit', 'insert into notes values (9)', 'begin; commit']) {
            const error = await failureOf(client.query(text));
            expect(error).toBeInstanceOf(TransactionOverlapError);
            expect((error as Error).message).toContain('has ended before');
          }
        }
        const next = await begin();
        await insert(next.resource, 3);
        await insert(other, 4).catch(() => undefined);
        await next.run(() => insert(other, 5));
        await next.commit();
      });
      await expect(insert(tx.resource, 9)).rejects.toThrow('has ended before');
      await insert(other, 6);
      await insert(shared.lease.resource, 7);
      expect(await shared.notes()).toEqual(end === 'commit' ? [1, 2, 3, 5, 6, 7] : [3, 5, 6, 7]);
    },
  );

  it('has no BEGIN within, and what a library does then does not harm it', async () => {
    const tx = await begin();
    await insert(tx.resource, 1);
    await expect(tx.resource.query('begin')).rejects.toThrow(TransactionOverlapError);
    await expect(tx.resource.query('rollback')).rejects.toThrow(TransactionOverlapError);
    await expect(begin()).rejects.toThrow(TransactionOverlapError);
    await tx.commit();
    expect(await shared.notes()).toEqual([1]);
  });

  it('is refused while another is open that was begun by hand', async () => {
    await shared.lease.share().query('begin');
    const error = (await failureOf(begin())) as TransactionOverlapError;
    expect(error).toBeInstanceOf(TransactionOverlapError);
    expect(error.openedAt).toContain('begin.spec.ts');
    expect(error.refusedAt).toContain('begin.spec.ts');
  });

  it('is not committed when a statement of it has failed, or a constraint at its end', async () => {
    const tx = await begin();
    await failureOf(tx.resource.query('select 1 / 0'));
    await expect(tx.commit()).rejects.toThrow('There was nothing to commit');
    await shared.lease.resource.query(
      'create temporary table one (n int unique deferrable initially deferred)',
    );
    const second = await begin();
    await second.resource.query('insert into one values (1), (1)');
    await expect(second.commit()).rejects.toMatchObject({ code: '23505' });
    await insert(shared.lease.resource, 1);
    expect(await shared.notes()).toEqual([1]);
  });

  it('is not committed when it was lost with its connection, and says so', async () => {
    const tx = await begin();
    await insert(tx.resource, 1);
    const [backend] = await shared.watch.backends();
    const lost = new Promise(resolve => shared.lease.signal.addEventListener('abort', resolve));
    await shared.watch.terminate(backend!.pid);
    await lost;
    expect(shared.lease.broken).toBe(false);
    await expect(tx.commit()).rejects.toThrow('this query was not sent');
    expect(shared.lease.broken).toBe(true);
    expect(await shared.notes()).toEqual([]);
  });

  it('sends nothing once the lease has ended', async () => {
    const tx = await begin();
    const inner = await tx.begin();
    shared.lease.release();
    using next = await shared.pool.acquire();
    const sent = shared.sent.length;
    expect(await failureOf(inner.commit())).toBeInstanceOf(LeaseReleasedError);
    expect(await failureOf(tx.begin())).toBeInstanceOf(LeaseReleasedError);
    expect(await failureOf(tx.commit())).toBeInstanceOf(LeaseReleasedError);
    expect(shared.sent).toHaveLength(sent);
    await insert(next.resource, 1);
  });

  it('is there for each key of a keyed pool', async () => {
    const { watch } = shared;
    await using pool = new KeyedPool<string, Client>(
      keyedPgPool({ ...watch.config, maxTotal: 1, connection: () => ({}) }),
    );
    using lease = await pool.acquire('a');
    const tx = await lease.begin({ readOnly: true });
    await expect(insert(tx.resource, 1)).rejects.toMatchObject({ code: '25006' });
    await tx.rollback();
  });

  it('works in pipeline mode', async () => {
    await using pipelined = await SharedConnection.open(server, { pipeline: true });
    const tx = await pipelined.lease.begin();
    const inner = await tx.begin();
    await Promise.all([insert(tx.resource, 1), insert(tx.resource, 2)]);
    await expect(insert(pipelined.lease.share(), 9)).rejects.toThrow(TransactionOverlapError);
    await inner.commit();
    await tx.commit();
    await insert(pipelined.lease.share(), 3);
    expect(await pipelined.notes()).toEqual([1, 2, 3]);
  });
});

describe('a transaction within a transaction', () => {
  it('can be rolled back by itself, also when a statement of it has failed', async () => {
    const tx = await begin();
    await insert(tx.resource, 1);
    const inner = await tx.begin();
    await insert(tx.resource, 2);
    await failureOf(tx.resource.query('select 1 / 0'));
    await inner.rollback();
    const second = await tx.begin();
    await insert(tx.resource, 3);
    const third = await second.begin();
    await insert(tx.resource, 4);
    await third.commit();
    await second.commit();
    await tx.commit();
    expect(await shared.notes()).toEqual([1, 3, 4]);
  });

  it('that has failed is not committed, and the one around it goes on', async () => {
    const tx = await begin();
    const inner = await tx.begin();
    await failureOf(tx.resource.query('select 1 / 0'));
    await expect(inner.commit()).rejects.toThrow('There was nothing to commit');
    await insert(tx.resource, 1);
    await tx.commit();
    expect(await shared.notes()).toEqual([1]);
  });

  it('is begun beside another: the second is refused, and the first goes on', async () => {
    const tx = await begin();
    const [first, second] = await Promise.allSettled([tx.begin(), tx.begin()]);
    expect(second).toMatchObject({ status: 'rejected', reason: expect.any(TransactionOverlapError) });
    if (first.status === 'rejected') throw first.reason;
    await insert(tx.resource, 1);
    await first.value.commit();
    await tx.commit();
    expect(await shared.notes()).toEqual([1]);
  });

  it('keeps out who takes part in the one around it only, as long as it is open', async () => {
    const tx = await begin({}, true);
    const other = shared.lease.share();
    const inner = await tx.begin();
    await expect(insert(other, 9)).rejects.toThrow(TransactionOverlapError);
    await expect(tx.run(() => insert(other, 9))).rejects.toThrow(TransactionOverlapError);
    await inner.run(() => insert(other, 1));
    // Who has the client of the transaction shares it knowingly.
    await insert(tx.resource, 2);
    await inner.commit();
    await insert(other, 3);
    await tx.commit();
    expect(await shared.notes()).toEqual([1, 2, 3]);
  });

  it('leaves what it has run as a part of the one around it', async () => {
    const tx = await begin();
    const other = shared.lease.share();
    const inner = await tx.begin();
    await inner.run(async () => {
      await inner.commit();
      await insert(other, 1);
    });
    await tx.commit();
    expect(await shared.notes()).toEqual([1]);
  });

  it('lets nothing that it has run go on when it was rolled back, also not as a part of the one around it', async () => {
    const tx = await begin();
    const other = shared.lease.share();
    const inner = await tx.begin();
    await inner.run(async () => {
      await inner.rollback();
      for (const client of [tx.resource, other]) {
        await expect(insert(client, 9)).rejects.toThrow('has ended before');
      }
    });
    await insert(tx.resource, 1);
    await tx.commit();
    expect(await shared.notes()).toEqual([1]);
  });

  it('is to be ended before the one around it: that is not committed, but rolled back', async () => {
    const tx = await begin();
    const inner = await tx.begin();
    await insert(tx.resource, 9);
    await expect(tx.commit()).rejects.toThrow(
      /was not committed: one within it \(.*begin\.spec\.ts.*rolled back/,
    );
    await inner.rollback();
    await insert(shared.lease.share(), 1);
    expect(await shared.notes()).toEqual([1]);
  });

  it('goes with the one around it, and has nothing to commit then', async () => {
    const tx = await begin();
    const inner = await tx.begin();
    await tx.rollback();
    await expect(inner.commit()).rejects.toThrow('has ended before');
    await expect(inner.begin()).rejects.toThrow('has ended before');
    await insert(shared.lease.share(), 1);
    expect(await shared.notes()).toEqual([1]);
  });
});
