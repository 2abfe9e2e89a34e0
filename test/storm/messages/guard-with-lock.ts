import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Custody } from '../custody.js';
import { guestOf, type Guest } from '../guest.js';
import { Facade } from '../services.js';
import { PlannedError } from '../work.js';

const locks = new WeakMap<Guest, () => boolean>();

/** Is the connection on which the guard has locked something for the handler still that of the message? */
export const isLocked = (guest: Guest): boolean => locks.get(guest)?.() === true;

/** Locks something on the connection of its message, for the handler to come. */
@Injectable()
export class GuardWithLock implements CanActivate {
  constructor(
    private readonly facade: Facade,
    private readonly custody: Custody,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const guest = guestOf(context);
    const db = await this.facade.get();
    using _use = await this.custody.begin(db, guest);
    locks.set(guest, this.custody.lentSince(db));
    if (guest.visit.fails === 'before') throw new PlannedError('refused by the guard');
    return true;
  }
}
