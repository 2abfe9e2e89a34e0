import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { Pool, type Advice, type Capacity } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';

let server: LocalPostgres;
let admin: pg.Client;

beforeAll(async () => {
  server = await startPostgres({ maxConnections: 30, superuserReserved: 3 });
  admin = new pg.Client(server.url);
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await server.close();
});

/** What is told of a pool of this user, as soon as the server has answered. */
async function told(options: {
  user?: string;
  database?: string;
  max: number;
  processes?: number;
}): Promise<{ capacity: Capacity | undefined; told: Advice[]; advice: Advice[] }> {
  const { user = 'postgres', database = 'postgres', ...settings } = options;
  const { factory } = pgPool({ host: '127.0.0.1', port: server.port, user, database });
  const told: Advice[] = [];
  let answered: Promise<Capacity | undefined> | undefined;
  await using pool = new Pool<Client>({
    ...settings,
    factory: {
      ...factory,
      capacity: () => (answered = Promise.resolve(factory.capacity?.())),
    },
    listeners: [{ onAdvice: ({ advice }) => told.push(advice) }],
  });
  await pool.use(client => client.query('select 1'));
  await Promise.all([
    pool.use(client => client.query('select 2')),
    pool.use(client => client.query('select 3')),
  ]);
  const capacity = await answered;
  return { capacity, told, advice: pool.advice().filter(({ rule }) => rule === 'server-limit') };
}

describe('the limit of the server', () => {
  it('is that of all connections, of which a superuser may use each', async () => {
    const { capacity, advice } = await told({ max: 30 });
    expect(capacity).toEqual({ limit: 30, name: 'max_connections', reserved: 0 });
    expect(advice).toEqual([]);
  });

  it('is told once when max, times processes, does not fit', async () => {
    const { told: once, advice } = await told({ max: 11, processes: 3 });
    expect(advice).toMatchObject([{ numbers: { wanted: 33, admitted: 30, processes: 3 } }]);
    expect(advice[0]?.text).toBe(
      'The pool may open 11 resources in each of 3 processes, 33 together, but the server admits 30 (max_connections ' +
        'is 30). Lower max to 10 or less, or raise the limit of the server.',
    );
    expect(once).toEqual(advice);
  });

  it('is that of the role, where it has one, and of the database', async () => {
    await admin.query('create role few login connection limit 4');
    await admin.query('create database fewer connection limit 3');
    const byRole = await told({ user: 'few', max: 5 });
    expect(byRole.capacity).toEqual({ limit: 4, name: 'CONNECTION LIMIT of the role' });
    expect(byRole.advice[0]?.text).toContain(
      'admits 4 (CONNECTION LIMIT of the role is 4). Lower max to 4 or less',
    );
    expect((await told({ user: 'few', max: 4 })).advice).toEqual([]);
    const byDatabase = await told({ user: 'few', database: 'fewer', max: 4 });
    expect(byDatabase.capacity).toEqual({ limit: 3, name: 'CONNECTION LIMIT of the database' });
    expect(byDatabase.advice).toHaveLength(1);
    // As the server has it, too: they do not hold for superusers.
    expect((await told({ database: 'fewer', max: 20 })).advice).toEqual([]);
  });

  it('is less what is reserved, for those who may not use that', async () => {
    await admin.query('create role plain login');
    await admin.query('create role privileged login');
    await admin.query('grant pg_use_reserved_connections to privileged');
    await admin.query('alter system set reserved_connections = 2');
    await admin.end();
    await server.stop();
    await server.start();
    admin = new pg.Client(server.url);
    await admin.connect();
    const [forSuperusers, forPrivileged] = [3, 2];
    const name = 'max_connections';
    expect((await told({ user: 'plain', max: 1 })).capacity).toEqual({
      limit: 30,
      reserved: forSuperusers + forPrivileged,
      name,
    });
    expect((await told({ user: 'privileged', max: 1 })).capacity).toEqual({
      limit: 30,
      reserved: forSuperusers,
      name,
    });
    expect((await told({ max: 1 })).capacity).toMatchObject({ reserved: 0 });
    expect((await told({ user: 'plain', max: 30 - forSuperusers - forPrivileged })).advice).toEqual([]);
    expect((await told({ user: 'plain', max: 31 - forSuperusers - forPrivileged })).advice).toHaveLength(1);
  });

  it('is nothing to a borrower whose connection has gone before it was told', async () => {
    const pool = new Pool(pgPool({ connectionString: server.url }));
    const lease = await pool.acquire();
    lease.destroy();
    await lease.finished;
    const { rows } = await pool.use(client => client.query('select 1 as one'));
    expect(rows).toEqual([{ one: 1 }]);
    await pool.close();
  });
});

describe('advice of a pool of PostgreSQL', () => {
  it('is none when all is well', async () => {
    await using pool = new Pool(pgPool({ connectionString: server.url, max: 5 }));
    for (let i = 0; i < 50; i++) await pool.use(client => client.query('select 1'));
    expect(pool.advice()).toEqual([]);
  });

  it('misses the reset of a factory that has none', async () => {
    const connect = async (): Promise<pg.Client> => {
      const client = new pg.Client(server.url);
      await client.connect();
      return client;
    };
    await using pool = new Pool({ create: connect, destroy: client => client.end() });
    for (let i = 0; i < 2; i++) await pool.use(client => client.query('select 1'));
    expect(pool.advice()).toMatchObject([{ rule: 'no-reset', numbers: { borrows: 2, created: 1 } }]);
  });
});
