import type { PostgresWatch } from '../../support/postgres.js';
import type { Guest } from '../guest.js';
import { isMessage } from '../kinds.js';
import type { Wrongs } from '../wrongs.js';

/** Few enough for transfers to wait for each other. */
const ACCOUNTS = 40;
const OPENING = 1_000;

/**
 * What the application was told of the end of a transaction; `unknown` where its COMMIT was not answered. One that ends
 * `with its answer` is committed if its client was told so, and otherwise nobody knows.
 */
export type Ending = 'not ended' | 'committed' | 'rolled back' | 'unknown' | 'with its answer';

/** One transfer between two accounts, and what its transaction has come to. */
export class Transfer {
  ending: Ending = 'not ended';
  readonly from: number;
  readonly to: number;
  readonly amount: number;

  constructor(
    readonly id: number,
    readonly guest: Guest,
  ) {
    this.from = id % ACCOUNTS;
    this.to = (id * 7 + 1) % ACCOUNTS;
    this.amount = 1 + (id % 13);
  }

  toString(): string {
    return `transfer ${this.id}, ${this.ending}, of ${this.guest.toString()}`;
  }
}

interface Booking {
  id: number;
  times: number;
}

/** The accounts, and all transfers of a round by what the application knows of them. The database must agree. */
export class Bank {
  private readonly transfers = new Map<number, Transfer>();
  /** BEGINs and statements that were not let through. */
  refusals = 0;

  static async found(watch: PostgresWatch): Promise<Bank> {
    await watch.sql('create table if not exists accounts (id int primary key, amount int not null)');
    // Without a key: what is written twice is for the audit to find, not for the database to refuse.
    await watch.sql('create table if not exists ledger (id int, debtor int, creditor int, amount int)');
    const bank = new Bank();
    await bank.open(watch);
    return bank;
  }

  /** @param leg of those that a request makes */
  begin(guest: Guest, leg = 0): Transfer {
    const transfer = new Transfer(guest.visit.id * 10 + leg, guest);
    this.transfers.set(transfer.id, transfer);
    return transfer;
  }

  get counts(): ReadonlyMap<Ending, number> {
    const counts = new Map<Ending, number>();
    for (const { ending } of this.transfers.values()) counts.set(ending, (counts.get(ending) ?? 0) + 1);
    return counts;
  }

  /**
   * Nobody is at work any more: compares what transfers were told with what the database has, and opens for another round.
   *
   * @param paid requests whose client was told that its transfer is committed
   */
  async audit(watch: PostgresWatch, paid: readonly number[], wrongs: Wrongs): Promise<void> {
    for (const id of paid) {
      const transfer = this.transfers.get(id * 10);
      if (transfer?.ending === 'with its answer') transfer.ending = 'committed';
      if (transfer?.ending !== 'committed') wrongs.add('told its client that it is committed', transfer);
    }
    await this.checkLedger(watch, wrongs);
    await this.checkAccounts(watch, wrongs);
    this.transfers.clear();
    this.refusals = 0;
    await this.open(watch);
  }

  private async open(watch: PostgresWatch): Promise<void> {
    await watch.sql('truncate accounts, ledger');
    await watch.sql('insert into accounts select n, $1 from generate_series(0, $2::int - 1) as n', [
      OPENING,
      ACCOUNTS,
    ]);
  }

  /** Each transfer that was committed is there once, and none that was rolled back. */
  private async checkLedger(watch: PostgresWatch, wrongs: Wrongs): Promise<void> {
    const bookings = await watch.sql<Booking>('select id, count(*)::int as times from ledger group by id');
    const times = new Map(bookings.map(booking => [booking.id, booking.times]));
    for (const transfer of this.transfers.values()) {
      const booked = times.get(transfer.id) ?? 0;
      times.delete(transfer.id);
      const { ending, guest } = transfer;
      if (ending === 'not ended') {
        // Nest drops what a handler and its interceptors do when the client of a message has left, which commits nothing.
        if (booked > 0 || !isMessage(guest.visit.kind))
          wrongs.add('a transfer that came to no end', transfer);
      }
      if (ending === 'committed' && booked === 0)
        wrongs.add('a transfer that was committed is lost', transfer);
      if (ending === 'rolled back' && booked > 0) wrongs.add('a transfer that was rolled back', transfer);
      if (booked > 1) wrongs.add('a transfer is in the ledger more than once', transfer);
    }
    for (const id of times.keys()) wrongs.add('in the ledger, and nobody has made it', `transfer ${id}`);
  }

  /** Each account has what the ledger says, so all of them together have what they had. */
  private async checkAccounts(watch: PostgresWatch, wrongs: Wrongs): Promise<void> {
    const accounts = await watch.sql<{ id: number; amount: number; expected: number }>(
      `select id, amount, ($1 + coalesce((select sum(amount) from ledger where creditor = accounts.id), 0)
                              - coalesce((select sum(amount) from ledger where debtor = accounts.id), 0))::int as expected
       from accounts`,
      [OPENING],
    );
    for (const { id, amount, expected } of accounts) {
      if (amount !== expected)
        wrongs.add(
          'an account is not what its transfers come to',
          `account ${id}: ${amount} for ${expected}`,
        );
    }
    const sum = accounts.reduce((total, { amount }) => total + amount, 0);
    if (sum !== ACCOUNTS * OPENING) wrongs.add('money is lost or made', `${sum} for ${ACCOUNTS * OPENING}`);
  }
}
