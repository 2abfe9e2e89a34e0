import { Module, type DynamicModule } from '@nestjs/common';
import { LocalDatabase } from '../database/local-database.js';
import { FaultsController } from './faults.controller.js';

@Module({})
export class FaultsModule {
  /** @param database one that is the shop's own: others may need theirs */
  static with(database: LocalDatabase): DynamicModule {
    return {
      module: FaultsModule,
      controllers: [FaultsController],
      providers: [{ provide: LocalDatabase, useValue: database }],
    };
  }
}
