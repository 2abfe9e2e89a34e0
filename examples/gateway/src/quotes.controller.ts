import { BadRequestException, Body, Controller, Post } from '@nestjs/common';
import { BorrowSignal } from 'nestjs-pool';
import { InjectHttp, type HttpSession } from 'nestjs-pool/http';
import { ask } from './ask.js';

@Controller('quotes')
export class QuotesController {
  constructor(@InjectHttp('prices') private readonly prices: HttpSession) {}

  /** Sent once: where no answer comes (502, 504), there may be a quote all the same, and a second one would be worse. */
  @Post()
  create(@Body() body: unknown, @BorrowSignal() signal: AbortSignal): Promise<unknown> {
    const { product, quantity } = (body ?? {}) as { product?: unknown; quantity?: unknown };
    if (typeof product !== 'string' || !Number.isInteger(quantity)) {
      throw new BadRequestException('Send { "product": "apple", "quantity": 3 }.');
    }
    return ask(this.prices, 'quotes', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ product, quantity }),
      signal,
    });
  }
}
