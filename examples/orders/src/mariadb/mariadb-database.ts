import type { Provider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { mysqlPool } from 'nestjs-pool/mysql';
import type { PgPool } from 'nestjs-pool/pg';
import { Database } from '../database/database.js';
import { SCHEMA } from '../database/schema.js';
import { LiveOrders } from '../orders/live-orders.js';
import { OrdersRepository } from '../orders/orders.repository.js';
import { MariadbErrorFilter } from './mariadb-error.filter.js';
import { MariadbLiveOrders } from './mariadb-live-orders.js';
import { MariadbOrdersRepository } from './mariadb-orders.repository.js';
import { prepareMariadb } from './prepare-mariadb.js';

/** A MariaDB in place of the PostgreSQL: all that differs is what is named here. */
export class MariadbDatabase extends Database {
  override readonly substitutes: Provider[] = [
    { provide: OrdersRepository, useClass: MariadbOrdersRepository },
    { provide: LiveOrders, useClass: MariadbLiveOrders },
    { provide: APP_FILTER, useClass: MariadbErrorFilter },
  ];

  override connections(): PgPool {
    const pool = mysqlPool({
      uri: this.url,
      database: SCHEMA,
      // Times are kept in UTC, whatever the time zones of the server and of this process.
      timezone: 'Z',
      connectTimeout: 5_000,
    });
    // `interface Pools` has room for one type. Those who get a client of PostgreSQL have substitutes.
    return pool as unknown as PgPool;
  }

  override prepare(): Promise<string> {
    return prepareMariadb(this.url);
  }
}
