import { Injectable } from '@nestjs/common';
import type { Client } from 'pg';
import { Custody } from './custody.js';
import type { Guest } from './guest.js';
import type { Trace } from './plan.js';

/** A failure that was planned. */
export class PlannedError extends Error {
  override readonly name = 'PlannedError';
}

const LEAVE: Readonly<Record<Trace, (id: number) => string>> = {
  setting: id => `set storm.owner to '${id}'`,
  table: () => 'create temp table if not exists litter ()',
  transaction: () => 'begin',
  listen: () => 'listen litter',
};

/** What all handlers do with a connection: ask, leave something behind, and fail, as it was planned. */
@Injectable()
export class Work {
  constructor(private readonly custody: Custody) {}

  failBefore({ visit }: Guest): void {
    if (visit.fails === 'before') throw new PlannedError('before anything was done');
  }

  /** What has to be there if whoever asked was told so, and not otherwise. */
  async enter(db: Client, guest: Guest): Promise<void> {
    using _use = this.custody.use(db, guest);
    await db.query('insert into entries (guest) values ($1)', [guest.visit.id]);
  }

  async do(db: Client, guest: Guest): Promise<number> {
    using _use = await this.custody.begin(db, guest);
    guest.at('holding');
    const { id, trace, fails } = guest.visit;
    if (trace) await db.query(LEAVE[trace](id));
    const [{ rows }] = await Promise.all([
      db.query<{ mine: number }>('select $1::int as mine', [id]),
      db.query(id % 4 === 0 ? 'select pg_sleep(0.002)' : 'select 1'),
    ]);
    if (rows[0]!.mine !== id) throw new Error(`asked for ${id}, and got ${rows[0]!.mine}`);
    if (fails === 'sql') await db.query('select 1 / 0');
    if (fails === 'after') throw new PlannedError('after everything was done');
    return id;
  }
}
