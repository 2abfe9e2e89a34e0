import {
  Body,
  Controller,
  Get,
  Param,
  ParseIntPipe,
  Post,
  Sse,
  StreamableFile,
  UseFilters,
  type MessageEvent,
} from '@nestjs/common';
import { Borrow } from 'nestjs-pool';
import { Client } from 'pg';
import type { Observable } from 'rxjs';
import { DatabaseErrorFilter } from './database-error.filter.js';
import { LiveOrders } from './live-orders.js';
import { NewOrderPipe } from './new-order.pipe.js';
import type { NewOrder, Order } from './order.js';
import { OrdersService } from './orders.service.js';

@Controller('orders')
@UseFilters(DatabaseErrorFilter)
export class OrdersController {
  constructor(
    private readonly orders: OrdersService,
    private readonly liveOrders: LiveOrders,
  ) {}

  /** Holds a connection until the last row has been read from the database, or the client has left. */
  @Get('export')
  async export(): Promise<StreamableFile> {
    return new StreamableFile(await this.orders.exportCsv(), {
      type: 'text/csv',
      disposition: 'attachment; filename="orders.csv"',
    });
  }

  /** Holds a connection per subscriber. With many of them, let one connection listen for all. */
  @Sse('live')
  live(@Borrow('orders-db') db: Client): Observable<MessageEvent> {
    return this.liveOrders.from(db);
  }

  @Get(':id')
  find(@Param('id', ParseIntPipe) id: number): Promise<Order> {
    return this.orders.find(id);
  }

  @Post()
  place(@Body(NewOrderPipe) order: NewOrder): Promise<{ id: number }> {
    return this.orders.place(order);
  }
}
