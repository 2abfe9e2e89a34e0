import { describe, expect, it } from '@jest/globals';
import { get } from '../support/http-client.js';
import { until } from '../support/until.js';
import { BusyShop, expectFinished } from './busy-shop.js';
import { ShopDatabase } from './shop-database.js';
import { ShopProcess, isRefused } from './shop-process.js';

const openBusyShop = async (): Promise<BusyShop> =>
  BusyShop.of(await ShopProcess.open(), ({ databaseUrl }) => ShopDatabase.connect(databaseUrl));

describe('a shop that is told to stop', () => {
  it('on SIGTERM is not ready, finishes its requests and ends with 0, its database gone', async () => {
    await using busy = await openBusyShop();
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
    await using busy = await openBusyShop();
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
    await using busy = await openBusyShop();
    const { shop } = busy;
    shop.kill('SIGKILL');
    expect(await shop.exit).toEqual({ code: null, signal: 'SIGKILL' });
    await until(
      () => isRefused(shop.databasePort),
      refused => refused,
    );
  });
});
