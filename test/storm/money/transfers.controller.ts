import { Controller, Get, Post, UseInterceptors } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { Borrow } from '../../../src/index.js';
import { Custody } from '../custody.js';
import { TheGuest, type Guest } from '../guest.js';
import { Facade } from '../services.js';
import { PlannedError } from '../work.js';
import { Wrongs } from '../wrongs.js';
import { Teller } from './teller.js';
import { TransferInTransaction, transferOf } from './transfer.interceptor.js';

@Controller('money')
export class TransfersController {
  constructor(
    private readonly facade: Facade,
    private readonly custody: Custody,
    private readonly teller: Teller,
    private readonly wrongs: Wrongs,
  ) {}

  @Post('transfer')
  async transfer(@TheGuest() guest: Guest, @Borrow('storm-db') given: Client): Promise<object> {
    const db = guest.visit.deep ? await this.facade.get() : given;
    using _use = await this.begin(db, guest);
    await this.teller.transfer(db, guest);
    return {};
  }

  @Post('transfer-interceptor')
  @UseInterceptors(TransferInTransaction)
  async inTransaction(@TheGuest() guest: Guest): Promise<object> {
    const db = await this.facade.get();
    using _use = this.custody.use(db, guest);
    guest.at('holding');
    await this.teller.move(db, transferOf(guest));
    return {};
  }

  /** The middleware has made the transfer. */
  @Get('transfer-middleware')
  afterwards(): object {
    return {};
  }

  /** Two that begin side by side on the one connection of the request. */
  @Get('transfer-overlap')
  async overlap(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client): Promise<object> {
    using _use = await this.begin(db, guest);
    const other = async (): Promise<Client> => (guest.visit.deep ? this.facade.get() : db);
    const both = await Promise.allSettled([
      this.teller.transfer(db, guest, 0),
      other().then(same => this.teller.transfer(same, guest, 1)),
    ]);
    const done = both.filter(({ status }) => status === 'fulfilled').length;
    if (done === 2) this.wrongs.add('two transactions side by side on one connection', guest);
    return { done };
  }

  /** One branch fails at once; the other goes on with its transaction when the connection has gone back. */
  @Get('transfer-fail-fast')
  async failFast(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client): Promise<void> {
    await this.begin(db, guest).then(use => {
      use[Symbol.dispose]();
    });
    await Promise.all([this.fail(guest), this.teller.transfer(db, guest, 1)]);
  }

  private async begin(db: Client, guest: Guest): Promise<Disposable> {
    const use = await this.custody.begin(db, guest);
    guest.at('holding');
    return use;
  }

  private async fail({ visit }: Guest): Promise<never> {
    await sleep(visit.patience / 4);
    throw new PlannedError('one of two branches');
  }
}
