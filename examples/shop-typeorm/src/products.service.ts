import { ConflictException, Injectable, NotFoundException } from '@nestjs/common';
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm';
import { DataSource, QueryFailedError, Repository } from 'typeorm';
import { Product } from './product.js';
import { Sale } from './sale.js';

const UNIQUE_VIOLATION = '23505';

/** Nothing here knows of the pool: it is TypeORM as everybody writes it. */
@Injectable()
export class ProductsService {
  constructor(
    @InjectRepository(Product) private readonly products: Repository<Product>,
    @InjectDataSource() private readonly database: DataSource,
  ) {}

  list(): Promise<Product[]> {
    return this.products.find({ order: { name: 'asc' } });
  }

  async add(name: string, stock: number): Promise<Product> {
    try {
      return await this.products.save({ name, stock });
    } catch (error) {
      const { code } = (error instanceof QueryFailedError ? error.driverError : error) as { code?: unknown };
      if (code === UNIQUE_VIOLATION) throw new ConflictException(`There is a ${name} already`);
      throw error;
    }
  }

  /** Takes from the stock and notes the sale: both, or neither. */
  sell(id: number, quantity: number): Promise<Sale> {
    return this.database.transaction(async manager => {
      const product = await manager.findOne(Product, { where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!product) throw new NotFoundException('There is no such product');
      const sale = await manager.save(Sale, { product, quantity });
      product.stock -= quantity;
      if (product.stock < 0) throw new ConflictException(`There are not ${quantity} of ${product.name}`);
      await manager.save(product);
      return sale;
    });
  }
}
