import { setTimeout as pause } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { Call } from '../../support/http-client.js';
import type { MariadbShopDatabase } from './mariadb-shop-database.js';

const PAUSE_AFTER_FAILURE = 10;

/**
 * What a customer has been told: `placed`, `refused` before anything was done, or something of which nobody can know
 * whether the order had been committed by then.
 */
type Told = 'placed' | 'refused' | 'unknown';

interface Memory {
  told: Told;
  cents: number;
}

interface Entry {
  customer: string;
  orders: number;
  cents: number;
}

/** Customers who order again and again, each time under another name, and remember what they were told. */
export class Customers {
  private readonly memory = new Map<string, Memory>();
  private leaving = false;
  private readonly people: Promise<void>[];

  constructor(
    private readonly url: string,
    number: number,
  ) {
    this.people = Array.from({ length: number }, (_, person) => this.live(person));
  }

  told(what: Told): number {
    return [...this.memory.values()].filter(({ told }) => told === what).length;
  }

  /** Everybody finishes what they are doing. */
  async leave(): Promise<void> {
    this.leaving = true;
    await Promise.all(this.people);
  }

  /** Every order that was placed is there once and whole, none that was refused is, and the rest is there or is not. */
  async expectBalance(database: MariadbShopDatabase): Promise<void> {
    const entries = await database.sql<Entry>(
      `select customer, count(distinct id) as orders, cast(sum(quantity * price_cents) as double) as cents
       from nestjs_pool_orders.orders left join nestjs_pool_orders.order_lines on order_id = id
       where customer like 'Person %' group by customer`,
    );
    const kept = new Map(entries.map(entry => [entry.customer, entry]));
    const wrong = [...this.memory].flatMap(([customer, { told, cents }]) => {
      const { orders = 0, cents: paid = 0 } = kept.get(customer) ?? {};
      const whole = orders === 1 && paid === cents;
      const right = { placed: whole, refused: orders === 0, unknown: whole || orders === 0 }[told];
      return right ? [] : [{ customer, told, cents, orders, paid }];
    });
    expect(wrong).toEqual([]);

    const certain = sum([...this.memory.values()].filter(({ told }) => told === 'placed'));
    const afterAll = sum(entries.filter(({ customer }) => this.memory.get(customer)?.told === 'unknown'));
    expect(sum(entries)).toBe(certain + afterAll);
  }

  private async live(person: number): Promise<void> {
    for (let visit = 1; !this.leaving; visit++) {
      const told = await this.order(`Person ${person}, visit ${visit}`, 100 * person + visit);
      if (told !== 'placed') await pause(PAUSE_AFTER_FAILURE);
    }
  }

  private async order(customer: string, priceCents: number): Promise<Told> {
    const lines = [
      { product: 'Tea', quantity: 2, priceCents },
      { product: 'Cup', quantity: 1, priceCents: 900 },
    ];
    const told = await new Call(`${this.url}/orders`, { method: 'POST', body: { customer, lines } })
      .answer()
      .then(({ status }): Told => (status === 201 ? 'placed' : status === 503 ? 'refused' : 'unknown'))
      .catch((): Told => 'unknown');
    this.memory.set(customer, { told, cents: 2 * priceCents + 900 });
    return told;
  }
}

function sum(amounts: readonly { cents: number }[]): number {
  return amounts.reduce((total, { cents }) => total + cents, 0);
}
