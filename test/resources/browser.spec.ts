import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { Browser, BrowserContext } from 'playwright-core';
import { LeaseReleasedError, Pool, type Clock, type Lease } from '../../src/engine/index.js';
import { systemClock } from '../../src/engine/time/clock.js';
import { browserPool } from '../../src/resources/browser.js';
import { browserPids, describeWithChromium, familySize, launchChromium } from '../support/chromium.js';
import { until } from '../support/until.js';

const describeHere = await describeWithChromium();

let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((_, response) => response.end('<title>here</title>'));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
/** Whatever a test has done: no browser is left after it. */
afterEach(async () => {
  await until(browserPids, pids => pids.length === 0);
});

const browserOf = (context: BrowserContext): Browser => context.browser()!;

describeHere('a borrowed context', () => {
  it('is a fresh one each time: cookies and storage of one borrower are not seen by the next', async () => {
    await using pool = new Pool(browserPool({ launch: launchChromium, max: 1 }));
    const leaveTraces = async (context: BrowserContext): Promise<unknown> => {
      const page = await context.newPage();
      await page.goto(url);
      const seen = await page.evaluate('[document.cookie, localStorage.getItem("who")]');
      await page.evaluate('document.cookie = "who=me"; localStorage.setItem("who", "me")');
      return seen;
    };

    expect(await pool.use(leaveTraces)).toEqual(['', null]);
    expect(await pool.use(leaveTraces)).toEqual(['', null]);
    // Both in one browser.
    expect(pool.stats().totals.created).toBe(1);
  });

  it('is closed with its pages when it is given back, and refuses who uses it late', async () => {
    await using pool = new Pool(browserPool({ launch: launchChromium, max: 1 }));
    const lease = await pool.acquire();
    const context = lease.resource;
    const page = await context.newPage();
    lease.release();
    await lease.finished;

    expect(page.isClosed()).toBe(true);
    await expect(context.newPage()).rejects.toBeInstanceOf(LeaseReleasedError);
    expect(await pool.use(fresh => Promise.resolve(fresh === context))).toBe(false);
  });

  it('makes no page for who asks in the moment in which it is given back', async () => {
    await using pool = new Pool(browserPool({ launch: launchChromium, max: 1 }));
    const lease = await pool.acquire();
    const context = lease.resource;
    await context.newPage();
    const underWay = context.newPage();
    lease.release();
    await expect(underWay).rejects.toBeInstanceOf(LeaseReleasedError);
    await expect(context.newPage()).rejects.toBeInstanceOf(LeaseReleasedError);
    await lease.finished;
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { destroyed: 0 } });
  });

  it('is of the type that the library makes', async () => {
    const options = browserPool({ name: 'pages', launch: launchChromium });
    expectTypeOf(options.name).toEqualTypeOf<'pages'>();
    await using pool = new Pool(options);
    expectTypeOf(pool).toEqualTypeOf<Pool<BrowserContext>>();
  });

  it('can be made in another way, such as with a language', async () => {
    const newContext = (browser: Browser): Promise<BrowserContext> => browser.newContext({ locale: 'de-AT' });
    await using pool = new Pool(browserPool({ launch: launchChromium, newContext, max: 1 }));
    const language = await pool.use(async context =>
      (await context.newPage()).evaluate('navigator.language'),
    );
    expect(language).toBe('de-AT');
  });
});

