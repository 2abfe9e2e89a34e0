import type { PoolSettings, ResourceFactory, SessionHooks } from '../engine/index.js';
import { checkOwn } from '../engine/options/own.js';
import { count, duration, type Rule } from '../engine/options/rules.js';
import { BrowserGoneError, PageCrashedError } from './browser/errors.js';
import { BrowserFactory } from './browser/factory.js';
import type { BrowserRules } from './browser/rules.js';
import type { BrowserLike, ContextLike, ContextOf } from './browser/shapes.js';
import type { BrowserRetirement, BrowserSnapshot, BrowserStats } from './browser/stats.js';

export { BrowserGoneError, PageCrashedError };
export type { BrowserLike, BrowserRetirement, BrowserSnapshot, BrowserStats, ContextLike, ContextOf };

/** The settings of a pool of contexts, and of the browsers behind it. All durations are milliseconds. */
export interface BrowserPoolOptions<B extends BrowserLike, C extends ContextLike>
  extends PoolSettings, SessionHooks<C> {
  /**
   * Starts a browser: `() => chromium.launch({ … })` of Playwright, or `() => puppeteer.launch({ … })`. The signal is
   * aborted when nobody wants the browser any more; one that still comes is closed. A launch that fails is tried again
   * after the pool's `createBackoff`, and one that takes longer than `createTimeout` is given up.
   */
  launch: (how: { readonly signal: AbortSignal }) => B | PromiseLike<B>;
  /**
   * Makes a context. Default `browser.newContext()` of Playwright, or `browser.createBrowserContext()` of Puppeteer.
   * It must be a fresh one each time: it is closed when it is given back.
   */
  newContext?: (browser: B) => C | PromiseLike<C>;
  /** Contexts at most, lent ones and those that are ready for the next. Default 8. */
  max?: number;
  /** So many of them are in one browser; when these are taken, another is started. Default 4. */
  contextsPerBrowser?: number;
  /** Contexts that one browser makes; then it retires. Default 500. */
  maxUses?: number;
  /** A browser retires at this age, or at most `lifetimeJitter` sooner. Default 1 800 000, half an hour. */
  maxLifetime?: number;
  /**
   * A browser whose processes take more MiB (what they share counted once) retires. Looked at when a context comes back,
   * on Linux only and for Chromium only; elsewhere nothing is known. Default `Infinity`: not looked at.
   */
  maxMemoryMb?: number;
  /** Does this error of a borrower mean that the context cannot be renewed? Default: no error does. */
  isFatal?: (error: unknown, context: C) => boolean;
  /** Is it worth launching again after this error? Default: yes. */
  isRetryable?: (error: unknown) => boolean;
}

/** What {@link browserPool} makes: options for `new Pool()`, or for a definition in `PoolModule`. */
export type BrowserPool<C extends ContextLike> = PoolSettings &
  SessionHooks<C> & {
    factory: ResourceFactory<C> & {
      /** The browsers behind the pool now, and how the others have ended; cheap. */
      stats(): BrowserStats;
    };
  };

const DEFAULT_LIFETIME = 1_800_000;
const DEFAULT_JITTER = 0.25;
/** Closing a context, closing its browser, killing that and waiting for the others get a fifth each. */
const DEFAULT_DESTROY_TIMEOUT = 15_000;
/** A context that comes back may need a browser to be started for its successor. */
const DEFAULT_RESET_TIMEOUT = 30_000;
const DEFAULT_VALIDATE_TIMEOUT = 5_000;

