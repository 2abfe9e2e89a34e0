import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Pool, PoolOptionsError } from '../../src/engine/index.js';
import {
  BrowserGoneError,
  browserPool,
  type BrowserLike,
  type ContextLike,
} from '../../src/resources/browser.js';
import { until } from '../support/until.js';

interface FakeContext extends ContextLike {
  readonly id: number;
}
interface FakeBrowser extends BrowserLike {
  newContext(): Promise<FakeContext>;
}

/** Browsers that are none, and what they were asked for. */
class FakeBrowsers {
  launched = 0;
  contexts = 0;

  readonly launch = (): Promise<FakeBrowser> => {
    this.launched++;
    return Promise.resolve({
      newContext: () => Promise.resolve({ id: ++this.contexts, close: () => Promise.resolve() }),
      close: () => Promise.resolve(),
    });
  };
}

const launch = new FakeBrowsers().launch;
const refusal = (options: object): unknown => {
  try {
    return browserPool({ name: 'pages', launch, ...options });
  } catch (error) {
    return error;
  }
};

describe('the options of browserPool', () => {
  it.each([
    [{ launch: undefined }, 'option "launch" is undefined; it must be a function that starts a browser'],
    [{ newContext: 5 }, 'option "newContext" is 5; it must be a function from a browser to a fresh context'],
    [
      { contextsPerBrowser: 0 },
      'option "contextsPerBrowser" is 0; it must be a whole number ≥ 1, or Infinity',
    ],
    [{ maxUses: 1.5 }, 'option "maxUses" is 1.5; it must be a whole number ≥ 1, or Infinity'],
    [{ maxLifetime: NaN }, 'option "maxLifetime" is NaN; it must be milliseconds ≥ 1, or Infinity'],
    [{ maxMemoryMb: '512' }, 'option "maxMemoryMb" is a string; it must be MiB ≥ 1, or Infinity'],
    [{ isFatal: {} }, 'option "isFatal" is an object; it must be a function of an error and a context'],
    [{ isRetryable: true }, 'option "isRetryable" is true; it must be a function of an error'],
  ])('are checked: %j', (options, message) => {
    const error = refusal(options);
    expect(error).toBeInstanceOf(PoolOptionsError);
    expect((error as Error).message).toContain(`Pool "pages": ${message}`);
  });

  it('may be undefined, which is to leave them out', async () => {
    const browsers = new FakeBrowsers();
    const { launch } = browsers;
    await using pool = new Pool(
      browserPool({ launch, max: undefined as never, maxUses: undefined as never }),
    );
    await Promise.all(Array.from({ length: 8 }, () => pool.acquire()));
    expect(browsers.launched).toBe(2);
    expect(pool.tryAcquire()).toBeUndefined();
    void pool.close({ timeout: 0 });
  });

  it('that neither knows are refused by the pool', () => {
    expect(() => new Pool(browserPool({ launch, maxBrowsers: 3 } as never))).toThrow(
      /unknown option "maxBrowsers"/,
    );
  });

  it('are of no use with a launch that returns no browser, and it says so', async () => {
    const launch = (() => Promise.resolve({ close: () => Promise.resolve() })) as never;
    await using pool = new Pool(browserPool({ launch, unavailableAfter: 1 }));
    await expect(pool.acquire()).rejects.toThrow(/neither newContext\(\) nor createBrowserContext\(\)/);
  });
});

describe('a pool that is closed', () => {
  it('waits for browsers that had retired before', async () => {
    const closing: (() => void)[] = [];
    const { launch } = new FakeBrowsers();
    const slowly = async (): Promise<FakeBrowser> => {
      const browser = await launch();
      const close = (): Promise<void> => new Promise(resolve => closing.push(resolve));
      return closing.length === 0 ? { ...browser, close } : browser;
    };
    const pool = new Pool(browserPool({ launch: slowly, max: 1, maxUses: 1 }));
    await pool.use(() => Promise.resolve());
    await until(
      () => closing.length,
      length => length === 1,
    );
    let closed = false;
    const end = pool.close().then(() => (closed = true));
    await new Promise(resolve => setImmediate(resolve));
    expect(closed).toBe(false);
    closing[0]!();
    await end;
  });
});

describe('a context', () => {
  it('of a browser that has gone lets nobody wait for a page, though the library would', async () => {
    const browser = Object.assign(new EventEmitter(), {
      newContext: () =>
        Promise.resolve({ newPage: () => new Promise(() => undefined), close: () => Promise.resolve() }),
      close: () => Promise.resolve(),
    });
    await using pool = new Pool(browserPool({ launch: () => browser, max: 1 }));
    const lease = await pool.acquire();
    const page = lease.resource.newPage();
    browser.emit('disconnected');
    await expect(page).rejects.toThrow(BrowserGoneError);
    expect(lease.signal.reason).toMatchObject({ code: 'POOL_RESOURCE_INVALIDATED' });
    lease.release();
  });

  it('that is shown to isFatal is the one that was borrowed', async () => {
    const browsers = new FakeBrowsers();
    const shown: unknown[] = [];
    const isFatal = (_: unknown, context: FakeContext): boolean => shown.push(context.id) > 0;
    await using pool = new Pool(browserPool({ launch: browsers.launch, max: 1, isFatal }));
    await pool.use(() => Promise.resolve());
    const failing = pool.use(({ id }) => Promise.reject(new Error(String(id))));
    await expect(failing).rejects.toThrow('2');
    expect(shown).toEqual([2]);
    await until(
      () => pool.stats().totals.destroyedBy,
      by => by.fatal === 1,
    );
  });

  it('that is detached is a context', async () => {
    await using pool = new Pool(browserPool({ launch: new FakeBrowsers().launch, max: 1 }));
    const lease = await pool.acquire();
    const context = lease.detach();
    expect(context.id).toBe(1);
    expect('id' in context).toBe(true);
    await context.close();
  });
});
