import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import type { LockableDatabase } from '../../examples/busy-shop.js';
import { until } from '../../support/until.js';

const SCHEMA = 'nestjs_pool_orders';

/** Looks at the shop's MariaDB from beside it, and makes its queries wait. */
export class MariadbShopDatabase implements LockableDatabase, AsyncDisposable {
  private constructor(
    private readonly client: Connection,
    /** Has the lock. */
    private readonly locker: Connection,
  ) {}

  static async connect(url: string): Promise<MariadbShopDatabase> {
    return new MariadbShopDatabase(await open(url), await open(url));
  }

  async sql<R>(text: string, values: unknown[] = []): Promise<R[]> {
    const [rows] = await this.client.query<RowDataPacket[]>(text, values);
    return rows as R[];
  }

  async count(condition = 'true'): Promise<number> {
    const [row] = await this.sql<{ orders: number }>(
      `select count(*) as orders from ${SCHEMA}.orders where ${condition}`,
    );
    return row!.orders;
  }

  /** The shop's connections, as the server sees them, and what they are doing: the others are at no database of the shop. */
  sessions(): Promise<{ id: number; query: string | null }[]> {
    return this.sql(`select id, info as query from information_schema.processlist where db = ? order by id`, [
      SCHEMA,
    ]);
  }

  /** Resolves when as many queries of the shop that contain this text are under way. */
  async untilActive(text: string, number = 1): Promise<void> {
    await until(
      () => this.sessions(),
      all => all.filter(({ query }) => query?.includes(text)).length === number,
    );
  }

  /** Resolves when no transaction is open. */
  async untilNoTransaction(): Promise<void> {
    await until(
      () => this.sql('select trx_mysql_thread_id, trx_query from information_schema.innodb_trx'),
      open => open.length === 0,
    );
  }

  /** @returns how many there were */
  async killAll(): Promise<number> {
    const sessions = await this.sessions();
    for (const { id } of sessions) await this.client.query(`kill ${id}`);
    return sessions.length;
  }

  /** From now on whoever reads or writes orders waits, until {@link unlock}. */
  async lock(): Promise<void> {
    await this.locker.query(`lock tables ${SCHEMA}.orders write`);
  }

  /** Also when nothing is locked. */
  async unlock(): Promise<void> {
    await this.locker.query('unlock tables');
  }

  /** More orders than all the buffers between the server and a client that does not read can take. */
  async addManyOrders(): Promise<void> {
    await this.sql(
      `insert into ${SCHEMA}.orders (customer) select repeat('many ', 200) from ${SCHEMA}.orders a, seq_1_to_5 b`,
    );
    await this.sql(
      `insert into ${SCHEMA}.order_lines select id, 1, 'Tea', 1, 1 from ${SCHEMA}.orders where customer like 'many many%'`,
    );
  }

  async removeManyOrders(): Promise<void> {
    await this.sql(`delete from ${SCHEMA}.orders where customer like 'many many%'`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy();
    this.locker.destroy();
  }
}

async function open(url: string): Promise<Connection> {
  const client = await mysql.createConnection(url);
  // The server may be stopped before we have left.
  client.on('error', () => {});
  return client;
}
