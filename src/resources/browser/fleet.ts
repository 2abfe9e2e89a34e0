import { settles } from './bounded.js';
import { PooledBrowser, type Guest } from './pooled-browser.js';
import type { BrowserRules } from './rules.js';
import { BrowserCounts, type BrowserSnapshot, type BrowserStats } from './stats.js';

/** All browsers of a pool: who gets a context in which, and when another is started. */
export class Fleet {
  private readonly browsers = new Set<PooledBrowser>();
  private readonly counts = new BrowserCounts();

  constructor(readonly rules: BrowserRules) {}

  /** A place in the fullest browser that has room, so that others become empty; or else in a new one. */
  join(guest: Guest): PooledBrowser {
    let home: PooledBrowser | undefined;
    for (const browser of [...this.browsers]) {
      if (browser.hasRoom && browser.guests.size >= (home?.guests.size ?? 0)) home = browser;
    }
    home ??= this.start();
    home.admit(guest);
    return home;
  }

  /** Gives a place back. A browser without guests ends; resolves when it has. */
  leave(guest: Guest, home: PooledBrowser): Promise<void> {
    home.guests.delete(guest);
    if (home.guests.size > 0) return Promise.resolve();
    return home.end().finally(() => this.browsers.delete(home));
  }

  /**
   * Resolves when nobody is there any more and every browser has ended; at once while somebody is. One whose start hangs
   * is not waited for: it is closed if it does start.
   */
  async emptied(): Promise<void> {
    const all = [...this.browsers];
    if (!all.every(({ guests }) => guests.size === 0)) return;
    await settles(() => Promise.all(all.map(browser => browser.end())), this.rules.patience);
  }

  get stats(): BrowserStats {
    const { launches, failedLaunches, lost, retired } = this.counts;
    const browsers = [...this.browsers]
      .map(browser => browser.snapshot())
      .filter((snapshot): snapshot is BrowserSnapshot => snapshot !== undefined);
    return { browsers, launches, failedLaunches, lost, retired: { ...retired } };
  }

  private start(): PooledBrowser {
    const browser = new PooledBrowser(this.counts.launches + 1, this.rules, this.counts);
    this.browsers.add(browser);
    return browser;
  }
}
