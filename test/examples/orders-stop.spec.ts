import { describe, expect, it } from '@jest/globals';
import { Agent } from 'node:http';
import { Call, get, type Answer } from '../support/http-client.js';
import { until } from '../support/until.js';
import { ShopDatabase } from './shop-database.js';
import { ShopProcess, isRefused } from './shop-process.js';

/** Node keeps a connection for a next request for five seconds, and a second more; a stop must not take that long. */
const KEEP_ALIVE = 5_000;

/** A shop in which a request hangs until the test lets it go, and somebody listens. */
class BusyShop implements AsyncDisposable {
  readonly live: Call;
  readonly slow: Call;
  private readonly agent = new Agent({ keepAlive: true });

  private constructor(
    readonly shop: ShopProcess,
    readonly database: ShopDatabase,
  ) {
    this.live = new Call(`${shop.url}/orders/live`);
    this.slow = new Call(`${shop.url}/orders/42`, { agent: this.agent });
  }

  static async open(): Promise<BusyShop> {
    const shop = await ShopProcess.open();
    try {
      const database = await ShopDatabase.connect(shop.databaseUrl);
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

  /** Lets the request go when nothing new is accepted any more, and waits for the end of the process. */
  async finish(): Promise<{ answer: Answer; exit: unknown; took: number }> {
    const port = Number(new URL(this.shop.url).port);
    await until(
      () => isRefused(port),
      refused => refused,
    );
    await this.database.unlock();
    const answer = await this.slow.answer();
    const answered = performance.now();
    return { answer, exit: await this.shop.exit, took: performance.now() - answered };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    this.live.leave();
    await this.shop[Symbol.asyncDispose]();
  }
}

function expectFinished({ answer, exit, took }: Awaited<ReturnType<BusyShop['finish']>>): void {
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ id: 42 });
  expect(exit).toEqual({ code: 0, signal: null });
  expect(took).toBeLessThan(KEEP_ALIVE);
}

describe('a shop that is told to stop', () => {
  it('on SIGTERM is not ready, finishes its requests and ends with 0, its database gone', async () => {
    await using busy = await BusyShop.open();
    const { shop } = busy;
    shop.kill('SIGTERM');
    const notReady = await until(
      () => get(`${shop.url}/health/ready`),
      ({ status }) => status === 503,
    );
    expect(notReady.body).toContain('the application is shutting down');
    expect((await get(`${shop.url}/health/live`)).status).toBe(200);

    expectFinished(await busy.finish());
    expect(await isRefused(shop.databasePort)).toBe(true);
  });

  it('on Ctrl-C, which npm passes on a second time, finishes its requests and ends with 0', async () => {
    await using busy = await BusyShop.open();
    const { shop } = busy;
    shop.killGroup('SIGINT');
    await until(
      () => shop.output,
      output => output.includes('Received termination signal SIGINT'),
    );
    shop.kill('SIGINT');

    expectFinished(await busy.finish());
    expect(await isRefused(shop.databasePort)).toBe(true);
  });

  it('on SIGKILL leaves no database behind', async () => {
    await using busy = await BusyShop.open();
    const { shop } = busy;
    shop.kill('SIGKILL');
    expect(await shop.exit).toEqual({ code: null, signal: 'SIGKILL' });
    await until(
      () => isRefused(shop.databasePort),
      refused => refused,
    );
  });
});
