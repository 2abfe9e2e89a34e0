import { startPostgres, type LocalPostgres } from 'local-postgres';
import type { ExampleProcess } from '../examples/example-process.js';
import { ShopProcess } from '../examples/shop-process.js';
import { freePort } from './free-port.js';
import { Haproxy } from './haproxy.js';

export const SHOPS = ['one', 'two'] as const;
export type ShopName = (typeof SHOPS)[number];

type Open = (environment: NodeJS.ProcessEnv) => Promise<ExampleProcess>;

/** Two processes of the shop with one PostgreSQL, behind haproxy. */
export class TwoShops implements AsyncDisposable {
  /** Processes that have ended although nobody had told them to. */
  readonly deaths: ShopName[] = [];
  readonly ports = new Map<ShopName, number>();
  haproxy!: Haproxy;
  private readonly processes = new Map<ShopName, ExampleProcess>();
  private readonly stopped: ExampleProcess[] = [];

  private constructor(
    readonly postgres: LocalPostgres,
    private readonly openers: Readonly<Record<ShopName, Open>>,
  ) {}

  /** @param openers what runs in place of a shop */
  static async open(openers: Partial<Record<ShopName, Open>> = {}): Promise<TwoShops> {
    const open: Open = environment => ShopProcess.open(environment);
    const shops = new TwoShops(await startPostgres({ database: 'orders' }), {
      one: open,
      two: open,
      ...openers,
    });
    try {
      for (const name of SHOPS) {
        shops.ports.set(name, await freePort());
        await shops.start(name);
      }
      shops.haproxy = await Haproxy.start(Object.fromEntries(shops.ports));
      return shops;
    } catch (error) {
      await shops[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The way in, for clients. */
  get url(): string {
    return this.haproxy.url;
  }

  /** Past haproxy. */
  directly(name: ShopName, path: string): string {
    return `http://127.0.0.1:${this.ports.get(name)}${path}`;
  }

  /** As a rollout does: the next process is started, at the same port, when this one has ended. Resolves with its end. */
  async restart(name: ShopName): ReturnType<typeof this.stop> {
    const exit = await this.stop(name);
    await this.haproxy.untilStatus(name, 'DOWN');
    await this.start(name);
    await this.haproxy.untilStatus(name, 'UP', 20_000);
    return exit;
  }

  private async start(name: ShopName): Promise<void> {
    const shop = await this.openers[name]({
      DATABASE_URL: this.postgres.url,
      PORT: String(this.ports.get(name)),
    });
    this.processes.set(name, shop);
    void shop.exit.then(() => {
      if (this.processes.get(name) === shop) this.deaths.push(name);
    });
  }

  private stop(name: ShopName): ExampleProcess['exit'] {
    const shop = this.processes.get(name)!;
    this.processes.delete(name);
    this.stopped.push(shop);
    shop.kill('SIGTERM');
    return shop.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const processes = [...this.stopped, ...this.processes.values()];
    this.processes.clear();
    await (this.haproxy as Haproxy | undefined)?.[Symbol.asyncDispose]();
    for (const shop of processes) await shop[Symbol.asyncDispose]();
    await this.postgres.close();
  }
}
