import { BadRequestException, Body, Controller, Get, Param, ParseIntPipe, Post } from '@nestjs/common';
import type { Product } from './product.js';
import { ProductsService } from './products.service.js';
import type { Sale } from './sale.js';

@Controller('products')
export class ProductsController {
  constructor(private readonly products: ProductsService) {}

  @Get()
  list(): Promise<Product[]> {
    return this.products.list();
  }

  @Post()
  add(@Body('name') name: unknown, @Body('stock') stock: unknown): Promise<Product> {
    if (typeof name !== 'string' || name === '') throw new BadRequestException('name must say something');
    return this.products.add(name, positive(stock, 'stock'));
  }

  @Post(':id/sales')
  sell(@Param('id', ParseIntPipe) id: number, @Body('quantity') quantity: unknown): Promise<Sale> {
    return this.products.sell(id, positive(quantity, 'quantity'));
  }
}

function positive(value: unknown, name: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 1_000_000) {
    throw new BadRequestException(`${name} must be a number from 1 to 1000000`);
  }
  return number;
}
