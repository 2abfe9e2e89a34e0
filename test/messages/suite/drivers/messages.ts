import { Controller, Injectable, Scope } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Borrow, BorrowSignal } from '../../../../src/index.js';
import type { Thing } from '../../../support/borrowing/thing.js';
import type { Order } from '../order.js';
import { Caught, SuitePipe, Surrounded, Work } from '../work.js';

/** Of every transport that Nest has a `ClientProxy` for. */
@Controller()
export class Messages {
  constructor(readonly work: Work) {}

  @MessagePattern('bare')
  bare(@Payload() order: Order, @Borrow('things') thing: Thing, @BorrowSignal() signal: AbortSignal) {
    return this.work.handle(order, { thing, signal });
  }

  @MessagePattern('deep')
  deep(@Payload() order: Order) {
    return this.work.handle(order);
  }

  @Surrounded()
  @MessagePattern('surrounded')
  surrounded(
    @Payload(SuitePipe) order: Order,
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
  ) {
    return this.work.handle(order, { thing, signal });
  }

  @Caught()
  @MessagePattern('caught')
  caught(@Payload(SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return this.work.handle(order, { thing });
  }

  @MessagePattern('transacted')
  transacted(@Payload() order: Order, @Borrow('ledger', { transaction: true }) _ledger: object) {
    return this.work.handle(order);
  }

  @MessagePattern('keyed')
  keyed(@Payload() order: Order) {
    return this.work.keyed(order);
  }

  @Surrounded()
  @EventPattern('event')
  async event(@Payload(SuitePipe) order: Order): Promise<void> {
    await this.work.handle(order);
  }

  @Surrounded()
  @EventPattern('event')
  async sameEvent(@Payload(SuitePipe) order: Order): Promise<void> {
    await this.work.handle({ ...order, id: `${order.id} again` });
  }
}

@Injectable()
class Base {
  constructor(readonly work: Work) {}

  @MessagePattern('inherited')
  handler(@Payload() order: Order, @Borrow('things') thing: Thing) {
    return this.work.handle(order, { thing });
  }

  @MessagePattern('renamed')
  renamed(@Payload() order: Order, @Borrow('things') thing: Thing) {
    return this.work.handle(order, { thing });
  }
}
// As a minifier does.
Object.defineProperty(Base.prototype.renamed, 'name', { value: 'e' });

@Controller()
export class Inherited extends Base {}

@Controller({ scope: Scope.REQUEST })
export class Scoped {
  constructor(readonly work: Work) {}

  @Surrounded()
  @MessagePattern('scoped')
  scoped(@Payload(SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return this.work.handle(order, { thing });
  }
}
