import { Injectable } from '@nestjs/common';
import { setImmediate as turn } from 'node:timers/promises';
import { Borrowed, InjectBorrowed, type AnyPoolDefinition, type KeyRequest } from '../../../src/index.js';
import type { Guest } from '../guest.js';
import type { Visit } from '../plan.js';
import { Wrongs } from '../wrongs.js';

export const TENANT = 'x-tenant';
const TENANTS = 5;
export const tenantOf = ({ id }: Visit): string => `tenant-${id % TENANTS}`;

/** A resource that says whose it is. */
interface Room {
  readonly tenant: string;
  /** The request that it is lent to, once that has come. */
  guest: Guest | undefined;
  uses: number;
}

/** A pool by key. Requests that go on in the context of another would be given what is another tenant's. */
export function tenantPool(wrongs: Wrongs): AnyPoolDefinition {
  return {
    name: 'storm-tenants',
    maxTotal: 16,
    max: 4,
    acquireTimeout: 1_000,
    key: (request: KeyRequest) => request.headers[TENANT],
    create: ({ key }: { key: unknown }): Room => ({ tenant: String(key), guest: undefined, uses: 0 }),
    reset: (room: Room) => {
      if (room.uses > 0) wrongs.add('the resource of a tenant given back while in use', room.guest);
      room.guest = undefined;
    },
  };
}

@Injectable()
export class Tenancy {
  constructor(
    @InjectBorrowed('storm-tenants') private readonly rooms: Borrowed<Room>,
    private readonly wrongs: Wrongs,
  ) {}

  /** Uses what this part of the application is given, and sees whose it is. */
  async check(guest: Guest, where: string): Promise<void> {
    const room = await this.rooms.get();
    if (room.tenant !== tenantOf(guest.visit)) {
      this.wrongs.add(
        `the resource of another tenant in the ${where}`,
        `${room.tenant} for ${guest.toString()}`,
      );
    }
    room.guest ??= guest;
    if (room.guest !== guest) this.wrongs.add('the resource of a tenant used by two requests', guest);
    room.uses++;
    await turn();
    room.uses--;
  }
}
