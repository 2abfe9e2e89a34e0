import { Injectable } from '@nestjs/common';
import type { Client } from 'pg';
import { Custody } from '../custody.js';
import type { Guest } from '../guest.js';
import { Bank } from './bank.js';
import { Teller } from './teller.js';

/** Transfers in a transaction that is not theirs to end: it is committed before the answer is given. */
@Injectable()
export class Payments {
  constructor(
    private readonly custody: Custody,
    private readonly bank: Bank,
    private readonly teller: Teller,
  ) {}

  /** @param db in a transaction */
  async pay(db: Client, guest: Guest): Promise<object> {
    using _use = this.custody.use(db, guest);
    guest.at('holding');
    const transfer = this.bank.begin(guest);
    try {
      await this.teller.move(db, transfer);
      transfer.ending = 'with its answer';
    } catch (error) {
      transfer.ending = 'rolled back';
      throw error;
    }
    return {};
  }
}
