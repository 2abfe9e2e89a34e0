import { PoolClosedError, type CreateContext, type DestroyReason } from '../../engine/index.js';
import { settles, unlessAborted } from './bounded.js';
import { PageCrashedError } from './errors.js';
import type { Fleet } from './fleet.js';
import type { Guest, PooledBrowser } from './pooled-browser.js';
import type { ContextLike } from './shapes.js';

/**
 * What the pool counts: the right to one context. Each borrower finds a fresh one in it, made when the one before was
 * closed, in the same browser or, when that retires, in another.
 */
export class Seat implements Guest {
  private current: ContextLike | undefined = undefined;
  private home: PooledBrowser | undefined = undefined;
  /** Aborted when nobody is to use a context any more. */
  private readonly ends = new WeakMap<ContextLike, AbortController>();
  /** Has a borrower seen the context? */
  private inHand = false;
  /** Is there a context that can be lent? */
  private isOpen = false;
  private moving: Promise<void> | undefined = undefined;
  /** Aborted when nobody wants the context that is being made. */
  private readonly ending = new AbortController();
  /** Was what is being made given up since it takes too long? */
  private isLate = false;

  constructor(
    private readonly fleet: Fleet,
    private readonly invalidate: CreateContext['invalidate'],
  ) {}

  get context(): ContextLike {
    if (!this.current) throw new Error('This seat has no context: it was destroyed.');
    return this.current;
  }

  /** Makes the first context. */
  async open(signal: AbortSignal): Promise<void> {
    const end = (): void => {
      this.isLate = !(signal.reason instanceof PoolClosedError);
      this.ending.abort(signal.reason);
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      await this.furnish();
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  /** A borrower takes it. */
  lend(): ContextLike {
    this.inHand = true;
    return this.context;
  }

  /** The lease of its borrower has ended: from now on the context makes no page, and nobody waits for one. */
  revoke(why: () => Error): void {
    if (this.current) this.ends.get(this.current)?.abort(why());
  }

  /** A borrower is done with it: its context ends, and there is a fresh one for the next. */
  async renew(): Promise<void> {
    this.isOpen = false;
    await this.moving;
    if (!(await this.discard())) {
      throw new Error(
        'The context of the last borrower has not closed in time, so that its browser makes no other.',
      );
    }
    await this.home?.weigh();
    if (this.home?.retires) void this.leave(this.home);
    await this.furnish();
  }

  /** Can it be lent? */
  async fit(): Promise<boolean> {
    return (await this.home?.answers()) ?? false;
  }

  /** Ends it, and its browser if it was the last. */
  async end(reason: DestroyReason): Promise<void> {
    this.isOpen = false;
    this.isLate = reason === 'reset-failed';
    this.ending.abort(new Error('The seat was destroyed.'));
    await this.discard();
    if (this.home) await this.leave(this.home);
    await this.moving;
    await this.fleet.emptied();
  }

  lost(home: PooledBrowser, why: Error): void {
    if (home === this.home) this.invalidate(why);
  }

  moveOut(home: PooledBrowser): void {
    if (home === this.home && this.isMovable) this.moving ??= this.move(home);
  }

  /** Nobody has seen the context, so that it can be another. */
  private get isMovable(): boolean {
    return this.isOpen && !this.inHand;
  }

  private async move(from: PooledBrowser): Promise<void> {
    // Not within a call of the fleet.
    await Promise.resolve();
    const to = this.fleet.join(this);
    try {
      const fresh = await this.makeIn(to);
      if (!this.isMovable || this.home !== from) {
        await this.close(fresh, to);
        await this.leave(to);
        return;
      }
      const old = this.current;
      this.current = fresh;
      this.home = to;
      if (old) await this.close(old, from);
      await this.leave(from);
    } catch {
      // It stays, and moves when it is back.
      await this.leave(to);
    } finally {
      this.moving = undefined;
    }
  }

  private async furnish(): Promise<void> {
    const { signal } = this.ending;
    signal.throwIfAborted();
    const home = (this.home ??= this.fleet.join(this));
    try {
      const fresh = await this.makeIn(home);
      if (signal.aborted) await this.close(fresh, home);
      signal.throwIfAborted();
      this.current = fresh;
      this.inHand = false;
      this.isOpen = true;
    } catch (error) {
      await this.leave(home);
      throw error;
    }
  }

  private async makeIn(home: PooledBrowser): Promise<ContextLike> {
    const { signal } = this.ending;
    // What hangs is not to be given to others.
    const hangs = (): void => {
      if (this.isLate) home.suspect();
    };
    signal.addEventListener('abort', hangs, { once: true });
    try {
      const made = home.newContext();
      const context = await unlessAborted(made, signal, late => void this.close(late, home));
      const end = new AbortController();
      this.ends.set(context, end);
      await home.watch(context, () => this.crashed(context, home), end.signal);
      return context;
    } finally {
      signal.removeEventListener('abort', hangs);
    }
  }

  /** A page has crashed. Its borrower is told, and what it waits for ends with the context. */
  private crashed(context: ContextLike, home: PooledBrowser): void {
    if (context !== this.current || !this.isOpen) return;
    this.invalidate(
      new PageCrashedError(
        'A page of the borrowed context has crashed. Its context is closed; borrow another.',
      ),
    );
    void this.close(context, home);
  }

  /** @returns whether it did not take too long */
  private async discard(): Promise<boolean> {
    const { current, home } = this;
    this.current = undefined;
    return !current || !home || (await this.close(current, home));
  }

  /** One that does not close in time goes with its browser, at the latest. */
  private async close(context: ContextLike, home: PooledBrowser): Promise<boolean> {
    this.ends.get(context)?.abort(new Error('The context has been closed.'));
    const how = await settles(() => context.close(), this.fleet.rules.patience);
    if (how === 'late') home.suspect();
    return how !== 'late';
  }

  private leave(home: PooledBrowser): Promise<void> {
    if (home === this.home) this.home = undefined;
    return this.fleet.leave(this, home);
  }
}
