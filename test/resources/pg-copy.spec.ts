import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { from, to, type CopyStreamQuery, type CopyToStreamQuery } from 'pg-copy-streams';
import { LeaseReleasedError, Pool } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;
let watch: PostgresWatch;
let pool: Pool<Client>;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
  await watch.sql('drop table if exists notes');
  await watch.sql('create table notes (n int)');
  // What is on its way of a million rows is read before it ends: a busy machine needs longer than a reset usually has.
  pool = new Pool(pgPool({ ...watch.config, max: 1, acquireTimeout: 30_000, resetTimeout: 30_000 }));
});
afterEach(async () => {
  await pool.close({ timeout: 0 });
  await watch[Symbol.asyncDispose]();
});

const IN = 'copy notes from stdin';
const OUT = 'copy (select n from generate_series(1, 1000000) as n) to stdout';

const copyIn = (client: Client): CopyStreamQuery => client.query(from(IN));
const copyOut = (client: Client): CopyToStreamQuery => client.query(to(OUT));

const notes = async (): Promise<unknown[]> =>
  (await watch.sql<{ n: number }>('select n from notes order by n')).map(row => row.n);

/** What comes next gets its own answer, from the same connection or a new one. */
const nextBorrower = (): Promise<unknown> =>
  pool.use(async client => (await client.query<{ n: number }>('select 7 as n')).rows);

describe('COPY', () => {
  it('puts rows in, and takes them out, between other queries', async () => {
    await pool.use(async client => {
      const before = client.query('select pg_sleep(0.01)');
      await pipeline(Readable.from(['1\n', '2\n']), copyIn(client));
      await before;
      const [out, { rows }] = await Promise.all([
        buffer(copyOut(client)),
        client.query<{ n: number }>('select n from notes order by n'),
      ]);
      expect(out.toString().split('\n')).toHaveLength(1_000_001);
      expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
    });
    expect(await nextBorrower()).toEqual([{ n: 7 }]);

    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it.each([
    ['in', copyIn],
    ['out', copyOut],
  ])('%s whose turn has not come fails when its lease ends, and is not sent', async (_, copy) => {
    const lease = await pool.acquire();
    lease.resource.query('select pg_sleep(0.05)').catch(() => undefined);
    const stream = copy(lease.resource);
    const failed = once(stream, 'error');
    if ('write' in stream) stream.end('1\n');
    lease.release();
    expect((await failed)[0]).toBeInstanceOf(LeaseReleasedError);
    expect(await nextBorrower()).toEqual([{ n: 7 }]);

    expect(await notes()).toEqual([]);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  const leaveHalfRead: [string, (stream: CopyToStreamQuery) => unknown][] = [
    ['waits for more', stream => stream.once('error', () => undefined)],
    ['has had enough', stream => stream.destroy()],
  ];
  it.each(leaveHalfRead)(
    'out that is half read by who %s when its lease ends is cancelled',
    async (_, leave) => {
      const lease = await pool.acquire();
      const stream = copyOut(lease.resource);
      await once(stream, 'readable');
      stream.read();
      leave(stream);
      lease.release();
      await lease.finished;
      expect(pool.stats()).toMatchObject({ idle: 1, totals: { created: 1, destroyed: 0 } });
      expect(await nextBorrower()).toEqual([{ n: 7 }]);
    },
  );

  it('in that is half written when its lease ends writes nothing', async () => {
    const lease = await pool.acquire();
    const stream = copyIn(lease.resource);
    const failed = once(stream, 'error');
    await new Promise<void>(resolve => void stream.write('1\n', () => resolve()));
    lease.release();
    expect(await nextBorrower()).toEqual([{ n: 7 }]);
    expect(String((await failed)[0])).toContain('COPY');
    expect(await notes()).toEqual([]);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });
});
