import { Injectable } from '@nestjs/common';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Guest } from '../guest.js';
import { PlannedError } from '../work.js';
import { Bank, type Transfer } from './bank.js';
import { isRefusal } from './overlaps.js';

/** Makes transfers in transactions, as ordinary code does, and writes down what it was told of their end. */
@Injectable()
export class Teller {
  constructor(private readonly bank: Bank) {}

  /** @param leg of those that a request makes; the first one fails, if any is to */
  async transfer(db: Client, guest: Guest, leg = 0): Promise<void> {
    const transfer = this.bank.begin(guest, leg);
    await this.within(db, transfer, () => this.move(db, transfer, leg === 0));
  }

  /** The transaction around the work. */
  async within(db: Client, transfer: Transfer, work: () => Promise<void>): Promise<void> {
    let committing = false;
    try {
      await db.query('begin');
      await work();
      committing = true;
      await this.commit(db, transfer);
    } catch (error) {
      await this.rollBack(db, transfer, error, committing);
      throw error;
    }
  }

  async commit(db: Client, transfer: Transfer): Promise<void> {
    const { command } = await db.query('commit');
    // What the server answers in a transaction that has failed.
    if (command === 'ROLLBACK') transfer.ending = 'rolled back';
    if (command !== 'COMMIT') throw new Error(`COMMIT was answered with ${command}`);
    transfer.ending = 'committed';
  }

  async rollBack(db: Client, transfer: Transfer, error: unknown, committing = false): Promise<void> {
    if (isRefusal(error)) this.bank.refusals++;
    if (transfer.ending === 'not ended')
      transfer.ending = committing && !isRefusal(error) ? 'unknown' : 'rolled back';
    // Whatever becomes of it: the connection may be gone.
    await db.query('rollback').catch(() => undefined);
  }

  /** The statements of a transfer. Accounts in the order of their numbers, so that no two wait for each other. */
  async move(db: Client, { id, from, to, amount, guest }: Transfer, mayFail = true): Promise<void> {
    const fails = mayFail ? guest.visit.fails : undefined;
    const changes: [account: number, by: number][] = [
      [from, -amount],
      [to, amount],
    ];
    for (const [account, by] of changes.sort(([a], [b]) => a - b)) {
      await db.query('update accounts set amount = amount + $1 where id = $2', [by, account]);
      if (fails === 'before') throw new PlannedError('between the two accounts');
      await this.pause(guest);
    }
    if (fails === 'sql') await db.query('select 1 / 0');
    await db.query('insert into ledger values ($1, $2, $3, $4)', [id, from, to, amount]);
    await this.pause(guest);
    if (fails === 'after') throw new PlannedError('when all that was left was to commit');
  }

  /** Something else that a request has to wait for. */
  private async pause({ visit: { patience } }: Guest): Promise<void> {
    if (patience > 9) await sleep(patience - 9);
    else if (patience > 4) await turn();
  }
}
