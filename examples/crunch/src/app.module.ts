import { Module, type DynamicModule } from '@nestjs/common';
import { StatsController } from './ops/stats.controller.js';
import { PageController } from './page/page.controller.js';
import { PicturesController } from './pictures/pictures.controller.js';
import { PrimesController } from './primes/primes.controller.js';
import { WorkersModule } from './workers/workers.module.js';

@Module({})
export class AppModule {
  static with(workers: number): DynamicModule {
    return {
      module: AppModule,
      imports: [WorkersModule.with(workers)],
      controllers: [PageController, PrimesController, PicturesController, StatsController],
    };
  }
}
