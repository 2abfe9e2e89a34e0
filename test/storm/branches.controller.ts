import { Controller, Get } from '@nestjs/common';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { Client } from 'pg';
import { Borrow } from '../../src/index.js';
import { TheGuest, type Guest } from './guest.js';
import { Kit } from './kit.js';
import { PlannedError } from './work.js';

/** `Promise.all` does not wait for the others when one has failed: they go on with what their request has borrowed. */
@Controller('branches')
export class BranchesController {
  constructor(private readonly kit: Kit) {}

  @Get('fail-fast')
  async failFast(@TheGuest() guest: Guest, @Borrow('storm-db') given: Client): Promise<void> {
    const db = guest.visit.deep ? await this.kit.facade.get() : given;
    (await this.kit.custody.begin(db, guest))[Symbol.dispose]();
    guest.at('holding');
    await Promise.all([this.fail(guest), this.goOn(db, guest)]);
  }

  private async fail({ visit }: Guest): Promise<never> {
    await sleep(visit.patience / 4);
    throw new PlannedError('one of two branches');
  }

  private async goOn(db: Client, guest: Guest): Promise<void> {
    for (let n = 0; n < 10; n++) {
      await this.kit.custody.statement(db, guest, 'select 1');
      await turn();
    }
  }
}
