import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import type { PoolStats } from '../../src/index.js';
import { Call, get, type Answer } from '../support/http-client.js';
import { until } from '../support/until.js';
import { ShopDatabase } from './shop-database.js';
import { ShopProcess } from './shop-process.js';

const TEA = { product: 'Tea', quantity: 2, priceCents: 450 };
const CUP = { product: 'Cup', quantity: 1, priceCents: 900 };

let postgres: LocalPostgres;
let database: ShopDatabase;
let shop: ShopProcess;

beforeAll(async () => {
  postgres = await startPostgres({ database: 'shop' });
  shop = await ShopProcess.open({ DATABASE_URL: postgres.url });
  database = await ShopDatabase.connect(postgres.url);
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await postgres.close();
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

async function untilLeased(leased: number): Promise<void> {
  await until(
    async () => (await poolStats()).leased,
    seen => seen === leased,
  );
}

describe('the shop', () => {
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
    ['a number that no order can have', '/orders/99999999999999999999', 400],
  ])('answers to %s', async (_what, path, status) => {
    expect((await get(shop.url + path)).status).toBe(status);
  });

  it('places an order', async () => {
    const { status, body } = await place({ customer: 'Ada', lines: [TEA, CUP] });
    expect(status).toBe(201);
    const { id } = JSON.parse(body) as { id: number };
    expect(await json(`/orders/${id}`)).toMatchObject({ id, customer: 'Ada', lines: [TEA, CUP] });
  });

  it.each([
    ['no body', undefined],
    ['no lines', { customer: 'Refused', lines: [] }],
    ['lines that are none', { customer: 'Refused', lines: [null] }],
    ['a quantity that is no whole number', { customer: 'Refused', lines: [{ ...TEA, quantity: 1.5 }] }],
    ['no customer', { lines: [TEA] }],
  ])('refuses %s, and borrows nothing for it', async (_what, body) => {
    const { acquired } = (await poolStats()).totals;
    expect((await place(body)).status).toBe(400);
    expect((await poolStats()).totals.acquired).toBe(acquired);
  });

  it.each([
    ['a constraint is violated', { ...CUP, quantity: -1 }],
    ['a number is too large', { ...CUP, quantity: 2 ** 40 }],
  ])('rolls the whole order back when %s in its second line', async (_what, line) => {
    expect((await place({ customer: 'Refused', lines: [TEA, line] })).status).toBe(400);
    expect(await database.count(`customer = 'Refused'`)).toBe(0);
    await database.untilAllIdle();
  });

  it('finds its orders again when it is started a second time', async () => {
    const orders = await database.count();
    await using second = await ShopProcess.open({ DATABASE_URL: postgres.url });
    expect(second.output).toContain('which has orders already');
    expect(await database.count()).toBe(orders);
  });
});

