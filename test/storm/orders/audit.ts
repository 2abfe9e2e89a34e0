import type { PoolStats } from '../../../src/index.js';
import { get } from '../../support/http-client.js';
import type { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import { Wrongs } from '../wrongs.js';
import type { Fate, Outcome } from './customer.js';
import type { Observer } from './observer.js';
import type { Line } from './plan.js';

/** What the answer says of the order: it is there, it is not, or it may be. */
const MUST_BE_THERE: Readonly<Record<Fate, boolean | undefined>> = {
  placed: true,
  'sold out': false,
  failed: false,
  busy: false,
  unknown: undefined,
  left: undefined,
  broken: undefined,
};

interface KeptOrder {
  readonly id: number;
  readonly customer: string;
  readonly lines: readonly Line[] | null;
}

interface Session {
  readonly state: string;
  readonly query: string;
}

/** Compares what clients were told with what the database has, and what the pool says with what the server says. */
export class Audit {
  private readonly wrongs = new Wrongs();

  constructor(
    private readonly observer: Observer,
    private readonly shop: string,
    private readonly proxy: TcpProxy,
  ) {}

  /** @param stock that there was of each article */
  async findings(stock: ReadonlyMap<string, number>, outcomes: readonly Outcome[]): Promise<string[]> {
    await this.checkPool();
    await this.checkStock(stock);
    await this.checkOrders(outcomes);
    return this.wrongs.take();
  }

  private async checkPool(): Promise<void> {
    const look = async () => ({ pool: await this.stats(), sessions: await this.sessions() });
    const isQuiet = ({ pool, sessions }: Awaited<ReturnType<typeof look>>): boolean =>
      pool.leased === 0 && pool.waiting === 0 && pool.idle === pool.total && sessions.length === pool.total;
    const { sessions } = await until(look, isQuiet, 20_000).catch(async (error: unknown) => {
      this.wrongs.add('the pool does not come to rest', String(error));
      return look();
    });
    for (const { state, query } of sessions) {
      if (state.includes('in transaction')) this.wrongs.add('a session is left in a transaction', query);
    }
    const { max } = await this.stats();
    if (this.proxy.peak > max) this.wrongs.add('connections beside the cap', `${this.proxy.peak} of ${max}`);
  }

  /** What is not in stock any more was sold, and the other way round. */
  private async checkStock(stock: ReadonlyMap<string, number>): Promise<void> {
    const rows = await this.observer.sql<{ product: string; left: number; sold: number }>(
      `select product, quantity as left,
              (select coalesce(sum(l.quantity), 0)::int from nestjs_pool_orders.order_lines l
               join nestjs_pool_orders.orders o on o.id = l.order_id
               where l.product = stock.product and o.customer like 'storm %') as sold
       from nestjs_pool_orders.stock where product = any($1)`,
      [[...stock.keys()]],
    );
    if (rows.length !== stock.size) this.wrongs.add('articles are gone');
    for (const { product, left, sold } of rows) {
      const initial = stock.get(product)!;
      if (left + sold !== initial) {
        this.wrongs.add('stock and sales do not add up', `${product}: ${left} + ${sold} is not ${initial}`);
      }
    }
  }

  private async checkOrders(outcomes: readonly Outcome[]): Promise<void> {
    const kept = await this.orders();
    for (const outcome of outcomes) {
      const { order, fate, id, answer = '' } = outcome;
      const [found, ...others] = kept.get(order.customer) ?? [];
      kept.delete(order.customer);
      const what = `${order.customer}, ${fate} ${answer}`;
      if (fate === 'broken') this.wrongs.add('an answer that is none', what);
      if (others.length > 0) this.wrongs.add('an order is there twice', what);
      if (MUST_BE_THERE[fate] === true && found?.id !== id)
        this.wrongs.add('a placed order is not there', what);
      if (MUST_BE_THERE[fate] === false && found) this.wrongs.add('an order that failed is there', what);
      if (found && JSON.stringify(found.lines) !== JSON.stringify(order.lines)) {
        this.wrongs.add('an order is there in part', what);
      }
    }
    for (const customer of kept.keys()) this.wrongs.add('nobody has ordered it', customer);
  }

  /** All that the database has, by customer. */
  private async orders(): Promise<Map<string, KeptOrder[]>> {
    const rows = await this.observer.sql<KeptOrder>(
      `select id::int, customer,
              (select json_agg(json_build_object('product', product, 'quantity', quantity, 'priceCents', price_cents)
                               order by line)
               from nestjs_pool_orders.order_lines where order_id = orders.id) as lines
       from nestjs_pool_orders.orders where customer like 'storm %'`,
    );
    const kept = new Map<string, KeptOrder[]>();
    for (const row of rows) kept.set(row.customer, [...(kept.get(row.customer) ?? []), row]);
    return kept;
  }

  private async stats(): Promise<PoolStats> {
    return (JSON.parse((await get(`${this.shop}/pools`)).body) as [PoolStats])[0];
  }

  private sessions(): Promise<Session[]> {
    return this.observer.sql<Session & { pid: number }>(
      `select coalesce(state, '') as state, query from pg_stat_activity where application_name = 'orders'`,
    );
  }
}