/**
 * A pool of browser contexts, for Playwright or Puppeteer. Neither is imported: `launch` is yours.
 *
 * ```ts
 * const pool = new Pool(browserPool({ launch: () => chromium.launch(), max: 8, contextsPerBrowser: 4 }));
 * const pdf = await pool.use(async context => {
 *   const page = await context.newPage();
 *   await page.setContent('<h1>Hello</h1>');
 *   return page.pdf();
 * });
 * ```
 *
 * What is borrowed is a fresh context out of a few browsers: no cookie, storage or cache of one borrower is seen by the
 * next. It is closed, with its pages, when it is given back; who asks it for a page then, or still waits for one, gets a
 * `LeaseReleasedError`, and who uses it otherwise the library's error for a context that is closed.
 *
 * A browser retires after `maxUses` contexts, at the age of `maxLifetime`, above `maxMemoryMb`, or when it does not answer.
 * Then it gets no more contexts, and ends when its last one is back. A browser that has crashed or was killed takes its
 * contexts with it: their borrowers find `lease.signal` aborted at once, with a `ResourceInvalidatedError` whose cause is a
 * {@link BrowserGoneError}; after the crash of a page the cause is a {@link PageCrashedError}, and the context is closed.
 *
 * A browser is closed when its last context is destroyed, and killed when it does not close in time. That needs to know
 * its process: on Linux with Chromium, and with Puppeteer anywhere. Do not `detach()` contexts: nobody closes their
 * browser then.
 *
 * Other options are the pool's own. Defaults that differ: `max` 8, `resetTimeout` 30 000, `destroyTimeout` 15 000.
 *
 * @throws PoolOptionsError when an option of this function is not what it must be; the pool checks its own
 */
export function browserPool<
  B extends BrowserLike,
  const Name extends string,
  C extends ContextLike = ContextOf<B>,
>(options: BrowserPoolOptions<B, C> & { name: Name }): BrowserPool<C> & { name: Name };
export function browserPool<B extends BrowserLike, C extends ContextLike = ContextOf<B>>(
  options: BrowserPoolOptions<B, C>,
): BrowserPool<C>;
export function browserPool<B extends BrowserLike, C extends ContextLike>(
  options: BrowserPoolOptions<B, C>,
): BrowserPool<C> {
  const {
    launch,
    newContext,
    contextsPerBrowser = 4,
    maxUses = 500,
    maxLifetime = DEFAULT_LIFETIME,
    maxMemoryMb = Infinity,
    isFatal,
    isRetryable,
    ...given
  } = options;
  const { name = 'pool' } = options;
  checkOwn(name, `Pool "${name}"`, options, RULES);
  const settings: PoolSettings = {
    max: 8,
    resetTimeout: DEFAULT_RESET_TIMEOUT,
    destroyTimeout: DEFAULT_DESTROY_TIMEOUT,
    ...present(given),
    // Also of a context that waits for its borrower: it would keep an old browser.
    maxLifetime,
  };
  const { destroyTimeout, validateTimeout, lifetimeJitter, clock } = settings;
  const rules: BrowserRules = {
    launch,
    newContext: newContext as BrowserRules['newContext'],
    contextsPerBrowser,
    maxUses,
    maxLifetime,
    lifetimeJitter: lifetimeJitter ?? DEFAULT_JITTER,
    maxMemoryMb,
    patience: Math.min(destroyTimeout ?? Infinity, DEFAULT_DESTROY_TIMEOUT) / 5,
    pingTimeout: Math.min(validateTimeout ?? Infinity, DEFAULT_VALIDATE_TIMEOUT) * 0.8,
    now: () => clock?.now() ?? performance.now(),
  };
  const own = { isFatal, isRetryable } as ConstructorParameters<typeof BrowserFactory>[1];
  return { ...settings, factory: new BrowserFactory(rules, own) as unknown as BrowserPool<C>['factory'] };
}

const call = (allowed: string): Rule => ({ ok: value => typeof value === 'function', allowed });

const RULES: Readonly<Record<string, Rule>> = {
  launch: {
    ...call('a function that starts a browser, such as () => chromium.launch()'),
    required: true,
  },
  newContext: call('a function from a browser to a fresh context'),
  contextsPerBrowser: count(1, true),
  maxUses: count(1, true),
  maxLifetime: duration(1),
  maxMemoryMb: {
    ok: value => typeof value === 'number' && value >= 1,
    allowed: 'MiB ≥ 1, or Infinity',
  },
  isFatal: call('a function of an error and a context'),
  isRetryable: call('a function of an error'),
};

function present(settings: PoolSettings): PoolSettings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
