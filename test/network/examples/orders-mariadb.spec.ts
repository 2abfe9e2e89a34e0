import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalMariadb } from 'local-mariadb';
import type { PoolStats } from '../../../src/index.js';
import { BusyShop, expectFinished } from '../../examples/busy-shop.js';
import { ShopProcess, isRefused } from '../../examples/shop-process.js';
import { Call, get, type Answer } from '../../support/http-client.js';
import { describeWithMariadb, launchMariadb } from '../../support/mariadb.js';
import { until } from '../../support/until.js';
import { Customers } from './customers.js';
import { MariadbShopDatabase } from './mariadb-shop-database.js';

const TEA = { product: 'Tea', quantity: 2, priceCents: 450 };
const CUP = { product: 'Cup', quantity: 1, priceCents: 900 };
/** The shop's `max` and `maxWaiting`. */
const MAX = 10;
const MAX_WAITING = 200;
/** How many orders are placed between two faults. */
const A_FEW = 50;

/** Where what was committed outlives a killed server, and the clock is in another zone than the shop's. */
const launch = (): Promise<LocalMariadb> =>
  launchMariadb({ options: ['--innodb-flush-log-at-trx-commit=1', '--default-time-zone=+05:00'] });

/** A server sees that a connection has ended a moment after its client. */
async function untilSessions(database: MariadbShopDatabase, number: number): Promise<void> {
  await until(
    () => database.sessions(),
    sessions => sessions.length === number,
  );
}

