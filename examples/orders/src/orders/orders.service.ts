import { Injectable, NotFoundException } from '@nestjs/common';
import { Borrowed, InjectBorrowed } from 'nestjs-pool';
import type { Readable } from 'node:stream';
import type { Client } from 'pg';
import { CsvLines } from './csv-lines.js';
import type { NewOrder, Order } from './order.js';
import { OrdersRepository } from './orders.repository.js';

@Injectable()
export class OrdersService {
  constructor(
    private readonly orders: OrdersRepository,
    @InjectBorrowed('orders-db') private readonly db: Borrowed<Client>,
  ) {}

  async find(id: number): Promise<Order> {
    const order = await this.orders.find(id);
    if (!order) throw new NotFoundException(`There is no order ${id}`);
    return order;
  }

  /** One transaction: the repository works on the connection on which it was begun, as that is the request's. */
  async place(order: NewOrder): Promise<{ id: number }> {
    const db = await this.db.get();
    await db.query('begin');
    try {
      const id = await this.orders.insert(order);
      await this.orders.announce(id, order);
      await db.query('commit');
      return { id };
    } catch (error) {
      // Where this fails the connection is gone, and the transaction with it.
      await db.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  async exportCsv(): Promise<Readable> {
    return new CsvLines(['id', 'customer', 'placed_at', 'total_cents'], await this.orders.streamAll());
  }
}
