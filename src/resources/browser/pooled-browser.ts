import { attempt, settles, unlessAborted } from './bounded.js';
import { BrowserGoneError } from './errors.js';
import { libraryOf, type Library } from './library.js';
import { findProcess, type BrowserProcess } from './process.js';
import type { BrowserRules } from './rules.js';
import type { BrowserLike, ContextLike } from './shapes.js';
import type { BrowserCounts, BrowserRetirement, BrowserSnapshot } from './stats.js';

/** What a browser needs of those who have a context of it. */
export interface Guest {
  /** The browser has ended by itself. */
  lost(home: PooledBrowser, why: Error): void;
  /** The browser retires: who does not use its context now goes to another. */
  moveOut(home: PooledBrowser): void;
}

interface PageMaker {
  newPage?: (...options: unknown[]) => Promise<unknown>;
}

interface Running {
  readonly browser: BrowserLike;
  readonly library: Library;
}

/** One browser: from its start, which it begins at once, to the end of its last process. */
export class PooledBrowser {
  /** Those who have a context of it, or wait for one. */
  readonly guests = new Set<Guest>();
  private state: BrowserSnapshot['state'] | 'gone' = 'starting';
  private uses = 0;
  private readonly starting = new AbortController();
  /** Aborted when it has ended by itself. */
  private readonly gone = new AbortController();
  private readonly running: Promise<Running>;
  private readonly expiresAt: number;
  private process: BrowserProcess | undefined = undefined;
  private ended: Promise<void> | undefined = undefined;

  constructor(
    readonly id: number,
    private readonly rules: BrowserRules,
    private readonly counts: BrowserCounts,
  ) {
    this.expiresAt = rules.now() + rules.maxLifetime * (1 - rules.lifetimeJitter * Math.random());
    this.running = this.launch();
    // Whoever waits for it hears of its failure; nobody may.
    this.running.catch(() => undefined);
  }

  /** Can it take another guest? Retires it when its time has come. */
  get hasRoom(): boolean {
    this.inspect();
    const { state, guests, rules } = this;
    return (state === 'starting' || state === 'serving') && guests.size < rules.contextsPerBrowser;
  }

  /** Must its guests go when they can? */
  get retires(): boolean {
    this.inspect();
    return this.state === 'retiring' || this.state === 'gone';
  }

  admit(guest: Guest): void {
    this.guests.add(guest);
  }

  /** A fresh context. Counted when it is asked for, so that there are never more than `maxUses`. */
  async newContext(): Promise<ContextLike> {
    this.uses++;
    const { browser, library } = await this.running;
    const { newContext } = this.rules;
    const made = attempt(() => (newContext ? newContext(browser) : library.newContext()));
    // A library may not say that it will never come.
    return await unlessAborted(made, this.gone.signal, () => undefined);
  }

  /**
   * Tells when a page of a context crashes, and sees to it that nobody waits for a page of a browser that has gone, or of a
   * context that has ended.
   */
  async watch(context: ContextLike, tell: () => void, ended: AbortSignal): Promise<void> {
    const { library } = await this.running;
    library.onCrash(context, tell);
    const { newPage } = context as PageMaker;
    if (newPage === undefined) return;
    // Playwright does not settle it when the browser is killed, or the context closed, in the midst of it, or before.
    const make = async (options: unknown[]): Promise<unknown> => {
      ended.throwIfAborted();
      const page = unlessAborted(newPage.apply(context, options), this.gone.signal, () => undefined);
      return unlessAborted(page, ended, () => undefined);
    };
    (context as PageMaker).newPage = (...options) => {
      const page = make(options);
      // Who has forgotten about it need not hear of its end.
      page.catch(() => undefined);
      return page;
    };
  }

  /** Does it answer? One that does not is retired. */
  async answers(): Promise<boolean> {
    const ask = async (): Promise<unknown> => (await this.running).library.ping();
    const answer = await settles(ask, this.rules.pingTimeout);
    if (answer === 'late') this.retire('hung');
    return answer === 'well';
  }

  /** Something that was asked of it took too long. It may have much to do; only a start that hangs is given up as such. */
  suspect(): void {
    if (this.state === 'starting') this.retire('hung');
    else void this.answers();
  }

  /** Looks at what it takes, and retires it when that is too much. */
  async weigh(): Promise<void> {
    const { maxMemoryMb } = this.rules;
    if (maxMemoryMb === Infinity || this.state !== 'serving') return;
    const taken = await this.process?.memoryMb();
    if (taken !== undefined && taken > maxMemoryMb) this.retire('memory');
  }

  /** From now on nobody else is admitted. It ends when its last guest has left. */
  retire(why: BrowserRetirement): void {
    if (this.state !== 'serving' && this.state !== 'starting') return;
    this.state = 'retiring';
    this.counts.retired[why]++;
    // What has been made within `maxUses` is still to be used.
    if (why !== 'uses') for (const guest of [...this.guests]) guest.moveOut(this);
  }

  /** Ends it: closes it, and kills what does not end by itself. Never rejects. */
  end(): Promise<void> {
    if (this.state !== 'gone') this.state = 'ending';
    this.starting.abort(new Error('Nobody wants this browser any more.'));
    return (this.ended ??= this.close());
  }

  /** Undefined when it has gone. */
  snapshot(): BrowserSnapshot | undefined {
    const { id, state, guests, uses } = this;
    return state === 'gone' ? undefined : { id, state, pid: this.process?.pid, contexts: guests.size, uses };
  }

  private inspect(): void {
    if (this.uses >= this.rules.maxUses) this.retire('uses');
    else if (this.rules.now() >= this.expiresAt) this.retire('age');
  }

  private async launch(): Promise<Running> {
    this.counts.launches++;
    try {
      const browser = await attempt(() => this.rules.launch({ signal: this.starting.signal }));
      const library = libraryOf(browser);
      library.onDisconnected(() => this.lose());
      await this.identify(library);
      if (!library.isConnected()) this.lose();
      if (this.state === 'gone') throw this.goneError();
      if (this.state === 'starting') this.state = 'serving';
      return { browser, library };
    } catch (error) {
      if (this.state !== 'gone') this.counts.failedLaunches++;
      this.state = 'gone';
      throw error;
    }
  }

  /** Who cannot be found is not killed, and not weighed. */
  private async identify(library: Library): Promise<void> {
    await settles(async () => {
      const pid = await library.pid();
      if (pid !== undefined) this.process = await findProcess(pid, library.kill);
    }, this.rules.pingTimeout);
  }

  private lose(): void {
    if (this.state === 'ending' || this.state === 'gone') return;
    this.state = 'gone';
    this.counts.lost++;
    const why = this.goneError();
    this.gone.abort(why);
    for (const guest of [...this.guests]) guest.lost(this, why);
    // Its helpers may be left, or it may live and only not be reached any more.
    void this.end();
  }

  private goneError(): BrowserGoneError {
    const pid = this.process ? `, process ${this.process.pid},` : '';
    return new BrowserGoneError(
      `Browser ${this.id}${pid} has ended by itself after ${this.uses} contexts: it has crashed, or was killed. ` +
        'Look for a lack of memory (in a container, of /dev/shm too).',
    );
  }

  private async close(): Promise<void> {
    const { patience } = this.rules;
    try {
      const { browser } = await this.running;
      await settles(() => browser.close(), patience);
    } catch {
      // It has never run, or does no more.
    }
    await this.process?.kill(patience);
    this.state = 'gone';
  }
}
