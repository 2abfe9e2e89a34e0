import { EventEmitter, once } from 'node:events';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';

import QueryStream from 'pg-query-stream';
import { Pool, type Lease } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { Cursor } from '../support/pg-cursor.js';
import { launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;
let pool: Pool<Client>;
let lease: Lease<Client>;
let client: Client;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  pool = new Pool(pgPool({ connectionString: server.url, password: 's3cret', max: 1 }));
  lease = await pool.acquire();
  client = lease.resource;
});
afterEach(() => pool.close({ timeout: 0 }));

/** Ends the borrow, and begins the next. */
async function handOver(): Promise<Client> {
  lease.release();
  lease = await pool.acquire();
  return lease.resource;
}

interface Inside {
  processID: number;
  secretKey: number;
  _connected: boolean;
  tenant?: string;
}
const inside = (of: Client): Inside => of as unknown as Inside;

describe('what a borrower gets', () => {
  it('is a client, of the class that its pg knows', () => {
    expect(client).toBeInstanceOf(pg.Client);
    expect(client).toBeInstanceOf(EventEmitter);
    expect(client.constructor).toBe(pg.Client);
  });

  it('queries in every form', async () => {
    expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    expect((await client.query('select $1::int as n', [2])).rows).toEqual([{ n: 2 }]);
    expect((await client.query({ text: 'select 3', rowMode: 'array' })).rows).toEqual([[3]]);
    const called = await new Promise(resolve => {
      client.query('select $1::int as n', [4], (_error, result) => resolve(result.rows));
    });
    expect(called).toEqual([{ n: 4 }]);
    const [result] = (await once(client.query(new pg.Query('select 5 as n')), 'end')) as [pg.QueryResult];
    expect(result.rows).toEqual([{ n: 5 }]);
    const cursor = client.query(new Cursor('select generate_series(1, 3) as n'));
    expect([await cursor.read(2), await cursor.read(2)]).toEqual([[{ n: 1 }, { n: 2 }], [{ n: 3 }]]);
    await cursor.close();
    const stream = client.query(new QueryStream('select generate_series(1, 3) as n'));
    expect(await stream.toArray()).toHaveLength(3);
    await expect(client.query('select nonsense')).rejects.toMatchObject({ code: '42703' });
    expect(() => client.query(null as never)).toThrow(TypeError);
  });

  it('has what a client has: its connection, its numbers, its ways to escape and to parse', async () => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    expect(inside(client).processID).toBe(rows[0]!.pid);
    expect(inside(client)._connected).toBe(true);
    expect(client.connection.stream.destroyed).toBe(false);
    expect([client.port, client.escapeIdentifier('a"b'), client.escapeLiteral("a'b")]).toEqual([
      ...[server.port, '"a""b"', "'a''b'"],
    ]);
    const parse = client.getTypeParser(pg.types.builtins.INT4) as (text: string) => unknown;
    expect(parse('7')).toBe(7);
    expect('query' in client && 'port' in client).toBe(true);
  });

  it('listens and emits as the client itself', async () => {
    const heard: unknown[] = [];
    const listener = (message: { channel: string }): void => void heard.push(message.channel);
    expect(client.on('notification', listener)).toBe(client);
    await client.query('listen news; notify news');
    client.off('notification', listener);
    const later = once(client, 'notification');
    await client.query('notify news');
    expect(await later).toMatchObject([{ channel: 'news' }]);
    expect(heard).toEqual(['news']);
    (client as EventEmitter).once('mine', word => heard.push(word));
    client.emit('mine', 'word');
    expect([heard.at(-1), client.listenerCount('mine')]).toEqual(['word', 0]);
  });

  it('works where its methods are called through a proxy, or on an object that inherits from it', async () => {
    const proxied = new Proxy(client, {});
    const heir = Object.create(client) as Client;
    expect((await proxied.query('select 1')).rowCount).toBe(1);
    expect((await heir.query('select 1')).rowCount).toBe(1);
    lease.release();
    await expect(proxied.query('select 1')).rejects.toThrow('has been released');
    await expect(heir.query('select 1')).rejects.toThrow('has been released');
  });

  it('shows itself as a client, and no password', async () => {
    expect(() => inspect(Object.getPrototypeOf(client), { showHidden: true })).not.toThrow();
    const shown = inspect(client, { depth: 9 });
    expect(shown).toMatch(/^Client \{/);
    expect(shown).toContain(`port: ${server.port}`);
    expect(shown).not.toMatch(/s3cret|Symbol\(borrow\)/);
  });

  it('ends the connection, which is not lent again', async () => {
    await client.end();
    const next = await handOver();
    expect((await next.query('select 1')).rowCount).toBe(1);
    expect(pool.stats().totals.created).toBe(2);
  });

  it('has not just broken when it was ended within a transaction: that cannot go on with another one', async () => {
    await client.query('begin');
    await client.end();
    expect(lease.broken).toBe(false);
    await expect(client.query('rollback')).rejects.toThrow('the borrower has ended the connection');
    expect(lease.broken).toBe(true);
  });

  it('is the client itself once it has been detached', async () => {
    const real = lease.detach();
    expect((await real.query('select 1')).rowCount).toBe(1);
    expect((await client.query('select 2')).rowCount).toBe(1);
    await real.end();
    await expect(client.query('select 3')).rejects.toThrow('the borrower has ended the connection');
  });
});

describe('what a borrower does to it', () => {
  it('is gone with the borrow: a patched query, a property, a redefined or deleted one', async () => {
    const seen: unknown[] = [];
    const { query } = client;
    const patched = (...args: unknown[]): unknown => {
      seen.push(args[0]);
      return Reflect.apply(query, client, args);
    };
    client.query = patched as Client['query'];
    inside(client).tenant = 'A';
    Object.defineProperty(client, 'port', { value: 1 });
    Reflect.deleteProperty(client, 'host');
    client.database = 'elsewhere';
    await client.query('select 1');
    expect([seen, inside(client).tenant, client.port]).toEqual([['select 1'], 'A', 1]);

    const next = await handOver();
    await next.query('select 2');
    expect(seen).toEqual(['select 1']);
    expect([inside(next).tenant, next.port, next.database]).toEqual([undefined, server.port, 'postgres']);
    expect(next.host).toBe('127.0.0.1');
    expect(pool.stats().totals.created).toBe(1);
  });

  it('is gone when the next one has asked before', async () => {
    inside(client).tenant = 'A';
    const next = pool.acquire();
    lease.release();
    lease = await next;
    expect(inside(lease.resource).tenant).toBeUndefined();
  });
});