describeHere('the browsers behind a pool', () => {
  it('are few, however many borrow: each has contextsPerBrowser contexts', async () => {
    // On a busy machine a context may take long to close, and holds its seat until then.
    const options = browserPool({
      launch: launchChromium,
      max: 6,
      contextsPerBrowser: 3,
      destroyTimeout: 30_000,
      acquireTimeout: 30_000,
    });
    await using pool = new Pool(options);
    let held = 0;
    let mostHeld = 0;
    let mostProcesses = 0;
    let fullest = 0;
    await Promise.all(
      Array.from({ length: 24 }, () =>
        pool.use(async context => {
          mostHeld = Math.max(mostHeld, ++held);
          const page = await context.newPage();
          await page.setContent('<p>text</p>');
          mostProcesses = Math.max(mostProcesses, (await browserPids()).length);
          for (const { contexts } of options.factory.stats().browsers) fullest = Math.max(fullest, contexts);
          held--;
        }),
      ),
    );

    expect(mostHeld).toBeGreaterThan(3);
    expect(mostHeld).toBeLessThanOrEqual(6);
    expect(mostProcesses).toBeLessThanOrEqual(2);
    expect(fullest).toBe(3);
    expect(options.factory.stats()).toMatchObject({ launches: mostProcesses, failedLaunches: 0, lost: 0 });
  });

  it('are started once for all who come at the same time', async () => {
    const options = browserPool({ launch: launchChromium, max: 4, contextsPerBrowser: 4, growth: 'eager' });
    await using pool = new Pool(options);
    const leases = await Promise.all(Array.from({ length: 4 }, () => pool.acquire()));
    expect(options.factory.stats()).toMatchObject({ launches: 1, browsers: [{ contexts: 4, uses: 4 }] });
    for (const lease of leases) lease.release();
  });

  it('retire after maxUses contexts, and end when the last of these is back', async () => {
    const options = browserPool({ launch: launchChromium, max: 2, contextsPerBrowser: 2, maxUses: 3 });
    await using pool = new Pool(options);
    const long = await pool.acquire();
    const first = browserOf(long.resource);
    const used: Browser[] = [first];
    for (let i = 0; i < 4; i++) {
      const lease = await pool.acquire();
      used.push(browserOf(lease.resource));
      lease.release();
      await lease.finished;
    }
    // Three are of the first, and the others of a second, though the first has room again.
    expect(used.map(browser => browser === first)).toEqual([true, true, true, false, false]);
    expect(first.isConnected()).toBe(true);

    long.release();
    await long.finished;
    await until(
      () => first.isConnected(),
      connected => !connected,
    );
    // The second has made its three, too: two were used, and one is ready.
    expect(options.factory.stats()).toMatchObject({ retired: { uses: 2, age: 0 }, launches: 3 });
    expect(pool.stats().totals.destroyed).toBe(0);
  });

  it('retire at the age of maxLifetime, and take along nobody', async () => {
    let ahead = 0;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + ahead };
    const options = browserPool({
      launch: launchChromium,
      max: 3,
      maxLifetime: 60_000,
      lifetimeJitter: 0,
      clock,
    });
    await using pool = new Pool(options);
    const old = await pool.acquire();
    const first = browserOf(old.resource);
    ahead = 60_000;

    // It has room, and is not given to others any more.
    expect(await pool.use(context => Promise.resolve(browserOf(context) !== first))).toBe(true);
    expect(options.factory.stats().retired).toMatchObject({ age: 1 });
    expect(await (await old.resource.newPage()).evaluate('1 + 1')).toBe(2);
    old.release();
    await until(
      () => first.isConnected(),
      connected => !connected,
    );
  });

  it('retire when their processes take more than maxMemoryMb; a context that is ready moves', async () => {
    const options = browserPool({ launch: launchChromium, max: 2, maxMemoryMb: 1, min: 2 });
    await using pool = new Pool(options);
    await pool.start();
    const lease = await pool.acquire();
    const first = browserOf(lease.resource);
    lease.release();
    await lease.finished;

    // Also without the other one having been borrowed.
    await until(
      () => first.isConnected(),
      connected => !connected,
    );
    await until(
      () => options.factory.stats().browsers,
      browsers => browsers.length === 1,
    );
    expect(options.factory.stats()).toMatchObject({ retired: { memory: 1 }, browsers: [{ contexts: 2 }] });
    expect(pool.stats().totals.destroyed).toBe(0);
    expect(await pool.use(context => Promise.resolve(browserOf(context) !== first))).toBe(true);
  });

  it('end with the pool, with all their processes', async () => {
    const options = browserPool({ launch: launchChromium, max: 2, contextsPerBrowser: 1 });
    const pool = new Pool(options);
    const leases: Lease<BrowserContext>[] = [await pool.acquire(), await pool.acquire()];
    const pids = options.factory.stats().browsers.map(({ pid }) => pid!);
    expect(pids.sort()).toEqual((await browserPids()).sort());
    for (const lease of leases) lease.release();
    await pool.close();

    expect(await browserPids()).toEqual([]);
    for (const pid of pids) expect(await familySize(pid)).toBe(0);
    expect(options.factory.stats().browsers).toEqual([]);
  });

  it('end with a pool that is closed while one is being started', async () => {
    const pool = new Pool(browserPool({ launch: launchChromium, max: 1 }));
    const refused = pool.acquire().catch((error: unknown) => error);
    await pool.close();
    expect(await refused).toMatchObject({ code: 'POOL_CLOSED' });
    expect(await browserPids()).toEqual([]);
  });
});
