import type { ResourceFactory } from 'nestjs-pool';
import type { PgPool } from 'nestjs-pool/pg';
import type { Client } from 'pg';
import { Database } from '../database/database.js';
import { LeaseLedger } from './lease-ledger.js';
import { openUncounted, type Sabotage } from './sabotage.js';

/** The shop's database, with a count of what is done to its connections. */
export class WatchedDatabase extends Database {
  readonly ledger = new LeaseLedger();
  readonly open = new Set<Client>();
  created = 0;
  createFailed = 0;
  readonly destroyed = new Map<string, number>();
  /** Set when the server has been stopped for the first time. */
  wasDown = false;

  constructor(
    url: string,
    private readonly sabotage: Sabotage,
  ) {
    super(url, `orders-demo-${process.pid}`);
  }

  override connections(): PgPool {
    const { factory, ...settings } = super.connections();
    return { ...settings, factory: this.watched(factory) };
  }

  private watched(factory: ResourceFactory<Client>): ResourceFactory<Client> {
    return {
      ...factory,
      create: async context => {
        try {
          if (this.sabotage === 'cap') await openUncounted(this.url, this.application);
          if (this.sabotage === 'recover' && this.wasDown) throw new Error('sabotaged');
          const client = await factory.create(context);
          this.created++;
          this.open.add(client);
          return client;
        } catch (error) {
          this.createFailed++;
          throw error;
        }
      },
      handle: client => {
        const handle = factory.handle!(client);
        this.ledger.knows(handle.resource, client);
        return handle;
      },
      reset: client => {
        this.ledger.back(client);
        return factory.reset?.(client);
      },
      destroy: async (client, reason, context) => {
        this.ledger.back(client);
        this.destroyed.set(reason, (this.destroyed.get(reason) ?? 0) + 1);
        await factory.destroy?.(client, reason, context);
        this.open.delete(client);
      },
    };
  }
}
