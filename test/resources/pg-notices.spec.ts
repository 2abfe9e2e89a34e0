import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { KeyedPool, Pool } from '../../src/engine/index.js';
import {
  keyedPgPool,
  pgPool,
  type NoticeSource,
  type PgNotice,
  type PgPoolOptions,
} from '../../src/resources/pg.js';
import { launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());

const one = (options: PgPoolOptions): Pool<Client> =>
  new Pool(pgPool({ name: 'orders', connectionString: server.url, max: 1, ...options }));

const SAY = `do $$ begin raise warning 'low on ink' using hint = 'buy some', errcode = 'P0007'; end $$`;

describe('what the server remarks', () => {
  it('is told to onNotice, with where it is from', async () => {
    const told: [PgNotice, NoticeSource][] = [];
    await using pool = one({ onNotice: (notice, source) => void told.push([notice, source]) });
    const pid = await pool.use(async client => {
      await client.query(SAY);
      return (client as unknown as { processID: number }).processID;
    });
    expect(told).toEqual([
      [
        expect.objectContaining({
          severity: 'WARNING',
          message: 'low on ink',
          hint: 'buy some',
          code: 'P0007',
        }),
        { pool: 'orders', key: undefined, processId: pid },
      ],
    ]);
    expectTypeOf<Parameters<NonNullable<PgPoolOptions['onNotice']>>>().toEqualTypeOf<
      [PgNotice, NoticeSource]
    >();
  });

  it('is told with its key', async () => {
    const keys: unknown[] = [];
    await using pool = new KeyedPool(
      keyedPgPool({
        ...{ connectionString: server.url, maxTotal: 2, connection: (_key: string) => ({}) },
        onNotice: (_notice, { key }) => keys.push(key),
      }),
    );
    await pool.use('red', client => client.query(SAY));
    await pool.use('blue', client => client.query(SAY));
    expect(keys).toEqual(['red', 'blue']);
  });

  it('is told also after a borrower has removed all listeners', async () => {
    const told: unknown[] = [];
    await using pool = one({ onNotice: ({ message }) => told.push(message) });
    await pool.use(async client => {
      client.removeAllListeners('notice');
      await client.query(SAY);
    });
    expect(told).toEqual(['low on ink']);
  });

  it('is told to a borrower that listens, and not to the next one', async () => {
    await using pool = one({});
    const told: unknown[] = [];
    await pool.use(async client => {
      client.on('notice', ({ message }) => told.push(message));
      await client.query(SAY);
    });
    await pool.use(client => client.query(SAY));
    expect(told).toEqual(['low on ink']);
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no paper');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no paper'))],
  ])('disturbs nobody when onNotice %s, and that is told once', async (_how, onNotice) => {
    await using pool = one({ onNotice });
    const warned = jest.spyOn(process, 'emitWarning').mockReturnValue();
    await pool.use(async client => {
      await client.query(SAY);
      await client.query(SAY);
    });
    expect(warned.mock.calls.map(([warning]) => warning)).toEqual([
      'onNotice of pool "orders" has failed: no paper. What it throws is dropped; this is told once.',
    ]);
    warned.mockRestore();
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it('cannot be told to what is no function', () => {
    expect(() => one({ onNotice: 'log' as never })).toThrow(
      'Pool "orders": option "onNotice" is a string; it must be a function of a notice and where it is from.',
    );
  });
});
