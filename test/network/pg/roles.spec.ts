import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { Pool, type Lease } from '../../../src/engine/index.js';
import { pgPool, type PgPoolOptions } from '../../../src/resources/pg.js';
import { failureOf } from '../../support/follow.js';
import { until } from '../../support/until.js';

let first: LocalPostgres;
let second: LocalPostgres;
/** Looks at the first from outside. */
let admin: Client;

beforeAll(async () => {
  [first, second] = await Promise.all([startPostgres(), startPostgres()]);
  admin = new pg.Client(first.url);
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  for (const server of [first, second]) await server.close();
});
afterEach(() => makeReadOnly(false));

async function makeReadOnly(readOnly: boolean): Promise<void> {
  await admin.query('set default_transaction_read_only = off');
  await admin.query(
    readOnly
      ? 'alter system set default_transaction_read_only = on'
      : 'alter system reset default_transaction_read_only',
  );
  await admin.query('select pg_reload_conf()');
  await admin.query('reset default_transaction_read_only');
  await until(
    () => only(admin, 'show default_transaction_read_only'),
    setting => setting === (readOnly ? 'on' : 'off'),
  );
}

const at = ({ port }: LocalPostgres): string => `127.0.0.1:${port}`;
const pool = (options: PgPoolOptions = {}): Pool<Client> =>
  new Pool(
    pgPool({
      ...{ hosts: [at(first), at(second)], user: 'postgres', database: 'postgres', max: 3 },
      ...{ targetSessionAttrs: 'read-write', validateAfterIdle: Infinity, ...options },
    }),
  );
const only = async (client: Client, text: string): Promise<unknown> =>
  Object.values((await client.query<Record<string, unknown>>(text)).rows[0]!)[0];
const portOf = (client: Client): Promise<unknown> => only(client, 'select inet_server_port()');
const leases = (from: Pool<Client>, count: number): Promise<Lease<Client>[]> =>
  Promise.all(Array.from({ length: count }, () => from.acquire()));

const untilDestroyed = async (from: Pool<Client>, expected: Record<string, number>): Promise<void> => {
  await until(
    () => from.stats().totals.destroyedBy as Record<string, number>,
    seen => Object.entries(expected).every(([reason, count]) => seen[reason] === count),
  );
};

describe('a primary that is made read-only', () => {
  it('loses all its connections when one has been told, those that are leased when they come back', async () => {
    await using orders = pool();
    const held = await leases(orders, 3);
    for (const { resource } of held) expect(await portOf(resource)).toBe(first.port);
    const [telling, idle, leased] = held as [Lease<Client>, Lease<Client>, Lease<Client>];
    idle.release();
    await makeReadOnly(true);

    // A statement that reads succeeds, and with its end the server says what it is.
    expect(await portOf(telling.resource)).toBe(first.port);
    telling.release();
    await untilDestroyed(orders, { invalid: 1, 'reset-failed': 1 });
    expect(leased.signal.aborted).toBe(false);
    expect(await portOf(leased.resource)).toBe(first.port);
    leased.release();
    await untilDestroyed(orders, { invalid: 1, 'reset-failed': 2 });

    await orders.use(client => client.query('create temp table written (n int)'));
    expect(await orders.use(portOf)).toBe(second.port);
  });

  it('gets no write of a borrower when connections are validated first', async () => {
    await using orders = pool({ validateAfterIdle: 0 });
    for (const lease of await leases(orders, 3)) lease.release();
    await makeReadOnly(true);
    const made = await Promise.all(
      Array.from({ length: 9 }, () =>
        orders.use(client => client.query('create temp table if not exists w (n int)')),
      ),
    );
    expect(made).toHaveLength(9);
    await untilDestroyed(orders, { invalid: 3 });
    expect(await orders.use(portOf)).toBe(second.port);
  });

  it.each<[string, PgPoolOptions]>([
    ['any server', { targetSessionAttrs: 'any' }],
    ['a primary, whether it can be written to or not', { targetSessionAttrs: 'primary' }],
  ])('keeps the connections of a pool that wants %s', async (_what, options) => {
    await using orders = pool({ max: 1, ...options });
    await orders.use(portOf);
    await makeReadOnly(true);
    for (let i = 0; i < 2; i++) expect(await orders.use(portOf)).toBe(first.port);
    expect(orders.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('loses them once, and no more, in a pool that knows no other server', async () => {
    const options = pgPool({ connectionString: first.url, max: 1, validateAfterIdle: Infinity });
    await using orders = new Pool(options);
    await orders.use(portOf);
    await makeReadOnly(true);
    for (let i = 0; i < 4; i++) expect(await orders.use(portOf)).toBe(first.port);
    await untilDestroyed(orders, { 'reset-failed': 1 });
    expect(orders.stats().totals.created).toBe(2);
  });

  it.each<[string, PgPoolOptions]>([
    ['auto', { sessionReset: 'auto' }],
    ['always', { sessionReset: 'always' }],
    ['never', { sessionReset: 'never' }],
  ])('is not what a borrower makes of its own session: sessionReset %s', async (_mode, options) => {
    await using orders = pool({ max: 1, ...options });
    for (let i = 0; i < 3; i++) {
      await orders.use(client => client.query('set default_transaction_read_only = on'));
      await orders.use(async client => {
        await client.query('begin read only');
        await client.query('commit');
      });
    }
    expect(orders.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });
});

describe('a standby that is promoted', () => {
  it('loses the connections of pools that want a standby, and gets those of pools that want a primary', async () => {
    await using primary = await startPostgres();
    await using standby = await startPostgres({ standbyOf: primary });
    const over = (targetSessionAttrs: NonNullable<PgPoolOptions['targetSessionAttrs']>): Pool<Client> =>
      pool({ hosts: [at(primary), at(standby)], targetSessionAttrs, max: 1, unavailableAfter: 1 });
    await using wantsStandby = over('standby');
    await using prefersStandby = over('prefer-standby');
    await using wantsPrimary = over('primary');
    const readers = [wantsStandby, prefersStandby];
    for (const reader of readers) expect(await reader.use(portOf)).toBe(standby.port);
    expect(await wantsPrimary.use(portOf)).toBe(primary.port);

    await primary.stop();
    const promoter = new pg.Client(standby.url);
    await promoter.connect();
    await promoter.query('select pg_promote()');
    await promoter.end();

    for (const reader of readers) {
      expect(await reader.use(portOf)).toBe(standby.port);
      await until(
        () => reader.stats().totals.destroyedBy['reset-failed'],
        count => count === 1,
      );
    }
    expect(await prefersStandby.use(portOf)).toBe(standby.port);
    expect(await prefersStandby.use(portOf)).toBe(standby.port);
    expect(prefersStandby.stats().totals.created).toBe(2);
    expect(await failureOf(wantsStandby.acquire())).toMatchObject({
      message: expect.stringContaining(`${at(standby)}: it is a primary, but the pool wants: standby`),
    });
    expect(await wantsPrimary.use(portOf)).toBe(standby.port);
  });
});
