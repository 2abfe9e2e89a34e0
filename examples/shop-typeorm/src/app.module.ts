import { Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { PoolHealthModule } from 'nestjs-pool/terminus';
import { DatabaseModule } from './database.module.js';
import { Product } from './product.js';
import { ProductsController } from './products.controller.js';
import { ProductsService } from './products.service.js';
import { Sale } from './sale.js';
import { StatsController } from './stats.controller.js';

@Module({})
export class AppModule {
  static with(databaseUrl: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.with(databaseUrl),
        TypeOrmModule.forFeature([Product, Sale]),
        PoolHealthModule.forRoot({ pools: ['shop-db'] }),
      ],
      controllers: [ProductsController, StatsController],
      providers: [ProductsService],
    };
  }
}