describeWithMariadb('the shop on MariaDB', () => {
  let mariadb: LocalMariadb;
  let database: MariadbShopDatabase;
  let shop: ShopProcess;

  beforeAll(async () => {
    mariadb = await launch();
    shop = await ShopProcess.open({ DATABASE_URL: mariadb.url, TZ: 'America/New_York' });
    database = await MariadbShopDatabase.connect(mariadb.url);
  });

  afterAll(async () => {
    await database[Symbol.asyncDispose]();
    await shop[Symbol.asyncDispose]();
    await mariadb.close();
  });

  afterEach(async () => {
    // Whatever a test has borrowed is back before the next one begins.
    await database.unlock();
    await untilLeased(0);
  });

  const json = async (path: string): Promise<unknown> => JSON.parse((await get(shop.url + path)).body);
  const place = (body: unknown): Promise<Answer> =>
    new Call(`${shop.url}/orders`, { method: 'POST', body }).answer();
  const poolStats = async (): Promise<PoolStats> => ((await json('/pools')) as [PoolStats])[0];
  const ready = async (): Promise<number> => (await get(`${shop.url}/health/ready`)).status;

  async function untilLeased(leased: number): Promise<void> {
    await until(
      async () => (await poolStats()).leased,
      seen => seen === leased,
    );
  }

  async function untilReady(status: number): Promise<void> {
    await until(ready, seen => seen === status);
  }

  it('says where its orders are, without the account', () => {
    expect(shop.output).toContain(
      `MariaDB at 127.0.0.1:${mariadb.port}, database nestjs_pool_orders, now filled with 5000 orders.`,
    );
  });

  it('reads an order with its lines', async () => {
    expect(await json('/orders/2')).toEqual({
      id: 2,
      customer: 'Customer 2',
      placedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      lines: ['Product 2', 'Product 4', 'Product 6'].map(product => expect.objectContaining({ product })),
    });
  });

  it.each([
    ['an order that does not exist', '/orders/99999999', 404],
    ['a number that is none', '/orders/abc', 400],
  ])('answers to %s', async (_what, path, status) => {
    expect((await get(shop.url + path)).status).toBe(status);
  });

  it('places an order, at the time that it is in UTC', async () => {
    const before = Date.now();
    const { status, body } = await place({ customer: 'Ada 🫖', lines: [TEA, CUP] });
    expect(status).toBe(201);
    const { id } = JSON.parse(body) as { id: number };
    const order = (await json(`/orders/${id}`)) as { placedAt: string };
    expect(order).toMatchObject({ id, customer: 'Ada 🫖', lines: [TEA, CUP] });
    expect(Date.parse(order.placedAt)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(order.placedAt)).toBeLessThanOrEqual(Date.now());
  });

  it.each([
    ['a constraint is violated', { ...CUP, quantity: -1 }, 'violates order_lines.quantity'],
    ['a number is too large', { ...CUP, quantity: 2 ** 40 }, 'a value is out of range'],
  ])('rolls the whole order back when %s in its second line', async (_what, line, reason) => {
    const { created, destroyed } = (await poolStats()).totals;
    const { status, body } = await place({ customer: 'Refused', lines: [TEA, line] });
    expect(status).toBe(400);
    expect(body).toContain(`Refused by the database: ${reason}`);
    await database.untilNoTransaction();
    expect(await database.count(`customer = 'Refused'`)).toBe(0);
    // It was not the connection's fault.
    expect((await poolStats()).totals).toMatchObject({ created, destroyed });
  });

  it('finds its orders again when it is started a second time', async () => {
    const orders = await database.count();
    await using second = await ShopProcess.open({ DATABASE_URL: mariadb.url, DATABASE: 'mariadb' });
    expect(second.output).toContain('which has orders already');
    expect(await database.count()).toBe(orders);
  });

  describe('exports', () => {
    it('all orders', async () => {
      const { headers, body } = await get(`${shop.url}/orders/export`);
      const lines = body.trimEnd().split('\r\n');
      expect(headers['content-type']).toBe('text/csv');
      expect(lines[0]).toBe('id,customer,placed_at,total_cents');
      expect(lines[1]).toMatch(/^1,Customer 1,\d{4}-\d\d-\d\dT[\d:.]+Z,\d+$/);
      expect(lines).toHaveLength(1 + (await database.count()));
    });

    describe('of more than all buffers can take', () => {
      beforeAll(() => database.addManyOrders());
      afterAll(() => database.removeManyOrders());

      it('hold a connection while they are being read, and give it back at the end', async () => {
        const call = new Call(`${shop.url}/orders/export`);
        await call.firstBytes();
        await database.untilActive('from orders join order_lines');
        // Ten other requests have come and gone meanwhile.
        for (let id = 1; id <= 10; id++) await get(`${shop.url}/orders/${id}`);
        expect((await poolStats()).leased).toBe(1);

        const { body } = await call.answer();
        expect(body.endsWith('\r\n')).toBe(true);
        await untilLeased(0);
      });

      it('end at the server, too, when the client leaves half-way', async () => {
        const call = new Call(`${shop.url}/orders/export`);
        await call.firstBytes();
        await database.untilActive('from orders join order_lines');
        call.leave();
        await untilLeased(0);
        await database.untilActive('from orders join order_lines', 0);
      });

      it('are cut off, and not taken for complete, when their connection dies', async () => {
        const call = new Call(`${shop.url}/orders/export`);
        await call.firstBytes();
        await database.untilActive('from orders join order_lines');
        await database.killAll();
        const response = await call.response;
        await expect(call.rest().then(() => response.complete)).rejects.toThrow();
        await untilLeased(0);
      });
    });
  });

  describe('tells live', () => {
    async function subscribe(): Promise<{ call: Call; heard: () => string }> {
      const call = new Call(`${shop.url}/orders/live`);
      const response = await call.response;
      let heard = '';
      response.setEncoding('utf8').on('data', (text: string) => (heard += text));
      response.on('error', () => undefined);
      await until(
        () => heard,
        text => text.includes(': listening'),
      );
      return { call, heard: () => heard };
    }

    it('every subscriber of every order, with a connection for each of them', async () => {
      const subscribers = [await subscribe(), await subscribe()];
      expect((await poolStats()).leased).toBe(2);
      const placed = await Promise.all(
        Array.from({ length: 20 }, () => place({ customer: 'Grace', lines: [TEA] })),
      );
      const ids = placed.map(({ body }) => (JSON.parse(body) as { id: number }).id).sort();
      for (const { call, heard } of subscribers) {
        const told = (): number[] =>
          [...heard().matchAll(/^data: {"id":(\d+),"customer":"Grace"}$/gm)].map(([, id]) => Number(id));
        await until(told, seen => seen.length >= ids.length);
        expect(told().sort()).toEqual(ids);
        call.leave();
      }
    });

    it('of no order that was refused', async () => {
      const { call, heard } = await subscribe();
      await place({ customer: 'Refused', lines: [TEA, { ...CUP, quantity: -1 }] });
      await place({ customer: 'Grace', lines: [TEA] });
      await until(heard, text => text.includes('Grace'));
      expect(heard()).not.toContain('Refused');
      call.leave();
    });

    it('nobody any more when the connection dies, so that the subscriber can come again', async () => {
      const { call } = await subscribe();
      await database.killAll();
      const response = await call.response;
      await until(
        () => response.complete,
        complete => complete,
      );
    });
  });

  it('refuses with 503 and Retry-After what is too much, and serves the others', async () => {
    const { refused } = (await poolStats()).totals;
    await database.lock();
    const served = Array.from({ length: MAX }, () => get(`${shop.url}/orders/42`));
    await database.untilActive('from orders where id', MAX);
    const others = Array.from({ length: MAX_WAITING + 20 }, () => get(`${shop.url}/orders/42`));
    const first = await Promise.race(others);
    expect(first).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(first.body).not.toMatch(/orders-db|mariadb|127\.0\.0\.1/i);
    expect((await poolStats()).totals.refused).toBeGreaterThan(refused);

    await database.unlock();
    for (const { status } of await Promise.all(served)) expect(status).toBe(200);
    for (const { status, headers } of await Promise.all(others)) {
      if (status !== 200)
        expect({ status, wait: headers['retry-after'] }).toEqual({ status: 503, wait: '1' });
    }
    expect(await ready()).toBe(200);
  });

  it('comes back from a killed server, a stopped one and killed connections, and loses no order', async () => {
    const customers = new Customers(shop.url, 2 * MAX);
    const untilMore = async (): Promise<void> => {
      const placed = customers.told('placed');
      await until(
        () => customers.told('placed'),
        seen => seen >= placed + A_FEW,
        30_000,
      );
    };

    for (const end of ['kill', 'stop'] as const) {
      await untilMore();
      await mariadb[end]();
      await untilReady(503);
      expect((await get(`${shop.url}/health/live`)).status).toBe(200);
      const refused = await get(`${shop.url}/orders/1`);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      await mariadb.start();
      await untilReady(200);
      await database[Symbol.asyncDispose]();
      database = await MariadbShopDatabase.connect(mariadb.url);
    }
    await untilMore();
    expect(await database.killAll()).toBeGreaterThan(0);
    await untilMore();
    await customers.leave();

    expect(customers.told('refused')).toBeGreaterThan(0);
    expect(customers.told('unknown')).toBeGreaterThan(0);
    await untilLeased(0);
    await database.untilNoTransaction();
    await customers.expectBalance(database);
    const { total, idle } = await poolStats();
    expect(idle).toBe(total);
    await untilSessions(database, total);
  });
});

