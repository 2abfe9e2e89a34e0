import { Injectable } from '@nestjs/common';
import { Borrowed, InjectBorrowed } from 'nestjs-pool';
import type { Readable } from 'node:stream';
import type { Client } from 'pg';
import QueryStream from 'pg-query-stream';
import { byProduct, type NewOrder, type Order, type OrderLine } from './order.js';

/** A singleton. Every request that comes through here has a connection of its own, the same in all its steps. */
@Injectable()
export class OrdersRepository {
  constructor(@InjectBorrowed('orders-db') private readonly db: Borrowed<Client>) {}

  async find(id: number): Promise<Order | undefined> {
    const db = await this.db.get();
    const { rows } = await db.query<Order>(
      `select id::int, customer, placed_at as "placedAt",
              (select json_agg(json_build_object('product', product, 'quantity', quantity, 'priceCents', price_cents)
                               order by line)
               from order_lines where order_id = orders.id) as lines
       from orders where id = $1`,
      [id],
    );
    return rows[0];
  }

  async insert({ customer, lines }: NewOrder): Promise<number> {
    const db = await this.db.get();
    const { rows } = await db.query<{ id: number }>(
      'insert into orders (customer) values ($1) returning id::int',
      [customer],
    );
    const id = rows[0]!.id;
    for (const [index, line] of lines.entries()) await this.insertLine(id, index + 1, line);
    return id;
  }

  /** Takes what is sold from the stock; what is not in there at all is made to order. */
  async takeFromStock(lines: readonly OrderLine[]): Promise<void> {
    const db = await this.db.get();
    // All in one order, so that no two orders wait for each other.
    for (const { product, quantity } of lines.toSorted(byProduct)) {
      await db.query('update stock set quantity = quantity - $2 where product = $1', [product, quantity]);
    }
  }

  /** Tells those who listen; they hear of it when the transaction is committed. */
  async announce(id: number, { customer }: NewOrder): Promise<void> {
    const db = await this.db.get();
    await db.query(`select pg_notify('orders', $1)`, [JSON.stringify({ id, customer })]);
  }

  /** All orders, read from the server as they are wanted. The stream must be read or destroyed. */
  async streamAll(): Promise<Readable> {
    const db = await this.db.get();
    return db.query(
      new QueryStream(
        `select id, customer, placed_at, sum(quantity * price_cents) as total_cents
         from orders join order_lines on order_id = id group by id order by id`,
        [],
        { batchSize: 200, rowMode: 'array' },
      ),
    );
  }

  private async insertLine(id: number, number: number, line: OrderLine): Promise<void> {
    const db = await this.db.get();
    await db.query(
      'insert into order_lines (order_id, line, product, quantity, price_cents) values ($1, $2, $3, $4, $5)',
      [id, number, line.product, line.quantity, line.priceCents],
    );
  }
}
