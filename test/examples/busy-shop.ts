import { expect } from '@jest/globals';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { Call, type Answer } from '../support/http-client.js';
import { until } from '../support/until.js';
import { isRefused, type ShopProcess } from './shop-process.js';

/** Node keeps a connection for a next request for five seconds, and a second more; a stop must not wait for that. */
const KEEP_ALIVE = 5_000;

/** A database of the shop, in which queries can be made to wait. */
export interface LockableDatabase {
  lock(): Promise<void>;
  unlock(): Promise<void>;
  untilActive(text: string): Promise<void>;
}

/** A shop in which a request hangs until the test lets it go, and somebody listens. */
export class BusyShop implements AsyncDisposable {
  readonly live: Call;
  readonly slow: Call;
  private readonly agent = new Agent({ keepAlive: true });

  private constructor(
    readonly shop: ShopProcess,
    readonly database: LockableDatabase,
  ) {
    this.live = new Call(`${shop.url}/orders/live`);
    this.slow = new Call(`${shop.url}/orders/42`, { agent: this.agent });
  }

  /** @param look how to look at its database from beside it */
  static async of(
    shop: ShopProcess,
    look: (shop: ShopProcess) => Promise<LockableDatabase>,
  ): Promise<BusyShop> {
    try {
      const database = await look(shop);
      await database.lock();
      const busy = new BusyShop(shop, database);
      await busy.live.firstBytes();
      await database.untilActive('from orders where id');
      return busy;
    } catch (error) {
      await shop[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Lets the request go when nothing new is accepted any more, and waits for the end of the process.
   *
   * @returns also how long the connection was kept, in milliseconds
   */
  async finish(): Promise<{ answer: Answer; exit: unknown; kept: number }> {
    const port = Number(new URL(this.shop.url).port);
    await until(
      () => isRefused(port),
      refused => refused,
    );
    await this.database.unlock();
    const { socket } = await this.slow.response;
    const closed = once(socket, 'close');
    const answer = await this.slow.answer();
    const answered = performance.now();
    await closed;
    const kept = performance.now() - answered;
    return { answer, exit: await this.shop.exit, kept };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    this.live.leave();
    await this.shop[Symbol.asyncDispose]();
  }
}

export function expectFinished({ answer, exit, kept }: Awaited<ReturnType<BusyShop['finish']>>): void {
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ id: 42 });
  expect(exit).toEqual({ code: 0, signal: null });
  expect(kept).toBeLessThan(KEEP_ALIVE);
}
