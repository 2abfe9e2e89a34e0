import { Module, type DynamicModule } from '@nestjs/common';
import type { Database } from '../database/database.js';
import { LiveOrders } from './live-orders.js';
import { OrdersController } from './orders.controller.js';
import { OrdersRepository } from './orders.repository.js';
import { OrdersService } from './orders.service.js';

@Module({})
export class OrdersModule {
  static with(database: Database): DynamicModule {
    return {
      module: OrdersModule,
      controllers: [OrdersController],
      // Of two providers of the same name the last is taken.
      providers: [OrdersService, OrdersRepository, LiveOrders, ...database.substitutes],
    };
  }
}
