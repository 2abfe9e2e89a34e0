import { Inject, Injectable } from '@nestjs/common';
import type { Connection as ConnectionWithCallbacks, ResultSetHeader, RowDataPacket } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { getBorrowedToken, type Borrowed } from 'nestjs-pool';
import type { Readable } from 'node:stream';
import { byProduct, type NewOrder, type Order, type OrderLine } from '../orders/order.js';
import type { OrdersRepository } from '../orders/orders.repository.js';

type Rows<R> = (R & RowDataPacket)[];

/** The statements of {@link OrdersRepository}, for MariaDB. */
@Injectable()
export class MariadbOrdersRepository implements Pick<OrdersRepository, keyof OrdersRepository> {
  constructor(@Inject(getBorrowedToken('orders-db')) private readonly db: Borrowed<Connection>) {}

  async find(id: number): Promise<Order | undefined> {
    const db = await this.db.get();
    const [orders] = await db.query<Rows<Omit<Order, 'lines'>>>(
      'select id, customer, placed_at as placedAt from orders where id = ?',
      [id],
    );
    if (!orders[0]) return undefined;
    const [lines] = await db.query<Rows<OrderLine>>(
      'select product, quantity, price_cents as priceCents from order_lines where order_id = ? order by line',
      [id],
    );
    return { ...orders[0], lines };
  }

  async insert({ customer, lines }: NewOrder): Promise<number> {
    const db = await this.db.get();
    const [{ insertId }] = await db.query<ResultSetHeader>('insert into orders (customer) values (?)', [
      customer,
    ]);
    for (const [index, line] of lines.entries()) await this.insertLine(insertId, index + 1, line);
    return insertId;
  }

  async takeFromStock(lines: readonly OrderLine[]): Promise<void> {
    const db = await this.db.get();
    for (const { product, quantity } of lines.toSorted(byProduct)) {
      await db.query('update stock set quantity = quantity - ? where product = ?', [quantity, product]);
    }
  }

  /**
   * Gives the order the next number of those by which {@link MariadbLiveOrders} finds what is new. The counter is locked
   * until the transaction ends, so that numbers appear in their order and none is missed.
   */
  async announce(id: number): Promise<void> {
    const db = await this.db.get();
    await db.query('update announcements set latest = latest + 1');
    await db.query('update orders set announced = (select latest from announcements) where id = ?', [id]);
  }

  /** All orders, read from the server as they are wanted. The stream must be read or destroyed. */
  async streamAll(): Promise<Readable> {
    const db = await this.db.get();
    return withCallbacks(db)
      .query({
        sql: `select id, customer, placed_at, sum(quantity * price_cents) as total_cents
              from orders join order_lines on order_id = id group by id order by id`,
        rowsAsArray: true,
      })
      .stream({ highWaterMark: 200 });
  }

  private async insertLine(id: number, number: number, line: OrderLine): Promise<void> {
    const db = await this.db.get();
    await db.query(
      'insert into order_lines (order_id, line, product, quantity, price_cents) values (?, ?, ?, ?, ?)',
      [id, number, line.product, line.quantity, line.priceCents],
    );
  }
}

/** Only this one streams rows. It is there, although the types do not tell. */
function withCallbacks(db: Connection): ConnectionWithCallbacks {
  return (db as Connection & { connection: ConnectionWithCallbacks }).connection;
}
