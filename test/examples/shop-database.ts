import pg from 'pg';
import { until } from '../support/until.js';

const ORDERS = 'nestjs_pool_orders.orders';

/** Looks at the shop's database from beside it, and makes its queries wait. */
export class ShopDatabase implements AsyncDisposable {
  private constructor(
    private readonly client: pg.Client,
    /** Has the transaction that keeps the lock: in a transaction, pg_stat_activity never changes. */
    private readonly locker: pg.Client,
  ) {}

  static async connect(url: string): Promise<ShopDatabase> {
    return new ShopDatabase(await open(url), await open(url));
  }

  async sql<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await this.client.query<R>(text, values)).rows;
  }

  async count(condition = 'true', values: unknown[] = []): Promise<number> {
    const [row] = await this.sql<{ count: number }>(
      `select count(*)::int from ${ORDERS} where ${condition}`,
      values,
    );
    return row!.count;
  }

  /** What the shop's connections are doing, as the server sees it. */
  backends(): Promise<{ pid: number; state: string; query: string }[]> {
    return this.sql(
      `select pid, state, query from pg_stat_activity where application_name = 'orders' order by backend_start`,
    );
  }

  /** Resolves when as many queries of the shop that contain this text are under way. */
  async untilActive(text: string, number = 1): Promise<void> {
    await until(
      () => this.backends(),
      all => all.filter(({ state, query }) => state === 'active' && query.includes(text)).length === number,
    );
  }

  async untilAllIdle(): Promise<void> {
    await until(
      () => this.backends(),
      all => all.every(({ state }) => state === 'idle'),
    );
  }

  /** From now on whoever reads or writes orders waits, until {@link unlock}. */
  async lock(): Promise<void> {
    await this.locker.query('begin');
    await this.locker.query(`lock table ${ORDERS} in access exclusive mode`);
  }

  /** Also when nothing is locked. */
  async unlock(): Promise<void> {
    await this.locker.query('rollback');
  }

  /** More orders than all the buffers between the server and a client that does not read can take. */
  async addManyOrders(): Promise<void> {
    await this.sql(
      `with many as (
         insert into ${ORDERS} (customer) select repeat('many ', 200) from generate_series(1, 30000) returning id
       )
       insert into nestjs_pool_orders.order_lines select id, 1, 'Tea', 1, 1 from many`,
    );
  }

  async removeManyOrders(): Promise<void> {
    await this.sql(`delete from ${ORDERS} where customer like 'many many%'`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.end();
    await this.locker.end();
  }
}

async function open(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // The server may be stopped before we have left.
  client.on('error', () => {});
  await client.connect();
  return client;
}