describeWithMariadb('a shop with a MariaDB of its own', () => {
  const open = (): Promise<ShopProcess> => ShopProcess.open({ DATABASE: 'mariadb' });

  it('on SIGTERM is not ready, finishes its requests and ends with 0, its database gone', async () => {
    await using busy = await BusyShop.of(await open(), ({ databasePort }) =>
      MariadbShopDatabase.connect(`mysql://root@127.0.0.1:${databasePort}/orders`),
    );
    const { shop } = busy;
    shop.kill('SIGTERM');
    const notReady = await until(
      () => get(`${shop.url}/health/ready`),
      ({ status }) => status === 503,
    );
    expect(notReady.body).toContain('the application is shutting down');
    expect((await get(`${shop.url}/health/live`)).status).toBe(200);

    expectFinished(await busy.finish());
    expect(await isRefused(shop.databasePort)).toBe(true);
  });

  it('on SIGTERM under load loses no order that it has confirmed', async () => {
    await using mariadb = await launch();
    await using shop = await ShopProcess.open({ DATABASE_URL: mariadb.url });
    await using database = await MariadbShopDatabase.connect(mariadb.url);
    const customers = new Customers(shop.url, 2 * MAX);
    await until(
      () => customers.told('placed'),
      placed => placed >= A_FEW,
    );
    shop.kill('SIGTERM');
    expect(await shop.exit).toEqual({ code: 0, signal: null });
    await customers.leave();
    await untilSessions(database, 0);
    await customers.expectBalance(database);
  });

  it('fills an empty database once, when two are started at the same time', async () => {
    await using mariadb = await launch();
    await using database = await MariadbShopDatabase.connect(mariadb.url);
    await database.sql(`select get_lock('nestjs_pool_orders', 0)`);
    await using one = ShopProcess.start({ DATABASE_URL: mariadb.url });
    await using two = ShopProcess.start({ DATABASE_URL: mariadb.url });
    await until(
      () => database.sql(`select id from information_schema.processlist where info like 'select get_lock%'`),
      waiting => waiting.length === 2,
      30_000,
    );
    await database.sql(`select release_lock('nestjs_pool_orders')`);
    await one.opened();
    await two.opened();
    expect(await database.count()).toBe(5_000);
  });

  it('is not opened on a server that is no MariaDB', async () => {
    await using mysql = await launchMariadb({ options: ['--version=8.0.36'] });
    await using closed = ShopProcess.start({ DATABASE_URL: mysql.url });
    expect(await closed.exit).toEqual({ code: 1, signal: null });
    expect(closed.output).toBe(
      'The database of DATABASE_URL cannot be used: the server is 8.0.36, and not a MariaDB\n',
    );
  });
});

