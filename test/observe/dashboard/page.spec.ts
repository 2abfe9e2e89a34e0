import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { VersioningType } from '@nestjs/common';
import helmet from 'helmet';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { describeWithChromium, launchChromium } from '../../support/chromium.js';
import { PLATFORMS, forgetLoggers } from '../../support/nest-app.js';
import { until } from '../../support/until.js';
import { WordGuard, open, serveDashboard, things, type DashboardApp } from './world.js';

const describe = await describeWithChromium();
const axe = await readFile(new URL('../../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const SESAME = { extraHTTPHeaders: { 'x-word': 'sesame' } };

describe('in a browser', () => {
  let browser: Browser;
  const ends: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    forgetLoggers();
  });
  afterAll(() => browser.close());

  const launch: typeof serveDashboard = async (...all) => {
    const app = await serveDashboard(...all);
    ends.push(() => app.app.close());
    return app;
  };
  async function look(
    { url }: DashboardApp,
    path = '/pools',
    options: BrowserContextOptions = {},
  ): Promise<{ page: Page; complaints: string[] }> {
    const tab = await open(browser, `${url}${path}`, options);
    ends.push(tab.close);
    await tab.page.waitForSelector('[data-connection=live]');
    return tab;
  }
  const text = (page: Page, selector: string): Promise<string> => page.locator(selector).first().innerText();

  /** What axe finds; it comes in by the debugger, past the content security policy. */
  async function violations(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    return page.evaluate<string[]>(
      `axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(node => id + ': ' + node.html.slice(0, 150) + (node.any[0]?.message ?? ''))))`,
    );
  }

  for (const platform of PLATFORMS) {
    test(`on ${platform}, below a prefix with versions and helmet, it is live with and without a slash at its end, and the console says nothing`, async () => {
      const app = await launch({ open: true, path: 'ops/live', title: 'Shop' }, undefined, {
        platform,
        prepare: nest => {
          nest.setGlobalPrefix('api');
          nest.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
          if (platform === 'express') nest.use(helmet());
        },
      });
      for (const path of ['/api/ops/live', '/api/ops/live/']) {
        const { page, complaints } = await look(app, path);
        expect(await text(page, 'h1')).toBe('Shop');
        expect(await text(page, 'h2')).toBe('things');
        expect(complaints).toEqual([]);
      }
    });
  }

  test('load moves the picture', async () => {
    const app = await launch({ open: true }, [things('things', { max: 3 })]);
    const { page } = await look(app);
    await page.waitForSelector('[data-verdict=well]');
    expect(await text(page, '.verdict')).toContain('All is well');
    const pool = app.pool('things');
    const leases = await Promise.all(
      [1, 2, 3].map(() => pool.acquire({ owner: { toString: () => 'GET /basket' } })),
    );
    const waiting = pool.acquire();
    await page.locator('.cells .cell-l').nth(2).waitFor();
    expect(await text(page, '[data-list=holders] tbody')).toContain('GET /basket');
    await page.waitForSelector('[data-list=waiters] tbody tr');
    expect(await page.locator('.chart svg').first().getAttribute('aria-label')).toMatch(
      /^In use over the last \d+ seconds: now 3 of 3, 1 waiting; the highest was 3\.$/,
    );
    for (const lease of leases) lease.release();
    (await waiting).release();
    await page.locator('.cells .cell-i').nth(2).waitFor();
    expect(await text(page, '[data-list=holders]')).toContain('Nobody holds anything.');
  });

  test('a leak appears with its owner and its stack', async () => {
    const app = await launch({ open: true }, [things('things', { leakThreshold: 50 })]);
    const { page } = await look(app);
    async function forgetsToGiveBack(): Promise<void> {
      await app.pool('things').acquire({ owner: { toString: () => 'GET /forgetful' } });
    }
    await forgetsToGiveBack();
    await page.waitForSelector('.cell-leak');
    expect(await text(page, '[data-list=holders] tr.leak')).toMatch(/GET \/forgetful held for too long/);
    expect(await text(page, '[data-list=holders] tr.leak pre')).toContain('forgetsToGiveBack');
    await page.locator('[data-list=events] summary').first().click();
    expect(await text(page, '[data-list=events] .event-leak')).toMatch(/leakThreshold[^]*forgetsToGiveBack/);
  });

  test('names, keys, owners and errors are never read as HTML', async () => {
    const evil = '<img src=x onerror="document.title=1">';
    const fails = Object.assign(new Error(evil), { name: evil, code: evil });
    const app = await launch({ open: true, title: evil }, [
      things('<b>one', {}),
      things('failing', { create: () => Promise.reject(fails) }),
      { name: 'keyed', create: () => ({}), max: 1, maxTotal: 4, key: () => 'a' } as never,
    ]);
    const owner = { toString: () => `GET /${evil}` };
    await app.pool('<b>one').acquire({ owner });
    void app
      .pool('failing')
      .acquire({ owner, timeout: 3_000 })
      .catch(() => undefined);
    const keyed = app.registry.require('keyed') as unknown as {
      acquire(key: string, options: object): Promise<unknown>;
    };
    await keyed.acquire(evil, { owner });
    void keyed.acquire(evil, { owner, timeout: 3_000 }).catch(() => undefined);
    const { page } = await look(app);
    await page.waitForSelector('[data-list=holders] tbody tr');
    await page.waitForSelector('#pool-2 [data-list=holders] tbody tr');
    expect(await text(page, '#pool-2 [data-list=holders] tbody')).toContain(`GET /${evil} · <img src=x`);
    expect(await page.locator('img').count()).toBe(0);
    expect(await text(page, 'h2')).toBe('<b>one');
    expect(await page.title()).toBe(evil);
  });

  test('actions are confirmed, done and logged, with the keyboard alone', async () => {
    const app = await launch({ guard: WordGuard, actions: true });
    const { page } = await look(app, '/pools', SESAME);
    const focused = (): Promise<string> => page.evaluate<string>('document.activeElement.textContent');
    await page.keyboard.press('Tab');
    while ((await focused()) !== 'Resize') await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]');
    expect(await text(page, '#dialog-title')).toBe('Resize things?');
    // Not out of the dialog: with Tab one comes around in it, by way of the browser's own bar.
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press('Tab');
      expect(
        await page.evaluate(
          "document.activeElement === document.body || !!document.activeElement.closest('dialog')",
        ),
      ).toBe(true);
    }
    await page.locator('input[name=max]').focus();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('9');
    await page.locator('input[name=min]').focus();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('11');
    await page.keyboard.press('Enter');
    await page.locator('#dialog-error', { hasText: 'min' }).waitFor();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('2');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog:not([open])', { state: 'attached' });
    expect(app.pool('things').stats()).toMatchObject({ min: 2, max: 9 });
    expect(await focused()).toBe('Resize');
    expect(app.log.lines.join('\n')).toContain('Pool "things": resized to min 2, max 9 by Ada');
    await page.waitForSelector('.event-action');
    await page.getByRole('button', { name: 'Suspend' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(app.pool('things').stats().state).toBe('ready');
    await page.getByRole('button', { name: 'Suspend' }).click();
    await page.locator('#dialog-confirm').click();
    await page.waitForSelector('[data-verdict=suspended]');
    expect(app.pool('things').stats().state).toBe('suspended');
  });

  test('without actions there is no button', async () => {
    const { page } = await look(await launch({ guard: WordGuard }), '/pools', SESAME);
    expect(await page.locator('.card button').count()).toBe(0);
  });

  /** What answers at the address of one application that is gone: another one, as if it were somewhere else. */
  async function inPlaceOf(gone: DashboardApp, other: DashboardApp, pid: string): Promise<void> {
    const bridge = createServer(socket => {
      const behind = connect(Number(new URL(other.url).port), '127.0.0.1');
      socket.pipe(behind);
      behind.on('data', data => {
        const told = data.toString('latin1').replace(`pid ${process.pid}"`, `pid ${pid}"`);
        socket.write(Buffer.from(told, 'latin1'));
      });
      behind.once('close', () => socket.destroy());
      for (const each of [socket, behind]) each.on('error', () => undefined);
    });
    await new Promise<void>(resolve => bridge.listen(Number(new URL(gone.url).port), '127.0.0.1', resolve));
    ends.push(async () => bridge.close());
  }

  const here = `${hostname()}, pid ${process.pid}`;
  // As long, so that what counts bytes is not in the way.
  const elsewhere = String(process.pid).replace(/./g, '9');

  test.each([
    ['started anew', String(process.pid), here],
    ['another process', elsewhere, `${hostname()}, pid ${elsewhere}, before: ${here}`],
  ])(
    'it says when the connection is lost, comes back by itself, names the process, and begins anew where it is %s',
    async (said, pid, shown) => {
      const first = await serveDashboard({ open: true });
      const { page } = await look(first);
      expect(await text(page, '#process')).toBe(here);
      first.pool('things').suspend();
      await page.waitForSelector('text=ready → suspended');
      await first.app.close();
      await page.waitForSelector('#connection[data-connection=stopping], #connection[data-connection=lost]');
      expect(await text(page, '#connection')).toContain('trying again');
      await inPlaceOf(first, await launch({ open: true }), pid);
      await page.waitForSelector('#connection[data-connection=live]', { timeout: 20_000 });
      await until(
        () => text(page, '#announcer'),
        announced => announced.includes(said),
      );
      expect(await text(page, '#process')).toBe(shown);
      expect(await page.locator('text=ready → suspended').count()).toBe(0);
      expect(await page.locator('.card').count()).toBe(1);
    },
  );

  for (const [name, options] of [
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['on a phone', { viewport: { width: 320, height: 640 } }],
    ['dark on a phone', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' }],
  ] as const) {
    test(`axe finds nothing against it, ${name}, also with a dialog open, and nothing is wider than the screen`, async () => {
      const app = await launch({ guard: WordGuard, actions: true }, [
        things('orders-db', { max: 4, leakThreshold: 20 }),
        things('failing', { create: () => Promise.reject(new Error()), acquireTimeout: 200 }),
        things('suspended'),
        things('a-pool-with-a-name-that-is-much-longer-than-any-that-is-of-use'),
      ]);
      app.pool('suspended').suspend();
      void app
        .pool('failing')
        .acquire()
        .catch(() => undefined);
      for (let i = 0; i < 6; i++) {
        const owner = { toString: () => `GET /orders/${'x'.repeat(20 * i)}` };
        void app
          .pool('orders-db')
          .acquire({ owner, timeout: 60_000 })
          .catch(() => undefined);
      }
      const { page } = await look(app, '/pools', { ...SESAME, ...options });
      await page.waitForSelector('.cell-leak');
      await page.waitForSelector('[data-verdict=dead]');
      await page.waitForSelector('tr.leak details[open]');
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(page.viewportSize()!.width);
      if (process.env.SHOTS)
        await page.screenshot({ path: `${process.env.SHOTS}/axe-${name}.png`, fullPage: true });
      await page.locator('[data-action=resize]').first().click();
      expect(await violations(page)).toEqual([]);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/dialog-${name}.png` });
      await page.keyboard.press('Escape');
    });
  }
});
