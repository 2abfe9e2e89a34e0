import type { EventEmitter } from 'node:events';
import { Wrongs } from '../wrongs.js';
import { Injectable } from '@nestjs/common';

/** Those who have come over sockets, as the server has them. */
@Injectable()
export class Clients {
  private readonly seen = new Map<string, Set<EventEmitter>>();

  constructor(private readonly wrongs: Wrongs) {}

  /** @param leaving the event of a client that has left */
  come(client: EventEmitter, leaving: string): void {
    const others = this.seen.get(leaving) ?? new Set();
    this.seen.set(leaving, others.add(client));
  }

  /**
   * All of them have left, and nothing of theirs is under way: nobody waits for their leaving any more, and those who have
   * sent something have no more listeners than those who have not.
   */
  check(): void {
    for (const [leaving, clients] of this.seen) {
      const awaited = [...clients].filter(client => waitingFor(client) > 0).length;
      if (awaited > 0)
        this.wrongs.add(`the ${leaving} of a client that has left is waited for`, String(awaited));
      const counts = [...clients].map(client => client.listenerCount(leaving));
      const usual = Math.min(...counts);
      const more = counts.filter(count => count > usual);
      if (more.length > 0)
        this.wrongs.add(
          `a client that has left is listened to for its ${leaving}`,
          `${more.length} have ${more[0]} for ${usual}`,
        );
    }
    this.seen.clear();
  }
}

/** How many scopes a client keeps, by whom they are told when it leaves. */
function waitingFor(client: EventEmitter): number {
  const key = Object.getOwnPropertySymbols(client).find(
    ({ description }) => description === 'nestjs-pool.waiting',
  );
  return key ? (client as unknown as Record<symbol, Set<unknown>>)[key]!.size : 0;
}