describe('a shop that cannot open', () => {
  const endOf = async (environment: NodeJS.ProcessEnv): Promise<string> => {
    await using closed = ShopProcess.start(environment);
    expect(await closed.exit).toEqual({ code: 1, signal: null });
    return closed.output;
  };

  it.each([
    [
      'that its MariaDB does not answer',
      { DATABASE_URL: 'mysql://ada:secret@127.0.0.1:1/shop' },
      'The database of DATABASE_URL cannot be used: connect ECONNREFUSED 127.0.0.1:1\n',
    ],
    [
      'that its URL is none',
      { DATABASE_URL: 'mysql://ada:secret@[/shop' },
      'The database of DATABASE_URL cannot be used: Invalid URL\n',
    ],
    [
      'that its URL is that of a PostgreSQL',
      { DATABASE: 'mariadb', DATABASE_URL: 'postgresql://ada:secret@127.0.0.1:1/shop' },
      'DATABASE is mariadb, but DATABASE_URL is that of another kind of database\n',
    ],
    [
      'that its URL is that of a MariaDB',
      { DATABASE: 'postgres', DATABASE_URL: 'mysql://ada:secret@127.0.0.1:1/shop' },
      'DATABASE is postgres, but DATABASE_URL is that of another kind of database\n',
    ],
    [
      'which databases there are',
      { DATABASE: 'oracle' },
      'DATABASE is "oracle"; it must be postgres or mariadb\n',
    ],
  ])('says in one line %s, and keeps the password to itself', async (_what, environment, line) => {
    expect(await endOf(environment)).toBe(line);
  });

  it('says what to install where there is no MariaDB', async () => {
    const hidden = `
      import fs, { constants } from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      const { accessSync } = fs;
      fs.accessSync = (path, mode) => {
        if (mode === constants.X_OK && path.includes('mariadb')) throw new Error('not here');
        accessSync(path, mode);
      };
      syncBuiltinESMExports();`;
    const output = await endOf({
      DATABASE: 'mariadb',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hidden)}`,
    });
    expect(output).toMatch(
      /^There is no mariadbd and no mariadb-install-db .*apt-get install mariadb-server\n$/,
    );
  });
});
