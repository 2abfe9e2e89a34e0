import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { ShopProcess } from '../../examples/shop-process.js';
import { describeWithChromium, launchChromium } from '../../support/chromium.js';

const describe = await describeWithChromium();

describe('whoever starts the example shop with FAULTS=true is told by its live page', () => {
  let shop: ShopProcess;
  let browser: Browser;
  let page: Page;
  let goesOn = true;
  let load: Promise<unknown>;

  beforeAll(async () => {
    [shop, browser] = await Promise.all([ShopProcess.open({ FAULTS: 'true', PORT: '0' }), launchChromium()]);
    page = await browser.newPage();
    await page.goto(`${shop.url}/ops/pools`);
    const order = { customer: 'Ada', lines: [{ product: 'Tea', quantity: 2, priceCents: 450 }] };
    const body = JSON.stringify(order);
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    // Of either kind fewer than there are connections: whoever holds them all, they are of both.
    const places = Array.from({ length: 9 }, () => come('/orders', post));
    const looks = Array.from({ length: 9 }, (_, i) => come(`/orders/${i + 1}`));
    load = Promise.all([...places, ...looks]);
    await page.waitForSelector('[data-verdict=well]');
  }, 60_000);
  afterAll(async () => {
    goesOn = false;
    await Promise.all([load, browser.close()]);
    await shop[Symbol.asyncDispose]();
  }, 60_000);

  async function come(path: string, init?: RequestInit): Promise<void> {
    while (goesOn) {
      await fetch(shop.url + path, init).then(
        response => response.text(),
        () => undefined,
      );
    }
  }

  const cause = (fault: string): Promise<Response> =>
    fetch(`${shop.url}/faults/${fault}`, { method: 'POST' });
  const verdict = (): Promise<string> => page.locator('.verdict').innerText();

  test('that the database is slow', async () => {
    await cause('slow?seconds=12');
    await page.waitForSelector('[data-verdict=slow]');
    expect(await verdict()).toContain('Slow database');
    expect(await verdict()).toContain('look at its load, its locks and its slow queries');
    await page.waitForSelector('[data-verdict=well]');
  }, 60_000);

  test('that the database is dead', async () => {
    await cause('dead?seconds=6');
    await page.waitForSelector('[data-verdict=dead]');
    expect(await verdict()).toContain('Dead database');
    expect(await verdict()).toContain('ECONNREFUSED');
    await page.waitForSelector('[data-verdict=well]');
  }, 60_000);

  test('that a route leaks, and which', async () => {
    const leaks = Array.from({ length: 10 }, (_, i) => fetch(`${shop.url}/faults/leak/${i + 1}`));
    await page.waitForSelector('[data-verdict=held]');
    expect(await verdict()).toContain('FaultsController.leak');
    expect(await verdict()).toContain('the database is not what they wait for');
    await Promise.all(leaks);
  }, 60_000);
});
