import { afterEach, expect, it } from '@jest/globals';
import type { Browser, BrowserContext } from 'playwright-core';
import { Pool, ResourceInvalidatedError, type Lease } from '../../src/engine/index.js';
import { BrowserGoneError, PageCrashedError, browserPool } from '../../src/resources/browser.js';
import { browserPids, describeWithChromium, familySize, launchChromium } from '../support/chromium.js';
import { until } from '../support/until.js';

const describeHere = await describeWithChromium();

/** Whatever a test has done: no browser is left after it. */
afterEach(async () => {
  await until(browserPids, pids => pids.length === 0);
});

const browserOf = (context: BrowserContext): Browser => context.browser()!;
const aborted = (lease: Lease<BrowserContext>): Promise<unknown> =>
  new Promise(resolve => {
    lease.signal.addEventListener('abort', () => resolve(lease.signal.reason));
  });
const never = 'new Promise(() => {})';

describeHere('a browser that is killed', () => {
  it('is told to all its borrowers at once, and to no others', async () => {
    const options = browserPool({ launch: launchChromium, max: 3, contextsPerBrowser: 2 });
    await using pool = new Pool(options);
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()] as const;
    const [a, b, other] = leases;
    expect(browserOf(a.resource)).toBe(browserOf(b.resource));
    const pending = (await a.resource.newPage()).evaluate(never).catch((error: unknown) => error);
    const told = Promise.all([aborted(a), aborted(b)]);
    const { pid } = options.factory.stats().browsers.find(({ contexts }) => contexts === 2)!;

    process.kill(pid!, 'SIGKILL');
    for (const reason of await told) {
      expect(reason).toBeInstanceOf(ResourceInvalidatedError);
      expect((reason as Error).cause).toBeInstanceOf(BrowserGoneError);
    }
    expect(await pending).toBeInstanceOf(Error);
    expect(other.signal.aborted).toBe(false);
    expect(await (await other.resource.newPage()).evaluate('1 + 1')).toBe(2);
    for (const lease of leases) lease.release();
    expect(options.factory.stats().lost).toBe(1);
    await until(
      () => familySize(pid!),
      size => size === 0,
    );
  });

  it('under load is replaced, and no lease is lost', async () => {
    const options = browserPool({ launch: launchChromium, max: 4, contextsPerBrowser: 2 });
    await using pool = new Pool(options);
    let done = 0;
    let failed = 0;
    let unexplained = 0;
    const borrow = async (): Promise<void> => {
      await pool.use(async (context, lease) => {
        try {
          const page = await context.newPage();
          await page.setContent('<p>text</p>');
          done++;
        } catch {
          failed++;
          // The socket tells the library first, and the pool in the same turn or the next.
          await until(
            () => lease.signal.aborted,
            isAborted => isAborted,
          ).catch(() => unexplained++);
        }
      });
    };
    let killed = 0;
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        await borrow();
        if (done + failed === 10 || done + failed === 25) {
          const [pid] = await browserPids();
          if (pid !== undefined) {
            process.kill(pid, 'SIGKILL');
            killed++;
          }
        }
      }
    };
    await Promise.all([worker(), worker(), worker(), worker(), worker()]);

    expect(killed).toBeGreaterThan(0);
    expect(done + failed).toBe(50);
    expect(failed).toBeLessThanOrEqual(killed * 3);
    expect(unexplained).toBe(0);
    await until(
      () => pool.stats(),
      stats => stats.leased === 0 && stats.waiting === 0,
    );
  });

  it('while nothing is borrowed is replaced for the next', async () => {
    const options = browserPool({ launch: launchChromium, max: 1 });
    await using pool = new Pool(options);
    const first = await pool.use(context => Promise.resolve(browserOf(context)));
    await until(
      () => pool.stats().idle,
      idle => idle === 1,
    );
    const [pid] = await browserPids();
    process.kill(pid!, 'SIGKILL');
    await until(
      () => pool.stats().idle,
      idle => idle === 0,
    );
    expect(await pool.use(context => Promise.resolve(browserOf(context) !== first))).toBe(true);
  });
});

