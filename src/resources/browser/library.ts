import { attempt } from './bounded.js';
import type {
  BrowserLike,
  ContextLike,
  Emitter,
  PlaywrightBrowser,
  PuppeteerBrowser,
  PuppeteerTarget,
} from './shapes.js';

/** What Playwright and Puppeteer do in different ways. */
export interface Library {
  newContext(): Promise<ContextLike>;
  isConnected(): boolean;
  /** Asks the browser itself; settles only when that answers. */
  ping(): Promise<unknown>;
  onDisconnected(tell: () => void): void;
  onCrash(context: ContextLike, tell: () => void): void;
  /** The number of its main process, on the machine on which it runs. */
  pid(): Promise<number | undefined>;
  /** Ends the process by the library's own means. */
  readonly kill: (() => unknown) | undefined;
}

/** @throws TypeError when it is neither's */
export function libraryOf(browser: BrowserLike | null | undefined): Library {
  const { newContext, createBrowserContext } = (browser ?? {}) as Partial<
    PlaywrightBrowser & PuppeteerBrowser
  >;
  if (typeof newContext === 'function') return playwright(browser as PlaywrightBrowser);
  if (typeof createBrowserContext === 'function') return puppeteer(browser as PuppeteerBrowser);
  throw new TypeError(
    'What "launch" has returned is not a browser of Playwright or Puppeteer: it has neither newContext() nor ' +
      'createBrowserContext(). Return what chromium.launch() or puppeteer.launch() returns.',
  );
}

function playwright(browser: PlaywrightBrowser): Library {
  // Of Chromium only; with others there is no way to their processes.
  const session = attempt(() => browser.newBrowserCDPSession?.()).catch(() => undefined);
  return {
    newContext: () => browser.newContext(),
    isConnected: () => browser.isConnected?.() ?? true,
    ping: async () => (await session)?.send('Browser.getVersion'),
    onDisconnected: tell => browser.on?.('disconnected', tell),
    onCrash: (context, tell) => {
      (context as Emitter).on?.('page', (page: Emitter) => page.on?.('crash', tell));
    },
    pid: async () => {
      const answer = await (await session)?.send('SystemInfo.getProcessInfo');
      const { processInfo = [] } = (answer ?? {}) as { processInfo?: { type: string; id: number }[] };
      return processInfo.find(({ type }) => type === 'browser')?.id;
    },
    kill: undefined,
  };
}

function puppeteer(browser: PuppeteerBrowser): Library {
  const child = browser.process?.() ?? undefined;
  return {
    newContext: () => browser.createBrowserContext(),
    isConnected: () => browser.connected ?? true,
    ping: async () => browser.version?.(),
    onDisconnected: tell => browser.on?.('disconnected', tell),
    onCrash: (context, tell) => {
      (context as Emitter).on?.('targetcreated', (target: PuppeteerTarget) => {
        if (target.type() !== 'page') return;
        target.page().then(
          page => page?.on?.('error', tell),
          () => undefined,
        );
      });
    },
    pid: async () => child?.pid,
    kill: child && (() => child.kill('SIGKILL')),
  };
}
