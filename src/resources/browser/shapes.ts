/** What the pool needs of a browser: Playwright's and Puppeteer's both fit. */
export interface BrowserLike {
  close(): Promise<unknown>;
}

/** What the pool needs of a context: Playwright's and Puppeteer's both fit. */
export interface ContextLike {
  close(): Promise<unknown>;
}

/** The contexts that a browser makes: by `newContext()` of Playwright, or `createBrowserContext()` of Puppeteer. */
export type ContextOf<B> = B extends { newContext(...options: never[]): Promise<infer C extends ContextLike> }
  ? C
  : B extends { createBrowserContext(...options: never[]): Promise<infer C extends ContextLike> }
    ? C
    : ContextLike;

/** What both libraries offer to hear of what happens. */
export interface Emitter {
  on?(event: string, listener: (subject: never) => void): unknown;
}

/** Of Playwright's browser, what only some of its browsers have included. */
export interface PlaywrightBrowser extends BrowserLike, Emitter {
  newContext(): Promise<ContextLike>;
  isConnected?(): boolean;
  /** Chromium only; rejects elsewhere. */
  newBrowserCDPSession?(): Promise<{ send(method: string): Promise<unknown> }>;
}

/** Of Puppeteer's browser. */
export interface PuppeteerBrowser extends BrowserLike, Emitter {
  createBrowserContext(): Promise<ContextLike>;
  readonly connected?: boolean;
  version?(): Promise<string>;
  process?(): { readonly pid?: number | undefined; kill(signal: 'SIGKILL'): boolean } | null;
}

/** Of Puppeteer's target. */
export interface PuppeteerTarget {
  type(): string;
  page(): Promise<Emitter | null>;
}
