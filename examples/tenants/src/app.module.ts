import { Module, type DynamicModule } from '@nestjs/common';
import { NotesController } from './notes/notes.controller.js';
import { NotesRepository } from './notes/notes.repository.js';
import { PoolsController } from './ops/pools.controller.js';
import { TenantsModule } from './tenants/tenants.module.js';

@Module({})
export class AppModule {
  static with(connectionString: string): DynamicModule {
    return {
      module: AppModule,
      imports: [TenantsModule.with(connectionString)],
      controllers: [NotesController, PoolsController],
      providers: [NotesRepository],
    };
  }
}
