import { Injectable, NotFoundException } from '@nestjs/common';
import { Transactional } from 'nestjs-pool';
import type { Readable } from 'node:stream';
import { CsvLines } from './csv-lines.js';
import type { NewOrder, Order } from './order.js';
import { OrdersRepository } from './orders.repository.js';

@Injectable()
export class OrdersService {
  constructor(private readonly orders: OrdersRepository) {}

  async find(id: number): Promise<Order> {
    const order = await this.orders.find(id);
    if (!order) throw new NotFoundException(`There is no order ${id}`);
    return order;
  }

  /**
   * One transaction: what the repository works on is its connection. Committed when this has resolved, before anything is
   * answered; when nobody knows whether it was committed, the client is told just that.
   */
  @Transactional('orders-db')
  async place(order: NewOrder): Promise<{ id: number }> {
    const id = await this.orders.insert(order);
    await this.orders.takeFromStock(order.lines);
    await this.orders.announce(id, order);
    return { id };
  }

  async exportCsv(): Promise<Readable> {
    return new CsvLines(['id', 'customer', 'placed_at', 'total_cents'], await this.orders.streamAll());
  }
}