describe('the export', () => {
  it('has all orders', async () => {
    const { headers, body } = await get(`${shop.url}/orders/export`);
    const lines = body.trimEnd().split('\r\n');
    expect(headers['content-type']).toBe('text/csv');
    expect(lines[0]).toBe('id,customer,placed_at,total_cents');
    expect(lines).toHaveLength(1 + (await database.count()));
  });

  it('quotes what would break a line', async () => {
    const { body } = await place({ customer: 'Ada, "the\nfirst"', lines: [TEA] });
    const { id } = JSON.parse(body) as { id: number };
    expect((await get(`${shop.url}/orders/export`)).body).toContain(`\r\n${id},"Ada, ""the\nfirst""",`);
  });

  describe('of more than all buffers can take', () => {
    beforeAll(() => database.addManyOrders());
    afterAll(() => database.removeManyOrders());

    it('holds a connection while it is being read, and gives it back at the end', async () => {
      const call = new Call(`${shop.url}/orders/export`);
      await call.firstBytes();
      await database.untilActive('from orders join order_lines');
      // Ten other requests have come and gone meanwhile.
      for (let id = 1; id <= 10; id++) await get(`${shop.url}/orders/${id}`);
      expect((await poolStats()).leased).toBe(1);
      expect((await database.backends()).filter(({ state }) => state === 'active')).toHaveLength(1);

      const { body } = await call.answer();
      expect(body.endsWith('\r\n')).toBe(true);
      await untilLeased(0);
      await database.untilAllIdle();
    });

    it('gives its connection back when the client leaves half-way', async () => {
      const call = new Call(`${shop.url}/orders/export`);
      await call.firstBytes();
      await database.untilActive('from orders join order_lines');
      const before = await database.backends();
      call.leave();
      await untilLeased(0);
      await database.untilAllIdle();
      // The same connections: nothing had to be destroyed.
      expect(await database.backends()).toEqual(before.map(({ pid }) => expect.objectContaining({ pid })));
    });
  });

  it('keeps its connection for as long as a query runs on it that nobody waits for any more', async () => {
    await database.lock();
    const call = new Call(`${shop.url}/orders/export`);
    await database.untilActive('from orders join order_lines');
    call.leave();
    // The shop has seen the client leave before it answers what was asked later.
    for (let i = 0; i < 10; i++) await get(`${shop.url}/health/live`);
    expect(await poolStats()).toMatchObject({ leased: 1, resetting: 0 });
    await database.unlock();
    await untilLeased(0);
    await database.untilAllIdle();
  });

  it('ends, and gives its connection back, when the connection dies under it', async () => {
    await database.lock();
    const call = new Call(`${shop.url}/orders/export`);
    await database.untilActive('from orders join order_lines');
    await database.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'orders'`,
    );
    await expect(call.answer()).rejects.toThrow();
    await untilLeased(0);
  });
});

describe('the live orders', () => {
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

  it('tell every subscriber of every order, with a connection for each of them', async () => {
    const subscribers = [await subscribe(), await subscribe()];
    expect((await poolStats()).leased).toBe(2);
    const { body } = await place({ customer: 'Grace', lines: [TEA] });
    const { id } = JSON.parse(body) as { id: number };
    for (const { call, heard } of subscribers) {
      await until(heard, text =>
        text.includes(`event: order\nid: 1\ndata: {"id":${id},"customer":"Grace"}\n`),
      );
      call.leave();
    }
  });

  it('do not tell of an order that was refused', async () => {
    const { call, heard } = await subscribe();
    await place({ customer: 'Refused', lines: [TEA, { ...CUP, quantity: -1 }] });
    await place({ customer: 'Grace', lines: [TEA] });
    await until(heard, text => text.includes('Grace'));
    expect(heard()).not.toContain('Refused');
    call.leave();
  });

  it('leave no LISTEN behind when the subscriber leaves', async () => {
    const { call } = await subscribe();
    const listening = (await database.backends()).filter(({ query }) => query === 'listen orders');
    expect(listening).toHaveLength(1);
    call.leave();
    await until(
      async () => (await database.backends()).find(({ pid }) => pid === listening[0]!.pid),
      backend => backend?.state === 'idle' && backend.query === 'DISCARD ALL',
    );
  });

  it('end when their connection dies, so that the subscriber can come again', async () => {
    const { call } = await subscribe();
    const [listening] = (await database.backends()).filter(({ query }) => query === 'listen orders');
    await database.sql('select pg_terminate_backend($1)', [listening!.pid]);
    const response = await call.response;
    await until(
      () => response.complete,
      complete => complete,
    );
  });
});

describe('the health of the shop', () => {
  const ready = async (): Promise<number> => (await get(`${shop.url}/health/ready`)).status;

  it('is down while the database is, and up again after it', async () => {
    expect(await ready()).toBe(200);
    await postgres.stop();
    await until(ready, status => status === 503);
    expect((await get(`${shop.url}/health/live`)).status).toBe(200);
    const refused = await get(`${shop.url}/orders/1`);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);

    await postgres.start();
    await until(ready, status => status === 200);
    database = await ShopDatabase.connect(postgres.url);
    expect((await get(`${shop.url}/orders/1`)).status).toBe(200);
  });
});

describe('a shop on PostgreSQL', () => {
  it('loads nothing that only MariaDB needs', async () => {
    const hook = `
      export function resolve(specifier, context, next) {
        if (/mysql|mariadb/.test(specifier)) throw new Error('loaded ' + specifier);
        return next(specifier, context);
      }`;
    const refusing = `
      import { register } from 'node:module';
      register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
    await using open = await ShopProcess.open({
      DATABASE_URL: postgres.url,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(refusing)}`,
    });
    expect((await get(`${open.url}/orders/1`)).status).toBe(200);

    await using other = ShopProcess.start({
      DATABASE: 'mariadb',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(refusing)}`,
    });
    expect(await other.exit).toEqual({ code: 1, signal: null });
    expect(other.output).toContain('loaded ../mariadb/mariadb-database.js');
  });
});

describe('a shop that cannot open', () => {
  it('says in one line that its database does not answer, and keeps the password to itself', async () => {
    await using closed = ShopProcess.start({ DATABASE_URL: 'postgresql://ada:secret@127.0.0.1:1/shop' });
    expect(await closed.exit).toEqual({ code: 1, signal: null });
    expect(closed.output).toBe(
      'The database of DATABASE_URL cannot be used: connect ECONNREFUSED 127.0.0.1:1\n',
    );
  });

  it('says that its port is taken, without a stack', async () => {
    const { port } = new URL(shop.url);
    await using second = ShopProcess.start({ PORT: port });
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.output).toMatch(new RegExp(`^Cannot listen on port ${port}: .*EADDRINUSE`, 'm'));
    expect(second.output).not.toMatch(/^ +at /m);
  });
});
