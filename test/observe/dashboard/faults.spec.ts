import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Controller, Get, Inject, Param } from '@nestjs/common';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import type { Browser, Page } from 'playwright-core';
import { PoolDashboardModule } from '../../../src/dashboard/index.js';
import { PoolModule, getBorrowedToken, getPoolToken, type Borrowed, type Pool } from '../../../src/index.js';
import { pgPool } from '../../../src/resources/pg.js';
import { describeWithChromium, launchChromium } from '../../support/chromium.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { open } from './world.js';

/** Twice as many as there are connections: whoever holds them, they are of different routes. */
const ROUTES = ['basket', 'orders', 'products', 'customers', 'stock', 'offers', 'ratings', 'returns'];

/** A shop with one more route, which forgets to give back. */
@Controller()
class Shop {
  constructor(
    @Inject(getBorrowedToken('shop')) private readonly db: Borrowed<Client>,
    @Inject(getPoolToken('shop')) private readonly pool: Pool<Client>,
  ) {}

  @Get(ROUTES)
  async read(): Promise<string> {
    const client = await this.db.get();
    await client.query('select * from stock');
    return 'read';
  }

  @Get('exports/:id')
  async export(@Param('id') id: string): Promise<string> {
    await this.pool.acquire({ owner: { toString: () => `GET /exports/${id}` } });
    return 'nobody gives that back';
  }
}

const describe = await describeWithChromium();

describe('a newcomer can tell from the page alone', () => {
  let local: LocalPostgres;
  let browser: Browser;
  let watch: PostgresWatch;
  let network: TcpProxy;
  let running: RunningApp;
  let page: Page;
  let load: Load;

  beforeAll(async () => {
    [local, browser] = await Promise.all([launchPostgres(), launchChromium()]);
    watch = await PostgresWatch.open(local);
    await watch.sql('create table stock (name text)');
  });
  afterAll(async () => {
    await watch[Symbol.asyncDispose]();
    await Promise.all([local.stop(), browser.close()]);
  });

  async function begin(): Promise<void> {
    const url = new URL(local.url);
    network = await TcpProxy.before(Number(url.port));
    url.port = String(network.port);
    const shop = pgPool({ connectionString: String(url), name: 'shop', max: 4, leakThreshold: 700 });
    running = await serve('express', {
      imports: [
        PoolModule.forRoot({ pools: [shop], defaults: { acquireTimeout: 3_000 } }),
        PoolDashboardModule.forRoot({ open: true }),
      ],
      controllers: [Shop],
    });
    ({ page } = await open(browser, `${running.url}/pools`));
    load = new Load(running.url);
    await page.waitForSelector('[data-verdict=well]');
    await page.locator('.cells .cell').first().waitFor();
    expect(await page.locator('.target').innerText()).toMatch(
      `postgresql, ${url.pathname.slice(1)} at ${url.hostname}:${network.port}`,
    );
  }

  afterEach(async () => {
    if (process.env.SHOTS) {
      const name = expect.getState().currentTestName?.split(' ').at(-1) ?? '';
      await page.screenshot({ path: `${process.env.SHOTS}/fault-${name}.png`, fullPage: true });
    }
    load.end();
    await page.context().close();
    await running.app.close();
    await network[Symbol.asyncDispose]();
    forgetLoggers();
  });

  const verdict = (): Promise<string> => page.locator('.verdict').innerText();

  test('a route that leaks', async () => {
    await begin();
    for (let i = 188; i < 192; i++) await fetch(`${running.url}/exports/${i}`);
    await page.waitForSelector('[data-verdict=held]');
    await page.locator('.verdict', { hasText: '4 resources' }).waitFor();
    expect(await verdict()).toContain('Held too long by GET /exports/:id');
    expect(await verdict()).toContain('not: the database is not what they wait for');
    expect(await page.locator('tr.leak pre').first().textContent()).toContain('Shop.export');
    expect(await page.locator('[data-list=waiters] tbody').innerText()).toMatch(
      new RegExp(`GET /(${ROUTES.join('|')})`),
    );
  });

  test('a database that is slow', async () => {
    await begin();
    // What they read is locked: every statement waits on the server.
    await watch.sql('begin');
    await watch.sql('lock table stock in access exclusive mode');
    try {
      await page.waitForSelector('[data-verdict=slow]');
      expect(await verdict()).toContain('Slow database');
      expect(await verdict()).toMatch(/held for long at the same time by \d different borrowers \(GET \//);
      expect(await verdict()).toContain('look at its load, its locks and its slow queries');
    } finally {
      await watch.sql('rollback');
    }
    await page.waitForSelector('[data-verdict=well]');
  });

  test('a database that is dead', async () => {
    await begin();
    network.refuse();
    network.resetAll();
    await page.waitForSelector('[data-verdict=dead]');
    expect(await verdict()).toContain('Dead database');
    expect(await verdict()).toMatch(
      /No connection can be made: \w*Error ECONNREFUSED, for .*, \d+ attempts in a row/,
    );
    expect(await verdict()).toContain('Nothing listens there.');
    expect(await page.content()).not.toContain('ECONNREFUSED 127.0.0.1');
    await page.waitForSelector('.card[data-state=unavailable]');
    await network.reopen();
    await page.waitForSelector('[data-verdict=well]');
  });
});

/** Somebody for each of the routes, who comes again when the answer is there. */
class Load {
  private goesOn = true;

  constructor(private readonly url: string) {
    for (const route of ROUTES) void this.come(route);
  }

  end(): void {
    this.goesOn = false;
  }

  private async come(route: string): Promise<void> {
    while (this.goesOn) {
      await fetch(`${this.url}/${route}`).then(
        response => response.text(),
        () => undefined,
      );
    }
  }
}
