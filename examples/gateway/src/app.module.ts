import { Module, type DynamicModule } from '@nestjs/common';
import { PoolHealthModule } from 'nestjs-pool/terminus';
import { ExportController } from './export.controller.js';
import { ProductsController } from './products.controller.js';
import { QuotesController } from './quotes.controller.js';
import { SessionsModule, type Upstreams } from './sessions.module.js';
import { StatsController } from './stats.controller.js';

@Module({})
export class AppModule {
  static with(upstreams: Upstreams): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SessionsModule.with(upstreams),
        // Not the prices: without them there are products still, and another gateway would ask the same upstream in vain.
        PoolHealthModule.forRoot({ pools: ['catalog'] }),
      ],
      controllers: [ProductsController, ExportController, QuotesController, StatsController],
    };
  }
}
