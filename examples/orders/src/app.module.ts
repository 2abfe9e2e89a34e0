import { Module, type DynamicModule } from '@nestjs/common';
import { DatabaseModule } from './database/database.module.js';
import type { Database } from './database/database.js';
import { LocalDatabase } from './database/local-database.js';
import { FaultsModule } from './faults/faults.module.js';
import { OpsModule } from './ops/ops.module.js';
import { OrdersModule } from './orders/orders.module.js';

@Module({})
export class AppModule {
  static with(database: Database): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.with(database),
        OrdersModule.with(database),
        OpsModule,
        ...faultsOf(database, process.env),
      ],
    };
  }
}

/** Only where somebody wants them, and nobody else would suffer. */
function faultsOf(database: Database, { FAULTS }: NodeJS.ProcessEnv): DynamicModule[] {
  return FAULTS === 'true' && database instanceof LocalDatabase ? [FaultsModule.with(database)] : [];
}
