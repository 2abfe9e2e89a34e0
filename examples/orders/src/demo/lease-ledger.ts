import type { Pool } from 'nestjs-pool';
import type { Client } from 'pg';

/**
 * Keeps a count of its own of what is lent. A lease counts as given when a borrower gets it; it counts as returned
 * when the connection is cleaned for the next borrower or destroyed, not when the pool says so.
 */
export class LeaseLedger {
  given = 0;
  returned = 0;
  /** Connections that were given to somebody while somebody else had them. */
  givenTwice = 0;
  private readonly out = new Set<Client>();
  /** Of which connection a handle is; a lease has as many as there are who share it. */
  private readonly clients = new WeakMap<Client, Client>();

  get missing(): number {
    return this.out.size;
  }

  watch(pool: Pool<Client>): void {
    const acquire = pool.acquire.bind(pool);
    pool.acquire = async options => {
      const lease = await acquire(options);
      this.given++;
      const client = this.clients.get(lease.resource) ?? lease.resource;
      if (this.out.has(client)) this.givenTwice++;
      this.out.add(client);
      return lease;
    };
  }

  /** Called when the factory makes a handle of a connection. */
  knows(handle: Client, client: Client): void {
    this.clients.set(handle, client);
  }

  /** Called when the factory resets or destroys a connection. */
  back(client: Client): void {
    if (this.out.delete(client)) this.returned++;
  }
}
