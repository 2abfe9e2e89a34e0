import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import pg from 'pg';
import type { KeyedPoolStats } from '../../src/index.js';
import { Call, get, type Answer } from '../support/http-client.js';
import { until } from '../support/until.js';
import { ExampleProcess } from './example-process.js';

const TENANTS = ['acme', 'globex', 'initech'];

let postgres: LocalPostgres;
let app: ExampleProcess;
let observer: pg.Client;

beforeAll(async () => {
  postgres = await startPostgres({ database: 'tenants' });
  app = await new ExampleProcess('tenants', { DATABASE_URL: postgres.url }).opened('globex');
  observer = new pg.Client(postgres.url);
  await observer.connect();
});

afterAll(async () => {
  await observer.end();
  await app[Symbol.asyncDispose]();
  await postgres.close();
});

/** The answer to a request of a tenant. */
const as = (tenant: string, path: string, body?: unknown): Promise<Answer> =>
  new Call(`${app.url}/${path}`, {
    headers: { 'x-tenant': tenant },
    ...(body !== undefined && { method: 'POST', body }),
  }).answer();
const json = ({ body }: Answer): Record<string, unknown> => JSON.parse(body) as Record<string, unknown>;
const stats = async (): Promise<KeyedPoolStats> => json(await get(`${app.url}/pools`)).all as KeyedPoolStats;

describe('the example with tenants', () => {
  it('shows each tenant its own data', async () => {
    for (const tenant of TENANTS) await as(tenant, 'notes', { text: `of ${tenant}` });
    for (const tenant of TENANTS) {
      expect(json(await as(tenant, 'notes'))).toEqual([{ id: 1, text: `of ${tenant}` }]);
    }
  });

  it('asks who it is for, and lets no name through that is not a tenant’s', async () => {
    expect((await get(`${app.url}/notes`)).status).toBe(400);
    expect((await as('public; drop schema public', 'notes')).status).toBe(404);
  });

  it('never lends a session of one tenant to another, nor what a request has left in it, under load', async () => {
    const most = { all: 0, one: 0 };
    const watching = new AbortController();
    const watched = (async () => {
      while (!watching.signal.aborted) {
        const { rows } = await observer.query<{ n: number }>(
          "select count(*)::int as n from pg_stat_activity where application_name = 'tenants'",
        );
        most.all = Math.max(most.all, rows[0]!.n);
        const { tenants } = json(await get(`${app.url}/pools`)) as {
          tenants: Record<string, { total: number }>;
        };
        most.one = Math.max(most.one, ...Object.values(tenants).map(({ total }) => total));
      }
    })();
    const visitors = Array.from({ length: 24 }, async (_, visitor) => {
      for (let round = 0; round < 25; round++) {
        const tenant = TENANTS[(visitor + round) % TENANTS.length]!;
        const mark = `${tenant} ${visitor} ${round}`;
        const session = { tenant: `nestjs_pool_tenant_${tenant}` };
        expect(json(await as(tenant, 'notes/session', { text: mark }))).toEqual({
          ...session,
          remembered: mark,
        });
        expect(json(await as(tenant, 'notes/session'))).toEqual({ ...session, remembered: null });
      }
    });
    await Promise.all(visitors);
    watching.abort();
    await watched;

    // As many as there may be, and never more: neither of all, nor of one.
    expect(most.all).toBeGreaterThanOrEqual(4);
    expect(most.all).toBeLessThanOrEqual(6);
    expect(most.one).toBeGreaterThanOrEqual(2);
    expect(most.one).toBeLessThanOrEqual(3);
    await until(stats, ({ leased, waiting }) => leased + waiting === 0);
  });

  it('closes all of them, and ends with 0, when it is told to stop', async () => {
    app.kill('SIGTERM');
    expect(await app.exit).toEqual({ code: 0, signal: null });
    await until(
      async () =>
        (await observer.query("select 1 from pg_stat_activity where application_name = 'tenants'")).rowCount,
      count => count === 0,
    );
  });
});
