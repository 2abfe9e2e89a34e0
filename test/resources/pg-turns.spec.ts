import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client, type QueryResult } from 'pg';
import QueryStream from 'pg-query-stream';
import { Pool } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;
let pool: Pool<Client>;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(() => {
  pool = new Pool(pgPool({ connectionString: server.url, max: 1 }));
});
afterEach(() => pool.close({ timeout: 0 }));

describe('queries side by side on one client', () => {
  it('never queue in pg, which would warn of that', async () => {
    let queued = 0;
    const { query } = pg.Client.prototype;
    const spy = jest.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
      this: Client & { _queryQueue: unknown[] },
      ...args: unknown[]
    ) {
      if (this._queryQueue.length > 0) queued++;
      return (query as (...args: unknown[]) => unknown).apply(this, args);
    });
    try {
      // Made now: the first connection asks the server something of its own.
      await pool.use(() => undefined);
      spy.mockClear();
      await pool.use(client => Promise.all([1, 2, 3, 4].map(n => client.query('select $1::int', [n]))));
      expect([spy.mock.calls.length, queued]).toEqual([4, 0]);

      const plain = new pg.Client(server.url);
      await plain.connect();
      await Promise.all([1, 2, 3, 4].map(() => plain.query('select 1')));
      await plain.end();
      expect([spy.mock.calls.length, queued]).toEqual([8, 2]);
    } finally {
      spy.mockRestore();
    }
  });

  it('run in the order in which they were sent, whatever their style', async () => {
    interface Turn {
      turn: string;
    }
    const text = `select nextval('turns') as turn`;
    const turns = await pool.use(async client => {
      await client.query('create sequence turns');
      const byCallback = new Promise<string>((resolve, reject) => {
        client.query<Turn>(text, (error: Error | null, result) => {
          if (error) reject(error);
          else resolve(result.rows[0]!.turn);
        });
      });
      const promised = client.query<Turn>(text);
      const stream = client.query(
        new QueryStream(`${text} from generate_series(1, 10)`, [], { batchSize: 2 }),
      );
      const object = once(client.query(new pg.Query<Turn>(text)), 'end');
      const configured = client.query<[string]>({ text, rowMode: 'array' });
      const withValues = client.query<Turn>(`${text} where $1::int = 5`, [5]);
      const rows = (await stream.toArray()) as Turn[];
      const [result] = (await object) as [QueryResult<Turn>];
      return [
        await byCallback,
        (await promised).rows[0]!.turn,
        ...rows.map(row => row.turn),
        result.rows[0]!.turn,
        (await configured).rows[0]![0],
        (await withValues).rows[0]!.turn,
      ];
    });
    expect(turns.map(Number)).toEqual(Array.from({ length: 15 }, (_, index) => index + 1));
  });

  it('fail one by one, with the stack of their caller', async () => {
    const results = await pool.use(async client => {
      async function namedCaller(): Promise<unknown> {
        return await client.query('select 1 / 0');
      }
      return Promise.allSettled([
        client.query('select 1'),
        namedCaller(),
        client.query('select 2'),
        client.query({ text: 'select $1', values: 'no array' as never }),
        client.query('select 3'),
      ]);
    });

    expect(results.map(result => result.status)).toEqual([
      ...['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    ]);
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject({
      code: '22012',
      stack: expect.stringContaining('namedCaller'),
    });
  });

  it('may send further ones from a callback', async () => {
    const seen = await pool.use(
      client =>
        new Promise(resolve => {
          client.query('select 1', () => {
            client.query('select 2', () => {
              client.query('select 3', (_error: unknown, result: unknown) => {
                resolve((result as QueryResult).rowCount);
              });
            });
          });
          void client.query('select 4');
        }),
    );
    expect(seen).toBe(1);
  });

  it('have the connection free in the callback of the last of them, unless another waits', async () => {
    const idle = async (alsoSend: string[]): Promise<number> => {
      const lease = await pool.acquire();
      const { resource } = lease;
      return new Promise(resolve => {
        resource.query('select 1', () => {
          lease.release();
          resolve(pool.stats().idle);
        });
        for (const text of alsoSend) (resource.query(text) as Promise<unknown>).catch(() => undefined);
      });
    };
    expect(await idle([])).toBe(1);
    expect(await idle(['select 2'])).toBe(0);
    expect(await pool.use(client => client.query('select 3 as three'))).toMatchObject({
      rows: [{ three: 3 }],
    });
    expect(pool.stats().totals).toMatchObject({ created: 1 });
  });

  it('refuse nonsense where it is written', async () => {
    await pool.use(async client => {
      const running = client.query('select 1');
      expect(() => client.query(null as never)).toThrow(TypeError);
      expect(() => client.query('select 1', [], 'no function' as never)).toThrow(TypeError);
      await running;
      expect(() => client.query('select 1', [], 'no function' as never)).toThrow(TypeError);
      expect((await client.query('select 1')).rowCount).toBe(1);
    });
    expect((await pool.use(client => client.query('select 1'))).rowCount).toBe(1);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('survive one that throws when it is sent', async () => {
    const lease = await pool.acquire();
    const thrown = new Error('cannot be sent');
    const broken = new Promise(resolve => {
      const submit = (): never => {
        throw thrown;
      };
      void lease.resource.query('select 1');
      lease.resource.query({ submit, handleError: resolve } as never);
    });
    const behind = lease.resource.query('select 2');
    expect(await broken).toBe(thrown);
    await expect(behind).rejects.toThrow('this query was not sent');
    lease.release();
    expect((await pool.use(client => client.query('select 3'))).rowCount).toBe(1);
  });

  it('get their own answers behind a cursor that is closed before the server has said anything', async () => {
    const lease = await pool.acquire();
    const { resource: client } = lease;
    const stream = client.query(new QueryStream('select 0 as n')).on('error', () => {});
    stream.read();
    stream.destroy();
    const answers = await Promise.all([1, 2, 3].map(n => client.query<{ n: number }>(`select ${n} as n`)));
    expect(answers.map(answer => answer.rows)).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]);

    client
      .query(new QueryStream('select 0 as n'))
      .on('error', () => {})
      .read();
    lease.release();
    expect((await pool.use(other => other.query('select 4 as n'))).rows).toEqual([{ n: 4 }]);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('keep the query_timeout of each', async () => {
    await pool.use(async client => {
      const slow = client.query('select pg_sleep(0.2)');
      const late = client.query({ text: 'select pg_sleep(0.2)', query_timeout: 1 } as never);
      await expect(late).rejects.toThrow('Query read timeout');
      await slow;
      expect((await client.query('select 1')).rowCount).toBe(1);
    });
  });

  it('all fail when the connection goes', async () => {
    const lease = await pool.acquire();
    const { resource: client } = lease;
    const waiting = Promise.allSettled([
      client.query('select pg_terminate_backend(pg_backend_pid())'),
      client.query('select 1'),
      client.query('select 2'),
      client.query(new QueryStream('select 3')).toArray(),
    ]);
    for (const { status } of await waiting) expect(status).toBe('rejected');
    await expect(client.query('select 4')).rejects.toThrow();
    lease.release();
    expect((await pool.use(client => client.query('select 5'))).rowCount).toBe(1);
  });

  it('overlap on the wire in pipeline mode, and are reset all the same', async () => {
    await using pipelined = new Pool(pgPool({ connectionString: server.url, max: 1, pipeline: true }));
    await pipelined.use(async client => {
      const order = await Promise.all([1, 2, 3].map(n => client.query('select $1::int as n', [n])));
      expect(order.map(result => (result.rows[0] as { n: number }).n)).toEqual([1, 2, 3]);
      void client.query('listen news');
    });
    const channels = await pipelined.use(client => client.query('select pg_listening_channels()'));
    expect(channels.rowCount).toBe(0);
  });
});
