import { Controller, Get, Logger } from '@nestjs/common';
import { BorrowSignal, messageOf } from 'nestjs-pool';
import { InjectHttp, type HttpSession } from 'nestjs-pool/http';
import { ask } from './ask.js';

interface Product {
  readonly id: string;
  readonly name: string;
}

@Controller('products')
export class ProductsController {
  private readonly log = new Logger('Products');

  constructor(
    @InjectHttp('catalog') private readonly catalog: HttpSession,
    @InjectHttp('prices') private readonly prices: HttpSession,
  ) {}

  /** Both are asked at once. Prices that do not come in time are null: unknown. */
  @Get()
  async list(@BorrowSignal() signal: AbortSignal): Promise<(Product & { price: number | null })[]> {
    const [products, prices] = await Promise.all([
      ask(this.catalog, 'products', { signal }) as Promise<Product[]>,
      this.pricesIfKnown(signal),
    ]);
    return products.map(({ id, name }) => ({ id, name, price: numberOrNull(prices[id]) }));
  }

  private async pricesIfKnown(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    try {
      return { ...((await ask(this.prices, 'prices', { signal })) as object) };
    } catch (error) {
      this.log.warn(`Prices are unknown: ${messageOf(error)}`);
      return {};
    }
  }
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
