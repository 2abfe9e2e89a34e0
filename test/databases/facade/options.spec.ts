import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg from 'pg';
import { Pool, PoolOptionsError } from '../../../src/engine/index.js';
import { pgPool, type PgPoolOptions } from '../../../src/resources/pg.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';

describe('a pool of pg', () => {
  let server: LocalPostgres;
  let watch: PostgresWatch;

  beforeAll(async () => {
    server = await launchPostgres();
    watch = await PostgresWatch.open(server);
  });
  afterAll(async () => {
    await watch[Symbol.asyncDispose]();
    await server.close();
  });

  async function withPool<R>(
    options: Partial<PgPoolOptions>,
    work: (client: pg.Client) => Promise<R>,
  ): Promise<R> {
    const pool = new Pool(pgPool({ ...watch.config, max: 1, ...options }));
    try {
      return await pool.use(work);
    } finally {
      await pool.close({ timeout: 0 });
    }
  }

  it('takes every option that pg reads', async () => {
    const answer = await withPool(
      { binary: true, scramMaxIterations: 10_000, replication: 'database', Promise },
      async client => {
        const { rows } = await client.query('IDENTIFY_SYSTEM');
        const { binary, scramMaxIterations } = client as unknown as {
          binary: boolean;
          scramMaxIterations: number;
        };
        return { rows, binary, scramMaxIterations };
      },
    );
    expect(answer).toMatchObject({
      binary: true,
      scramMaxIterations: 10_000,
      rows: [{ dbname: 'postgres' }],
    });
  });

  it('asks for results in binary form, and still knows what it asks the server itself', async () => {
    const pool = new Pool(pgPool({ ...watch.config, max: 50, binary: true }));
    const { rows } = await pool.use(client => client.query('select $1::int as n', [7]));
    expect(rows).toEqual([{ n: 7 }]);
    expect(pool.advice().map(({ rule }) => rule)).toEqual(['server-limit']);
    await pool.close();
  });

  it('makes its connections with the class of the user', async () => {
    const seen: unknown[] = [];
    class Instrumented extends pg.Client {
      override query(...args: unknown[]): never {
        seen.push(args[0]);
        return super.query(...(args as [string])) as never;
      }
    }
    const client = await withPool({ Client: Instrumented }, async lent => {
      await lent.query('select 1');
      return lent;
    });
    expect(client).toBeInstanceOf(Instrumented);
    expect(seen).toContain('select 1');
  });

  it('refuses a class whose connection it could not watch', () => {
    class Native {}
    expect(() => pgPool({ Client: Native as never })).toThrow(PoolOptionsError);
    expect(() => pgPool({ Client: Native as never })).toThrow(
      /option "Client" is a function; it must be pg's Client/,
    );
    expect(() => pgPool({ allowExitOnIdle: 1 as never })).toThrow(/option "allowExitOnIdle"/);
  });

  const fixture = fileURLToPath(new URL('fixtures/exits.mjs', import.meta.url));
  async function run(allow: boolean): Promise<{ output: string; code: unknown }> {
    const child = spawn(process.execPath, [fixture, watch.url, String(allow)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const done = new Promise<void>(resolve => {
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString();
        if (output.includes('reset')) resolve();
      });
    });
    const exited = once(child, 'exit');
    await Promise.race([done, exited]);
    if (!allow) {
      // It has its idle connection, and stays.
      expect(child.exitCode).toBeNull();
      child.kill();
    }
    const [code] = (await exited) as [unknown];
    return { output, code };
  }

  it('lets the process end while nothing is lent if that is allowed, and not before', async () => {
    expect(await run(true)).toEqual({ output: 'answered 1\nanswered 1\nreset to 0\n', code: 0 });
    expect(await run(false)).toEqual({ output: 'answered 1\nanswered 1\nreset to 0\n', code: null });
  });
});
