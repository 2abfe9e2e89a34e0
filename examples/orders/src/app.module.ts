import { Module, type DynamicModule } from '@nestjs/common';
import { DatabaseModule } from './database/database.module.js';
import type { Database } from './database/database.js';
import { OpsModule } from './ops/ops.module.js';
import { OrdersModule } from './orders/orders.module.js';

@Module({})
export class AppModule {
  static with(database: Database): DynamicModule {
    return {
      module: AppModule,
      imports: [DatabaseModule.with(database), OrdersModule.with(database), OpsModule],
    };
  }
}
