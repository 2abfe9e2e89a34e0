import { afterEach, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import puppeteer, { type Browser, type BrowserContext } from 'puppeteer-core';
import { Pool } from '../../src/engine/index.js';
import { BrowserGoneError, PageCrashedError, browserPool } from '../../src/resources/browser.js';
import { browserPids, describeWithChromium, launchOptions } from '../support/chromium.js';
import { until } from '../support/until.js';

const describeHere = await describeWithChromium();
const launch = async (): Promise<Browser> => {
  const { executablePath, args } = await launchOptions();
  return puppeteer.launch({ executablePath, args, headless: 'shell' });
};

/** Whatever a test has done: no browser is left after it. */
afterEach(async () => {
  await until(browserPids, pids => pids.length === 0);
});

describeHere('a pool with Puppeteer', () => {
  it('lends fresh contexts of one browser, and tells of a crashed page and a killed browser', async () => {
    const options = browserPool({ launch, max: 2 });
    await using pool = new Pool(options);
    expectTypeOf(pool).toEqualTypeOf<Pool<BrowserContext>>();
    const first = await pool.use(async context => {
      await (await context.newPage()).setContent('<p>text</p>');
      return context;
    });
    expect(await pool.use(context => Promise.resolve(context !== first))).toBe(true);
    expect(options.factory.stats()).toMatchObject({
      launches: 1,
      browsers: [{ pid: (await browserPids())[0] }],
    });

    const crashing = await pool.acquire();
    const other = await pool.acquire();
    const page = await crashing.resource.newPage();
    void page.goto('chrome://crash').catch(() => undefined);
    await until(
      () => crashing.signal.aborted,
      aborted => aborted,
    );
    expect((crashing.signal.reason as Error).cause).toBeInstanceOf(PageCrashedError);
    expect(other.signal.aborted).toBe(false);

    process.kill((await browserPids())[0]!, 'SIGKILL');
    await until(
      () => other.signal.aborted,
      aborted => aborted,
    );
    expect((other.signal.reason as Error).cause).toBeInstanceOf(BrowserGoneError);
    crashing.release();
    other.release();
  });

  it('kills a browser that hangs when the pool is closed', async () => {
    const pool = new Pool(browserPool({ launch, max: 1, destroyTimeout: 1_000 }));
    await pool.acquire();
    const [pid] = await browserPids();
    process.kill(pid!, 'SIGSTOP');
    await pool.close({ timeout: 0 });
    await until(browserPids, pids => pids.length === 0);
  });
});
