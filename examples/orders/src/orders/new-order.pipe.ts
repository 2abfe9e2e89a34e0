import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import type { NewOrder, OrderLine } from './order.js';

/** Is the body an order? What an order may contain is for the database to say. */
@Injectable()
export class NewOrderPipe implements PipeTransform<unknown, NewOrder> {
  transform(body: unknown): NewOrder {
    if (!isRecord(body) || typeof body.customer !== 'string') {
      throw new BadRequestException('customer must be a string');
    }
    if (!Array.isArray(body.lines) || body.lines.length === 0 || !body.lines.every(isLine)) {
      throw new BadRequestException(
        'lines must be a list of { product, quantity, priceCents }, and not be empty',
      );
    }
    return { customer: body.customer, lines: body.lines };
  }
}

function isLine(value: unknown): value is OrderLine {
  return (
    isRecord(value) &&
    typeof value.product === 'string' &&
    Number.isInteger(value.quantity) &&
    Number.isInteger(value.priceCents)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
