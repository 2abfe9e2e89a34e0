import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import type { PoolStats } from '../../../src/index.js';
import { ExampleProcess } from '../../examples/example-process.js';
import { Call, get, type Answer } from '../../support/http-client.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';

/** Of the pool of the example. */
const MAX = 10;

let postgres: LocalPostgres;
let watch: PostgresWatch;
let shop: ExampleProcess;

beforeAll(async () => {
  postgres = await launchPostgres();
  watch = await PostgresWatch.open(postgres);
  shop = await new ExampleProcess('shop-typeorm', { DATABASE_URL: postgres.url }).opened('/health/ready\n');
});
afterAll(async () => {
  await shop[Symbol.asyncDispose]();
  await watch[Symbol.asyncDispose]();
  await postgres.close();
});

const post = (path: string, body: unknown): Promise<Answer> =>
  new Call(`${shop.url}/${path}`, { method: 'POST', body }).answer();
const json = ({ body }: Answer): unknown => JSON.parse(body);
const stats = async (): Promise<PoolStats> => json(await get(`${shop.url}/pool`)) as PoolStats;
const connections = async (): Promise<number[]> => {
  const rows = await watch.sql<{ pid: number }>(
    `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  return rows.map(({ pid }) => pid);
};

describe('the example with TypeORM', () => {
  it('keeps products, and refuses one that is there already, which costs no connection', async () => {
    expect(await post('products', { name: 'apple', stock: 100 })).toMatchObject({ status: 201 });
    expect((await post('products', { name: 'apple', stock: 1 })).status).toBe(409);
    expect(json(await get(`${shop.url}/products`))).toEqual([{ id: 1, name: 'apple', stock: 100 }]);
    expect((await stats()).totals.destroyed).toBe(0);
  });

  it('sells no more than there is, however many buy at once, on no more connections than it may have', async () => {
    const sales = await Promise.all(
      Array.from({ length: 60 }, () => post('products/1/sales', { quantity: 2 })),
    );
    expect(sales.filter(({ status }) => status === 201)).toHaveLength(50);
    expect(sales.filter(({ status }) => status === 409)).toHaveLength(10);
    expect(json(await get(`${shop.url}/products`))).toEqual([{ id: 1, name: 'apple', stock: 0 }]);
    expect(await watch.sql('select count(*)::int as n from sales')).toEqual([{ n: 50 }]);
    expect((await connections()).length).toBeLessThanOrEqual(MAX);
    await until(stats, ({ leased, waiting }) => leased + waiting === 0);
  });

  it('goes on when its connections have died, and is ready', async () => {
    for (const pid of await connections()) await watch.terminate(pid);
    await until(stats, ({ idle }) => idle === 0);
    expect((await get(`${shop.url}/products`)).status).toBe(200);
    expect((await get(`${shop.url}/health/ready`)).status).toBe(200);
  });

  it('ends with 0 when it is told to stop, without a connection left', async () => {
    shop.kill('SIGTERM');
    expect(await shop.exit).toEqual({ code: 0, signal: null });
    await until(connections, left => left.length === 0);
  });
});
