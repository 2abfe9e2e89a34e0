import { Injectable } from '@nestjs/common';
import type { Client } from 'pg';
import { defer, mergeMap, type Observable } from 'rxjs';
import { BorrowScopes, InjectPool, Pool } from '../../src/index.js';
import { Custody } from './custody.js';
import type { Guest } from './guest.js';
import { Facade } from './services.js';
import { eventsOf } from './sources.js';
import { Work } from './work.js';

/** What handlers need. */
@Injectable()
export class Kit {
  constructor(
    readonly facade: Facade,
    readonly custody: Custody,
    readonly work: Work,
    readonly scopes: BorrowScopes,
    @InjectPool('storm-db') readonly pool: Pool<Client>,
  ) {}

  /** The connection for an answer that takes its time; what fails does so on the way. */
  async begun(guest: Guest, given?: Client): Promise<Client> {
    const db = given ?? (await this.facade.get());
    using _use = await this.custody.begin(db, guest);
    guest.at('holding');
    return db;
  }

  /** Events, whose connection is borrowed now, or by whoever subscribes. */
  async events(guest: Guest): Promise<Observable<number>> {
    if (!guest.visit.deep) return eventsOf(await this.begun(guest), guest, this.custody);
    // Looks at nothing first: nothing could wait for that when the subscriber leaves.
    return defer(() => this.facade.get()).pipe(
      mergeMap(db => {
        guest.at('holding');
        return eventsOf(db, guest, this.custody);
      }),
    );
  }
}
