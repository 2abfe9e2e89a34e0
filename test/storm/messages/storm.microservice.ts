import { Controller, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import type { Client } from 'pg';
import type { Observable } from 'rxjs';
import { Borrow } from '../../../src/index.js';
import { TheGuest, type Guest } from '../guest.js';
import { Kit } from '../kit.js';
import { Payments } from '../money/payments.js';
import { Teller } from '../money/teller.js';
import { TransferInTransaction, transferOf } from '../money/transfer.interceptor.js';
import { Doorkeeper } from '../surroundings.js';
import { Wrongs } from '../wrongs.js';
import { GuardWithLock, isLocked } from './guard-with-lock.js';
import { RpcFilterWithQuery, Rumour } from './surroundings.js';

/** Messages over TCP. Each method has the name of its kind. */
@UseGuards(Doorkeeper)
@Controller()
export class StormMicroservice {
  constructor(
    private readonly kit: Kit,
    private readonly wrongs: Wrongs,
    private readonly teller: Teller,
    private readonly payments: Payments,
  ) {}

  @MessagePattern('rpc-answer')
  async rpcAnswer(@TheGuest() guest: Guest): Promise<number> {
    this.kit.work.failBefore(guest);
    return this.kit.work.do(await this.kit.facade.get(), guest);
  }

  @MessagePattern('rpc-filtered')
  @UseFilters(RpcFilterWithQuery)
  async rpcFiltered(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client): Promise<number> {
    this.kit.work.failBefore(guest);
    return this.kit.work.do(db, guest);
  }

  @MessagePattern('rpc-guarded')
  @UseGuards(GuardWithLock)
  async rpcGuarded(@TheGuest() guest: Guest): Promise<number> {
    if (!isLocked(guest)) this.wrongs.add('what its guard had went back before its handler', guest);
    return this.kit.work.do(await this.kit.facade.get(), guest);
  }

  @MessagePattern('rpc-observable')
  rpcObservable(@TheGuest() guest: Guest): Promise<Observable<number>> {
    return this.kit.events(guest);
  }

  @EventPattern('rpc-event')
  @UseInterceptors(Rumour)
  async rpcEvent(@TheGuest() guest: Guest): Promise<void> {
    await this.kit.work.do(await this.kit.facade.get(), guest);
  }

  @MessagePattern('rpc-transfer')
  rpcTransfer(
    @TheGuest() guest: Guest,
    @Borrow('storm-db', { transaction: true }) db: Client,
  ): Promise<object> {
    return this.payments.pay(db, guest);
  }

  @MessagePattern('rpc-transfer-interceptor')
  @UseInterceptors(TransferInTransaction)
  async rpcTransferInterceptor(@TheGuest() guest: Guest): Promise<object> {
    const db = await this.kit.facade.get();
    using _use = this.kit.custody.use(db, guest);
    guest.at('holding');
    await this.teller.move(db, transferOf(guest));
    return {};
  }
}
