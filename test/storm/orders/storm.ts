import type { LocalPostgres } from 'local-postgres';
import { ShopProcess } from '../../examples/shop-process.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Audit } from './audit.js';
import { Customers, type Fate, type Outcome } from './customer.js';
import { Faults, type Damage } from './faults.js';
import { Observer } from './observer.js';
import { planOrders, stockFor } from './plan.js';

/** Clients that are at the shop at once: many more than it has connections. */
const CROWD = 48;

export interface OrdersRound {
  readonly findings: readonly string[];
  readonly fates: ReadonlyMap<Fate, number>;
  readonly damage: Damage;
  readonly seconds: number;
}

export interface OrdersPlan {
  readonly orders: number;
  readonly seed: number;
  /** The server is restarted each time as many orders have had their fate. */
  readonly restartEvery: number;
}

/** The shop of `examples/orders` in a process of its own, on a database that it reaches through a bad network. */
export class OrdersStorm implements AsyncDisposable {
  private constructor(
    private readonly postgres: LocalPostgres,
    private readonly proxy: TcpProxy,
    private readonly shop: ShopProcess,
    private readonly observer: Observer,
  ) {}

  static async over(postgres: LocalPostgres): Promise<OrdersStorm> {
    const proxy = await TcpProxy.before(postgres.port, isSession);
    const url = postgres.url.replace(`:${postgres.port}`, `:${proxy.port}`);
    const shop = await ShopProcess.open({ DATABASE_URL: url });
    return new OrdersStorm(postgres, proxy, shop, new Observer(postgres.url));
  }

  async round({ orders, seed, restartEvery }: OrdersPlan): Promise<OrdersRound> {
    const plan = planOrders(orders, seed);
    const stock = stockFor(plan);
    await this.fill(stock);
    const begun = performance.now();
    const faults = new Faults(this.proxy, this.postgres, this.observer, seed);
    using customers = new Customers(this.shop.url);
    const outcomes: Outcome[] = [];
    const queue = plan.values();
    const visit = async (): Promise<void> => {
      for (const order of queue) {
        outcomes.push(await customers.place(order));
        if (outcomes.length % restartEvery === 0) faults.restart();
      }
    };
    await Promise.all(Array.from({ length: CROWD }, visit));
    await faults.stop();
    const seconds = (performance.now() - begun) / 1_000;
    const audit = new Audit(this.observer, this.shop.url, this.proxy);
    const fates = countOf(outcomes);
    const findings = [...(await audit.findings(stock, outcomes)), ...tooQuiet(fates, faults.damage)];
    return { findings, fates, damage: faults.damage, seconds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.observer[Symbol.asyncDispose]();
    await this.shop[Symbol.asyncDispose]();
    await this.proxy[Symbol.asyncDispose]();
  }

  /** What earlier rounds have sold is not counted again. */
  private async fill(stock: ReadonlyMap<string, number>): Promise<void> {
    await this.observer.sql(`delete from nestjs_pool_orders.orders where customer like 'storm %'`);
    await this.observer.sql(
      `insert into nestjs_pool_orders.stock select * from unnest($1::text[], $2::int[])
       on conflict (product) do update set quantity = excluded.quantity`,
      [[...stock.keys()], [...stock.values()]],
    );
  }
}

const CANCEL = 80877102;

/** A connection of which the server makes a session, and not one that cancels what runs in another. */
function isSession(first: Buffer): boolean {
  return first.length < 8 || first.readInt32BE(4) !== CANCEL;
}

function countOf(outcomes: readonly Outcome[]): Map<Fate, number> {
  const counts = new Map<Fate, number>();
  for (const { fate } of outcomes) counts.set(fate, (counts.get(fate) ?? 0) + 1);
  return counts;
}

/** A round that has not stormed says nothing. */
function tooQuiet(fates: ReadonlyMap<Fate, number>, damage: Damage): string[] {
  const missing = (['placed', 'sold out', 'failed', 'unknown', 'left'] as const).filter(
    fate => !fates.has(fate),
  );
  const undone = Object.entries(damage as unknown as Record<string, number>).filter(
    ([, count]) => count === 0,
  );
  return [
    ...missing.map(fate => `no order was ${fate}`),
    ...undone.map(([what]) => `nothing of this has happened: ${what}`),
  ];
}