describeHere('a browser that hangs', () => {
  it('is found before it is lent, replaced, and killed', async () => {
    const options = browserPool({
      launch: launchChromium,
      max: 1,
      validateAfterIdle: 0,
      validateTimeout: 500,
      destroyTimeout: 1_000,
    });
    await using pool = new Pool(options);
    await pool.use(() => Promise.resolve());
    await until(
      () => pool.stats().idle,
      idle => idle === 1,
    );
    const [pid] = await browserPids();
    process.kill(pid!, 'SIGSTOP');

    expect(await pool.use(async context => (await context.newPage()).evaluate('1 + 1'))).toBe(2);
    expect(options.factory.stats().retired.hung).toBe(1);
    await until(
      () => familySize(pid!),
      size => size === 0,
    );
  });

  it('does not outlive its pool', async () => {
    const options = browserPool({ launch: launchChromium, max: 1, destroyTimeout: 1_000 });
    const pool = new Pool(options);
    const lease = await pool.acquire();
    const [pid] = await browserPids();
    process.kill(pid!, 'SIGSTOP');
    lease.release();
    await pool.close();
    // On a busy machine the system takes a while to end what has been killed, and close does not wait for ever.
    await until(
      () => familySize(pid!),
      size => size === 0,
    );
    expect(pool.stats().abandoned).toBe(0);
  });
});

describeHere('a page that crashes', () => {
  it('is told to its borrower at once; others in the browser go on', async () => {
    const options = browserPool({ launch: launchChromium, max: 2 });
    await using pool = new Pool(options);
    const lease = await pool.acquire();
    const neighbour = await pool.acquire();
    const page = await lease.resource.newPage();
    // Of another page, which has not crashed: it ends as well.
    const pending = (await lease.resource.newPage()).evaluate(never).catch((error: unknown) => error);
    const reason = aborted(lease);
    await page.goto('chrome://crash').catch(() => undefined);

    expect(await reason).toBeInstanceOf(ResourceInvalidatedError);
    expect(((await reason) as Error).cause).toBeInstanceOf(PageCrashedError);
    expect(await pending).toBeInstanceOf(Error);
    expect(neighbour.signal.aborted).toBe(false);
    expect(await (await neighbour.resource.newPage()).evaluate('1 + 1')).toBe(2);
    lease.release();
    neighbour.release();
    expect(options.factory.stats()).toMatchObject({ launches: 1, lost: 0 });
    expect(await pool.use(async context => (await context.newPage()).evaluate('1 + 1'))).toBe(2);
  });
});

describeHere('a launch that fails', () => {
  it('is tried again after the back-off of the pool', async () => {
    let launches = 0;
    const options = browserPool({
      launch: async () => {
        if (++launches < 3) throw new Error('no memory');
        return launchChromium();
      },
      max: 4,
      createBackoff: { initial: 1, max: 1 },
    });
    await using pool = new Pool(options);
    expect(await pool.use(async context => (await context.newPage()).evaluate('1 + 1'))).toBe(2);
    expect(options.factory.stats()).toMatchObject({ launches: 3, failedLaunches: 2 });
  });

  it('that has to replace a retired browser costs a place, not the pool', async () => {
    let broken = false;
    const launch = (): Promise<Browser> =>
      broken ? Promise.reject(new Error('no memory')) : launchChromium();
    const options = browserPool({ launch, max: 1, maxUses: 1, createBackoff: { initial: 1, max: 1 } });
    await using pool = new Pool(options);
    const lease = await pool.acquire();
    broken = true;
    lease.release();
    await lease.finished;
    expect(pool.stats().totals.destroyedBy).toEqual({ 'reset-failed': 1 });
    broken = false;
    expect(await pool.use(async context => (await context.newPage()).evaluate('1 + 1'))).toBe(2);
  });
});

describeHere('a launch that hangs', () => {
  it('is given up after createTimeout; its signal is aborted, and a browser that still comes is closed', async () => {
    let arrive: ((browser: Browser) => void) | undefined;
    let signal: AbortSignal | undefined;
    const options = browserPool({
      launch: how => {
        if (signal) return launchChromium();
        signal = how.signal;
        return new Promise<Browser>(resolve => (arrive = resolve));
      },
      max: 2,
      // Also on a busy machine a browser is there within that time.
      createTimeout: 3_000,
      createBackoff: { initial: 1, max: 1 },
    });
    await using pool = new Pool(options);
    expect(await pool.use(async context => (await context.newPage()).evaluate('1 + 1'))).toBe(2);
    expect(signal?.aborted).toBe(true);

    const late = await launchChromium();
    arrive?.(late);
    await until(
      () => late.isConnected(),
      connected => !connected,
    );
    await until(
      () => pool.stats().abandoned,
      abandoned => abandoned === 0,
    );
  });
});
