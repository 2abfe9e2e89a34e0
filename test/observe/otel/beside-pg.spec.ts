import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Attributes } from '@opentelemetry/api';
import { launchPostgres } from '../../support/postgres.js';

const FIXTURES = fileURLToPath(new URL('./fixtures', import.meta.url));

interface Seen {
  answers: string[];
  spans: { name: string; id: string; parent?: string; scope: string; attributes: Attributes }[];
  metrics: {
    scope: string;
    name: string;
    dataPoints: { attributes: Attributes; value: number | { count: number } }[];
  }[];
}

describe('an application on PostgreSQL, instrumented from its first line, beside @opentelemetry/instrumentation-pg', () => {
  let server: Awaited<ReturnType<typeof launchPostgres>>;
  let seen: Seen;
  beforeAll(async () => {
    server = await launchPostgres();
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', `${FIXTURES}/instrumentation.mjs`, `${FIXTURES}/shop.mjs`],
      { env: { ...process.env, DATABASE_URL: server.url }, maxBuffer: 10_000_000 },
    );
    seen = JSON.parse(stdout) as Seen;
  });
  afterAll(() => server.stop());

  const requests = (path: string) => seen.spans.filter(({ name }) => name.startsWith(path));
  const below = (parent: string, name: string) =>
    seen.spans.filter(span => span.parent === parent && span.name.startsWith(name));

  it('answers', () => {
    expect(seen.answers).toEqual(['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd']);
  });

  it('has each query, and each wait for the one connection, below the request that it is of', () => {
    const orders = requests('/orders');
    expect(orders).toHaveLength(4);
    for (const { id } of orders) {
      expect(below(id, 'pg.query')).toHaveLength(1);
      expect(below(id, 'nestjs-pool.acquire orders-db')).toHaveLength(1);
    }
    for (const { id } of requests('/people')) expect(below(id, 'pg-pool.connect').length).toBeGreaterThan(0);
  });

  it('has our metrics once, for each pool its own, with the target of its connection string and no secret', () => {
    const ours = seen.metrics.filter(({ scope }) => scope === 'nestjs-pool');
    const values = (name: string, pool: string): unknown[] =>
      ours
        .filter(metric => metric.name === name)
        .flatMap(({ dataPoints }) => dataPoints)
        .filter(({ attributes }) => Object.values(attributes).includes(pool))
        .map(({ value }) => value);
    expect(values('db.client.connection.limit', 'orders-db')).toEqual([1]);
    expect(values('db.client.connection.limit', 'users-db')).toEqual([3]);
    expect(values('nestjs_pool.acquires', 'orders-db')).toEqual([4]);
    expect(values('db.client.connection.wait_time', 'orders-db')).toMatchObject([{ count: 4 }]);
    expect(values('db.client.connection.create_time', 'orders-db')).toMatchObject([{ count: 1 }]);
    const { hostname, port, pathname, password } = new URL(server.url);
    expect(
      ours.find(({ name }) => name === 'db.client.connection.limit')?.dataPoints[0]?.attributes,
    ).toMatchObject({
      'db.system.name': 'postgresql',
      'db.namespace': pathname.slice(1),
      'server.address': hostname,
      'server.port': Number(port),
    });
    if (password !== '') expect(JSON.stringify(ours)).not.toContain(password);
  });

  it('adds up nothing twice: no series of the two instrumentations is the same', () => {
    const series = (ours: boolean): string[] =>
      seen.metrics
        .filter(({ scope }) => (scope === 'nestjs-pool') === ours)
        .flatMap(({ name, dataPoints }) =>
          dataPoints.map(
            ({ attributes }) => `${name} ${String(attributes['db.client.connection.pool.name'])}`,
          ),
        );
    const theirs = series(false);
    expect(theirs.length).toBeGreaterThan(0);
    expect(series(true).filter(each => theirs.includes(each))).toEqual([]);
  });
});
